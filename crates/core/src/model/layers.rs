//! The layers of a network: their parameters, and the kernel operation that each calls.

// In a circle with weights: a layer is built from its arrays.
// In a circle with network: a network is made of layers, which take its mode.

use burn::module::{Module, Param, RunningState};
use burn::nn;
use burn::tensor::{Tensor, TensorData};

use super::network::{LayerSource, Mode};
use super::weights::WeightsError;
use crate::spec::{Activation, BatchNorm, Conv, Dropout, FeatureShape, Pool};
use crate::sys::uniform_at;
use burgeon_kernel::backend::{self, ConvBlockOptions, PoolOptions};
use burgeon_kernel::conv;
use burgeon_kernel::pool::PoolKind;

/// Convolution with bias and activation, and the 2×2 max-pool that follows it, if there is one.
#[derive(Module, Debug)]
pub struct ConvLayer {
    /// `[filters, channels, kernel, kernel]`.
    weight: Param<Tensor<4>>,
    /// `[filters]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    options: ConvBlockOptions,
}

impl ConvLayer {
    pub(super) fn new(
        conv: &Conv,
        input: FeatureShape,
        pool: conv::Pool,
        source: &LayerSource,
    ) -> Result<Self, WeightsError> {
        let [height, width] = input.sides();
        let [top, bottom] = conv.pads(height);
        let [left, right] = conv.pads(width);
        Ok(Self {
            weight: source.param(0, "weight")?,
            bias: source.param(1, "bias")?,
            options: ConvBlockOptions {
                stride: [conv.stride; 2],
                padding: conv::Padding { top, left, bottom, right },
                groups: conv.groups,
                activation: conv.activation.into(),
                pool,
            },
        })
    }

    /// `[batch, channels, height, width]` → `[batch, filters, height', width']`.
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        backend::conv_block(images, self.weight.val(), self.bias.val(), &self.options)
    }
}

/// Fully connected layer.
#[derive(Module, Debug)]
pub struct DenseLayer {
    /// `[inputs, units]`.
    weight: Param<Tensor<2>>,
    /// `[units]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
}

impl DenseLayer {
    pub(super) fn new(activation: Activation, source: &LayerSource) -> Result<Self, WeightsError> {
        Ok(Self { weight: source.param(0, "weight")?, bias: source.param(1, "bias")?, activation })
    }

    /// The classifier head, which returns logits.
    pub(super) fn head(source: &LayerSource) -> Result<Self, WeightsError> {
        Self::new(Activation::None, source)
    }

    /// `[batch, inputs]` → `[batch, units]`.
    pub(super) fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        backend::dense(features, weight, bias, self.activation.into())
    }
}

/// Batch normalization over channels (Ioffe and Szegedy 2015) with an activation, and the 2×2 max-pool
/// that follows it, if there is one.
#[derive(Module, Debug)]
pub struct BatchNormLayer {
    norm: nn::BatchNorm,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    pool: conv::Pool,
}

impl BatchNormLayer {
    /// `slot` is that of its first parameter.
    pub(super) fn new(
        norm: &BatchNorm,
        pool: conv::Pool,
        slot: u64,
        source: &LayerSource,
    ) -> Result<Self, WeightsError> {
        Ok(Self {
            norm: nn::BatchNorm {
                gamma: source.param(slot, "gamma")?,
                beta: source.param(slot + 1, "beta")?,
                training: Param::from_bool(true),
                running_mean: RunningState::new(source.tensor("running-mean")?),
                running_var: RunningState::new(source.tensor("running-variance")?),
                momentum: norm.momentum,
                epsilon: norm.epsilon,
            },
            activation: norm.activation,
            pool,
        })
    }

    /// `[batch, channels, height, width]`, unchanged in shape unless a pool follows. With gradients it uses
    /// the batch's statistics and updates the running ones; without gradients it uses the running ones.
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        backend::batch_norm(images, &self.norm, self.activation.into(), self.pool)
    }

    /// `[batch, features]`, unchanged in shape.
    pub(super) fn forward_flat(&self, features: Tensor<2>) -> Tensor<2> {
        let [batch, channels] = features.dims();
        self.forward(features.reshape([batch, channels, 1, 1])).reshape([batch, channels])
    }
}

/// Dropout (Srivastava et al. 2014) with a mask that depends only on the step's seed.
#[derive(Module, Debug)]
pub struct DropoutLayer {
    rate: f64,
    /// Distinguishes the dropout layers of a network.
    stream: u64,
}

impl DropoutLayer {
    pub(super) fn new(dropout: &Dropout, stream: u64) -> Self {
        Self { rate: dropout.rate, stream }
    }

    /// Any shape, unchanged.
    pub(super) fn forward<const D: usize>(&self, input: Tensor<D>, mode: Mode) -> Tensor<D> {
        let Mode::Train { dropout_seed } = mode else {
            return input;
        };
        if self.rate == 0.0 {
            return input;
        }
        let seed = dropout_seed ^ self.stream.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let kept = 1.0 / (1.0 - self.rate as f32);
        let mask: Vec<f32> = (0..input.shape().num_elements() as u64)
            .map(|at| if uniform_at(seed, at) < self.rate { 0.0 } else { kept })
            .collect();
        let mask = Tensor::<D>::from_data(TensorData::new(mask, input.shape()), &input.device());
        input * mask
    }
}

/// Pooling over windows.
#[derive(Module, Debug)]
pub struct PoolLayer {
    #[module(skip)]
    options: PoolOptions,
}

impl PoolLayer {
    pub(super) fn new(pool: &Pool, kind: PoolKind, input: FeatureShape) -> Self {
        let [height, width] = input.sides();
        let [top, bottom] = pool.pads(height);
        let [left, right] = pool.pads(width);
        Self {
            options: PoolOptions {
                size: [pool.size; 2],
                stride: [pool.stride(); 2],
                padding: conv::Padding { top, left, bottom, right },
                kind,
            },
        }
    }

    /// `[batch, channels, height, width]` → `[batch, channels, height', width']`.
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        backend::pool(images, &self.options)
    }
}

/// Mean over all pixels of each channel.
#[derive(Module, Debug)]
pub struct GlobalAvgPoolLayer {}

impl GlobalAvgPoolLayer {
    /// `[batch, channels, height, width]` → `[batch, channels]`.
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        backend::global_average_pool(images)
    }
}

impl From<Activation> for burgeon_kernel::Activation {
    fn from(activation: Activation) -> Self {
        match activation {
            Activation::Relu => Self::Relu,
            Activation::LeakyRelu => Self::LeakyRelu,
            Activation::Gelu => Self::Gelu,
            Activation::Silu => Self::Silu,
            Activation::Tanh => Self::Tanh,
            Activation::Sigmoid => Self::Sigmoid,
            Activation::None => Self::Linear,
        }
    }
}
