//! The burn module that a spec describes.

// In a circle with residual: a residual block is a layer, and made of layers.

use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use super::arrays::{LayerPlace, expected_shapes};
use super::layers::{
    BatchNormLayer, ConvLayer, DenseLayer, DropoutLayer, GlobalAvgPoolLayer, PoolLayer,
};
use super::read::read_all;
use super::residual::ResidualLayer;
use super::weights::{Weights, WeightsError};
use crate::spec::{Layer, LayerPlan, Spec};
use burgeon_kernel::backend::Marks;
use burgeon_kernel::conv::Pool;
use burgeon_kernel::pool::PoolKind;

/// A convolutional network: the study's layers and the classifier head.
#[derive(Module, Debug)]
pub struct Network {
    layers: Vec<NetworkLayer>,
}

#[derive(Module, Debug)]
pub(super) enum NetworkLayer {
    Conv(ConvLayer),
    Pool(PoolLayer),
    BatchNorm(BatchNormLayer),
    Dropout(DropoutLayer),
    GlobalAvgPool(GlobalAvgPoolLayer),
    Dense(DenseLayer),
    Residual(ResidualLayer),
}

/// What passes through the network: images until a layer flattens them.
#[derive(Clone)]
pub(super) enum Features {
    /// `[batch, channels, height, width]`.
    Images(Tensor<4>),
    /// `[batch, features]`.
    Flat(Tensor<2>),
}

/// The purpose of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Evaluation: without dropout.
    Evaluate,
    /// Training: with dropout.
    Train {
        /// Decides which activations are dropped.
        dropout_seed: u64,
    },
}

impl Network {
    /// Builds the network of a spec with these weights on a device. On an autodiff device it can be
    /// trained.
    ///
    /// # Errors
    ///
    /// If the weights do not fit the spec.
    pub fn new(spec: &Spec, weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        weights.check(spec)?;
        let place = |index| LayerPlace::of(spec, index);
        let layers = build(spec.layers(), &spec.table().rows, &place, weights, device)?;
        Ok(Self { layers })
    }

    /// Images `[batch, channels, height, width]` → logits `[batch, classes]`.
    pub fn forward(&self, images: Tensor<4>, mode: Mode) -> Tensor<2> {
        let mut features = Features::Images(images);
        for layer in &self.layers {
            features = layer.forward(features, mode);
        }
        features.flat()
    }

    /// The output of every layer of the study, `[batch, features]`, with the layer's index. A pool that is
    /// fused with the layer before it has no entry; that layer's output is the pooled one.
    pub fn trace(&self, spec: &Spec, images: Tensor<4>, mode: Mode) -> Vec<(usize, Tensor<2>)> {
        let mut features = Features::Images(images);
        let mut trace = Vec::with_capacity(self.layers.len());
        for (layer, index) in self.layers.iter().zip(computed_indices(spec.layers())) {
            features = layer.forward(features, mode);
            trace.push((index, features.clone().flat()));
        }
        trace
    }

    pub(super) fn layers(&self) -> &[NetworkLayer] {
        &self.layers
    }

    /// Like [`forward`](Self::forward), but calls `passed` with the number of each layer after it, and sets
    /// marks in `marks`: the backward pass reaches the mark of a layer's number when the gradient of its
    /// output is computed.
    pub fn forward_marked(
        &self,
        images: Tensor<4>,
        mode: Mode,
        marks: &Marks,
        mut passed: impl FnMut(usize),
    ) -> Tensor<2> {
        let mut features = Features::Images(images);
        for (number, layer) in self.layers.iter().enumerate() {
            features = match layer.forward(features, mode) {
                Features::Images(images) => Features::Images(marks.mark(images, number)),
                Features::Flat(features) => Features::Flat(marks.mark(features, number)),
            };
            passed(number);
        }
        features.flat()
    }

    /// Reads all weights from the device, with the names that [`Weights`] documents.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Missing`] if `spec` is not the one that the network was built from, and
    /// [`WeightsError::Read`] if the device fails.
    pub fn weights(&self, spec: &Spec) -> Result<Weights, WeightsError> {
        let mut arrays = Arrays(Vec::new());
        self.visit(&mut arrays);
        let mut arrays = read_all(arrays.0)?.into_iter();
        let mut weights = Weights::default();
        for (name, shape) in expected_shapes(spec) {
            let values =
                arrays.next().ok_or_else(|| WeightsError::Missing { name: name.clone() })?;
            if values.len() != shape.iter().product::<usize>() {
                return Err(WeightsError::Missing { name });
            }
            weights.insert(name, super::WeightArray { shape, values });
        }
        Ok(weights)
    }
}

/// burn visits parameters in the order of fields, which is the order of [`expected_shapes`].
struct Arrays(Vec<Tensor<1>>);

impl ModuleVisitor for Arrays {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().without_autodiff().reshape([-1]));
    }
}

/// For each layer of a spec's network, the rows of the layer table that it computes: two if a pool is
/// fused with it.
pub fn layer_rows(spec: &Spec) -> Vec<Range<usize>> {
    let mut layers: Vec<Range<usize>> = Vec::new();
    for row in 0..spec.table().rows.len() {
        match layers.last_mut() {
            Some(layer) if is_fused_with_previous(spec.layers(), row) => layer.end = row + 1,
            _ => layers.push(row..row + 1),
        }
    }
    layers
}

