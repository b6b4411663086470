//! Tests of `train::clip`.

use burn::tensor::{Device, TensorData};

use super::*;
use crate::model::{Mode, Weights, read_values};
use crate::spec::{Dense, InputShape, Layer, Spec, StudyFile};

/// All gradients of a small network, one after another.
struct Values<'a>(&'a GradientsParams, Vec<f32>);

impl ModuleVisitor for Values<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.0.get::<D>(param.id) {
            self.1.extend(read_values(gradient).unwrap());
        }
    }
}

fn network() -> Network {
    let layers = vec![Layer::Dense(Dense::of(5))];
    let spec = Spec::new(StudyFile::new("clipped", layers), InputShape::MNIST).unwrap();
    let device = Device::flex().autodiff();
    Network::new(&spec, &Weights::initial(&spec, 1), &device).unwrap()
}

/// Gradients of a loss that is so many times the sum of the logits for one image.
fn gradients(network: &Network, factor: f64) -> GradientsParams {
    let pixels = (0..784).map(|at| (at % 7) as f32 / 7.0).collect();
    let device = Device::flex().autodiff();
    let image = Tensor::from_data(TensorData::new::<f32, _>(pixels, [1, 1, 28, 28]), &device);
    let logits = network.forward(image, Mode::Train { dropout_seed: 0 });
    let loss = logits.sum().mul_scalar(factor);
    GradientsParams::from_grads(loss.backward(), network)
}

fn values(network: &Network, gradients: &GradientsParams) -> Vec<f32> {
    let mut values = Values(gradients, Vec::new());
    network.visit(&mut values);
    values.1
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn the_norm_over_all_parameters_together_is_scaled_down_and_the_direction_kept() {
    let network = network();
    let before = values(&network, &gradients(&network, 1.0));
    let bound = norm(&before) / 3.0;
    let by = GradientClipping::Norm(bound);
    let after = values(&network, &clip(gradients(&network, 1.0), &network, by).unwrap());
    assert!((norm(&after) / bound - 1.0).abs() < 1e-5, "{} of {bound}", norm(&after));
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert!((after * 3.0 - before).abs() <= 1e-5 * before.abs(), "{after} of {before}");
    }
}

#[test]
fn a_gradient_within_its_norm_is_left_as_it_is() {
    let network = network();
    let before = values(&network, &gradients(&network, 1.0));
    let by = GradientClipping::Norm(norm(&before) * 1.01);
    let after = values(&network, &clip(gradients(&network, 1.0), &network, by).unwrap());
    assert_eq!(after, before);
}

#[test]
fn every_element_is_held_within_its_value() {
    let network = network();
    let before = values(&network, &gradients(&network, 1.0));
    let bound = norm(&before) as f32 / (before.len() as f32).sqrt();
    let by = GradientClipping::Value(f64::from(bound));
    let after = values(&network, &clip(gradients(&network, 1.0), &network, by).unwrap());
    let expected: Vec<f32> = before.iter().map(|value| value.clamp(-bound, bound)).collect();
    assert_ne!(expected, before, "some are beyond it");
    assert_eq!(after, expected);
}

#[test]
fn a_nan_stays_a_nan() {
    let network = network();
    for by in [GradientClipping::Norm(1.0), GradientClipping::Value(1.0)] {
        let clipped = clip(gradients(&network, f64::NAN), &network, by).unwrap();
        assert!(values(&network, &clipped).iter().any(|value| value.is_nan()), "{by:?}");
    }
}
