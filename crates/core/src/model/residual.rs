//! The residual block: layers whose input is added to their output (He et al. 2016).

// In a circle with weights: a layer is built from its arrays.

use burn::module::Module;
use burn::tensor::Tensor;

use super::layers::{BatchNormLayer, ConvLayer};
use super::network::{Features, LayerSource, Mode, NetworkLayer, build};
use super::weights::WeightsError;
use crate::spec::{
    Activation, BatchNorm, Conv, FeatureShape, LayerPlan, Residual, projection_stride,
};
use burgeon_kernel::backend;
use burgeon_kernel::conv::Pool;

/// `activation(layers(x) + shortcut(x))`.
#[derive(Module, Debug)]
pub(super) struct ResidualLayer {
    layers: Vec<NetworkLayer>,
    /// The projection of the input to the shape that the layers return; empty if it has that shape.
    projection: Vec<NetworkLayer>,
    #[module(skip)]
    activation: Activation,
}

impl ResidualLayer {
    pub(super) fn new(
        block: &Residual,
        row: &LayerPlan,
        source: &LayerSource,
    ) -> Result<Self, WeightsError> {
        let LayerSource { place, weights, device } = source;
        let inner = |index| place.inner(index);
        let layers = build(&block.layers, &row.inner, &inner, weights, device)?;
        let projection = match &row.projection {
            None => Vec::new(),
            Some(row) => {
                let source = LayerSource { place: place.projection(), weights, device };
                projection(row, block.norm(), &source)?
            }
        };
        Ok(Self { layers, projection, activation: block.activation })
    }

    /// The layers of the branch, those of the projection, and what is applied to their sum.
    pub(super) fn parts(&self) -> (&[NetworkLayer], &[NetworkLayer], Activation) {
        (&self.layers, &self.projection, self.activation)
    }

    /// `[batch, channels, height, width]` → `[batch, channels', height', width']`.
    pub(super) fn forward(&self, images: Tensor<4>, mode: Mode) -> Tensor<4> {
        let through = |layers: &[NetworkLayer], images| {
            let images = Features::Images(images);
            layers.iter().fold(images, |features, layer| layer.forward(features, mode))
        };
        let branch = through(&self.layers, images.clone());
        match (branch, through(&self.projection, images)) {
            (Features::Images(branch), Features::Images(shortcut)) => {
                backend::add(branch, shortcut, self.activation.into())
            }
            // Unreachable: validation refuses layers that flatten within a block.
            (Features::Images(images), _) | (_, Features::Images(images)) => images,
            (Features::Flat(features), _) => features.unsqueeze_dims(&[2, 3]),
        }
    }
}

/// A 1×1 convolution, followed by a batch-norm if `norm` is given.
fn projection(
    row: &LayerPlan,
    norm: Option<&BatchNorm>,
    source: &LayerSource,
) -> Result<Vec<NetworkLayer>, WeightsError> {
    let conv = projection_conv(row.input, row.output);
    let conv = ConvLayer::new(&conv, row.input, Pool::None, source)?;
    let mut layers = vec![NetworkLayer::Conv(conv)];
    if let Some(norm) = norm {
        let norm = BatchNorm { activation: Activation::None, ..norm.clone() };
        let norm = BatchNormLayer::new(&norm, Pool::None, 2, source)?;
        layers.push(NetworkLayer::BatchNorm(norm));
    }
    Ok(layers)
}

/// The convolution of a projection between these shapes.
pub(super) fn projection_conv(input: FeatureShape, output: FeatureShape) -> Conv {
    let stride = projection_stride(input, output).unwrap_or(1);
    Conv { stride, activation: Activation::None, ..Conv::same(output.channels(), 1) }
}

#[cfg(test)]
mod tests;
