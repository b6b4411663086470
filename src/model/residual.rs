//! The residual block: layers to whose result their input is added (He et al. 2016).

// In a circle with weights: a layer is built from its arrays.

use burn::module::Module;
use burn::tensor::Tensor;

use super::layers::{BatchNormLayer, ConvLayer};
use super::network::{Features, LayerSource, Mode, NetworkLayer, build};
use super::weights::WeightsError;
use crate::spec::{Activation, BatchNorm, Conv, FeatureShape, LayerPlan, Residual, projection_stride};
use burgeon_kernel::backend;
use burgeon_kernel::conv::Pool;

/// `activation(layers(x) + shortcut(x))`.
#[derive(Module, Debug)]
pub(super) struct ResidualLayer {
    layers: Vec<NetworkLayer>,
    projection: Option<ProjectionLayer>,
    #[module(skip)]
    activation: Activation,
}

/// What brings a block's input to the shape that its layers return.
#[derive(Module, Debug)]
struct ProjectionLayer {
    conv: ConvLayer,
    norm: Option<BatchNormLayer>,
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
        let projection = row.projection.as_ref().map(|projection| {
            let source = LayerSource { place: place.projection(), weights, device };
            ProjectionLayer::new(projection, block.norm(), &source)
        });
        Ok(Self { layers, projection: projection.transpose()?, activation: block.activation })
    }

    /// `[batch, channels, height, width]` → `[batch, channels', height', width']`.
    pub(super) fn forward(&self, images: Tensor<4>, mode: Mode) -> Tensor<4> {
        let mut branch = Features::Images(images.clone());
        for layer in &self.layers {
            branch = layer.forward(branch, mode);
        }
        let shortcut = match &self.projection {
            Some(projection) => projection.forward(images),
            None => images,
        };
        match branch {
            Features::Images(branch) => backend::add(branch, shortcut, self.activation.into()),
            // Validation refuses layers that flatten within a block.
            Features::Flat(_) => shortcut,
        }
    }
}

impl ProjectionLayer {
    fn new(
        row: &LayerPlan,
        norm: Option<&BatchNorm>,
        source: &LayerSource,
    ) -> Result<Self, WeightsError> {
        let conv = projection_conv(row.input, row.output);
        let norm = norm.map(|norm| {
            let norm = BatchNorm { activation: Activation::None, ..norm.clone() };
            BatchNormLayer::new(&norm, Pool::None, 2, source)
        });
        Ok(Self {
            conv: ConvLayer::new(&conv, row.input, Pool::None, source)?,
            norm: norm.transpose()?,
        })
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let projected = self.conv.forward(images);
        match &self.norm {
            Some(norm) => norm.forward(projected),
            None => projected,
        }
    }
}

/// The convolution of a projection between these shapes.
pub(super) fn projection_conv(input: FeatureShape, output: FeatureShape) -> Conv {
    let stride = projection_stride(input, output).unwrap_or(1);
    Conv { stride, activation: Activation::None, ..Conv::same(output.channels(), 1) }
}
