//! Gradient clipping.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::model::{Network, ReadError, read_scalar};
use crate::spec::GradientClipping;

/// Clips the gradients of all parameters of the network.
///
/// Clipping by norm follows Pascanu, Mikolov and Bengio (2013): if the Euclidean norm over all parameters
/// together exceeds the limit, all gradients are scaled down to it. NaN stays NaN.
///
/// # Errors
///
/// If the device fails.
pub fn clip(
    gradients: GradientsParams,
    network: &Network,
    by: GradientClipping,
) -> Result<GradientsParams, ReadError> {
    Ok(match by {
        GradientClipping::Value(bound) => map(gradients, network, Change::Clamp(bound)),
        GradientClipping::Norm(bound) => {
            let mut squares = SquareSum { gradients: &gradients, sum: Ok(0.0) };
            network.visit(&mut squares);
            let norm = squares.sum?.sqrt();
            if norm <= bound {
                gradients
            } else {
                map(gradients, network, Change::Scale(bound / norm))
            }
        }
    })
}

/// As [`clip`], without waiting for the device.
pub fn clip_on_device(
    gradients: GradientsParams,
    network: &Network,
    by: GradientClipping,
) -> GradientsParams {
    match by {
        GradientClipping::Value(bound) => map(gradients, network, Change::Clamp(bound)),
        GradientClipping::Norm(bound) => {
            let mut squares = DeviceSquareSum { gradients: &gradients, sum: None };
            network.visit(&mut squares);
            match squares.sum {
                None => gradients,
                Some(sum) => {
                    let factor = sum.sqrt().recip().mul_scalar(bound).clamp_max(1.0);
                    map(gradients, network, Change::ScaleOnDevice(Box::new(factor)))
                }
            }
        }
    }
}

struct DeviceSquareSum<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for DeviceSquareSum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let square = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                None => square,
                Some(sum) => sum + square,
            });
        }
    }
}

struct SquareSum<'a> {
    gradients: &'a GradientsParams,
    sum: Result<f64, ReadError>,
}

impl ModuleVisitor for SquareSum<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let square = read_scalar(gradient.square().sum());
            if let Ok(sum) = &mut self.sum {
                match square {
                    Ok(square) => *sum += f64::from(square),
                    Err(error) => self.sum = Err(error),
                }
            }
        }
    }
}

enum Change {
    Clamp(f64),
    Scale(f64),
    /// By a single number.
    ScaleOnDevice(Box<Tensor<1>>),
}

fn map(gradients: GradientsParams, network: &Network, change: Change) -> GradientsParams {
    let mut mapper = Mapper { from: gradients, to: GradientsParams::new(), change };
    network.visit(&mut mapper);
    mapper.to
}

struct Mapper {
    from: GradientsParams,
    to: GradientsParams,
    change: Change,
}

impl ModuleVisitor for Mapper {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.from.remove::<D>(param.id) {
            let changed = match &self.change {
                Change::Clamp(bound) => gradient.clamp(-bound, *bound),
                Change::Scale(factor) => gradient.mul_scalar(*factor),
                Change::ScaleOnDevice(factor) => gradient * factor.as_ref().clone().reshape([1; D]),
            };
            self.to.register(param.id, changed);
        }
    }
}

#[cfg(test)]
mod tests;