/// The index in `specs` of each layer that is computed, in order, and of those that follow `specs`: the head.
pub(super) fn computed_indices(specs: &[Layer]) -> impl Iterator<Item = usize> {
    (0..).filter(|&index| !is_fused_with_previous(specs, index))
}

fn is_fused_with_previous(layers: &[Layer], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|before| layers.get(before));
    matches!(before, Some(Layer::Conv(_) | Layer::BatchNorm(_)))
        && layers.get(index).is_some_and(is_halving_pool)
}

fn is_halving_pool(layer: &Layer) -> bool {
    let Layer::MaxPool(pool) = layer else {
        return false;
    };
    pool.size == 2 && pool.stride() == 2 && pool.padding == Default::default()
}

/// Builds the layers of a network, whose last row is the head, or those within a residual block.
pub(super) fn build(
    layers: &[Layer],
    rows: &[LayerPlan],
    place: &dyn Fn(usize) -> LayerPlace,
    weights: &Weights,
    device: &Device,
) -> Result<Vec<NetworkLayer>, WeightsError> {
    let computed = rows.iter().enumerate();
    let computed = computed.filter(|&(index, _)| !is_fused_with_previous(layers, index));
    let built = computed.map(|(index, row)| {
        let source = LayerSource { place: place(index), weights, device };
        // The pool that is fused with a conv or batch-norm layer.
        let halves = layers.get(index + 1).is_some_and(is_halving_pool);
        let pool = if halves { Pool::Max2x2 } else { Pool::None };
        Ok(match layers.get(index) {
            Some(Layer::Conv(conv)) => {
                NetworkLayer::Conv(ConvLayer::new(conv, row.input, pool, &source)?)
            }
            Some(Layer::MaxPool(pool)) => {
                NetworkLayer::Pool(PoolLayer::new(pool, PoolKind::Max, row.input))
            }
            Some(Layer::AvgPool(pool)) => {
                NetworkLayer::Pool(PoolLayer::new(pool, PoolKind::Average, row.input))
            }
            Some(Layer::BatchNorm(norm)) => {
                NetworkLayer::BatchNorm(BatchNormLayer::new(norm, pool, 0, &source)?)
            }
            Some(Layer::Dropout(dropout)) => {
                NetworkLayer::Dropout(DropoutLayer::new(dropout, source.place.number - 1))
            }
            Some(Layer::GlobalAvgPool {}) => NetworkLayer::GlobalAvgPool(GlobalAvgPoolLayer {}),
            Some(Layer::Dense(dense)) => {
                NetworkLayer::Dense(DenseLayer::new(dense.activation, &source)?)
            }
            Some(Layer::Residual(block)) => {
                NetworkLayer::Residual(ResidualLayer::new(block, row, &source)?)
            }
            None => NetworkLayer::Dense(DenseLayer::head(&source)?),
        })
    });
    built.collect()
}

/// The weights of one layer.
pub(super) struct LayerSource<'a> {
    pub(super) place: LayerPlace,
    pub(super) weights: &'a Weights,
    pub(super) device: &'a Device,
}

impl LayerSource<'_> {
    /// The layer's `slot`-th parameter.
    pub(super) fn param<const D: usize>(
        &self,
        slot: u64,
        field: &str,
    ) -> Result<Param<Tensor<D>>, WeightsError> {
        let tensor = self.tensor::<D>(field)?;
        let param = Param::initialized(self.place.parameter(slot).into(), tensor);
        Ok(param.set_require_grad(true))
    }

    pub(super) fn tensor<const D: usize>(&self, field: &str) -> Result<Tensor<D>, WeightsError> {
        let array = self.weights.get(&format!("{}.{field}", self.place.prefix))?;
        let data = burn::tensor::TensorData::new(array.values.clone(), array.shape.clone());
        Ok(Tensor::from_data(data, self.device))
    }
}

impl NetworkLayer {
    pub(super) fn forward(&self, features: Features, mode: Mode) -> Features {
        match (self, features) {
            (Self::Conv(layer), Features::Images(x)) => Features::Images(layer.forward(x)),
            (Self::Pool(layer), Features::Images(x)) => Features::Images(layer.forward(x)),
            (Self::GlobalAvgPool(layer), Features::Images(x)) => Features::Flat(layer.forward(x)),
            (Self::BatchNorm(layer), Features::Images(x)) => Features::Images(layer.forward(x)),
            (Self::Residual(layer), Features::Images(x)) => {
                Features::Images(layer.forward(x, mode))
            }
            (Self::BatchNorm(layer), Features::Flat(x)) => Features::Flat(layer.forward_flat(x)),
            (Self::Dropout(layer), Features::Images(x)) => Features::Images(layer.forward(x, mode)),
            (Self::Dropout(layer), Features::Flat(x)) => Features::Flat(layer.forward(x, mode)),
            (Self::Dense(layer), features) => Features::Flat(layer.forward(features.flat())),
            // Unreachable: shape inference refuses image layers after flat ones.
            (_, flat @ Features::Flat(_)) => flat,
        }
    }
}

impl Features {
    pub(super) fn flat(self) -> Tensor<2> {
        match self {
            Self::Images(images) => images.flatten(1, 3),
            Self::Flat(features) => features,
        }
    }
}
