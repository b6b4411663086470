//! The layers a network is made of.

use burn::module::{Module, Param, RunningState};
use burn::tensor::activation;
use burn::tensor::module::{avg_pool2d, batch_norm, batch_norm_train, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Tensor, TensorData};

use super::network::{LayerSource, Mode};
use super::weights::WeightsError;
use crate::spec::{Activation, BatchNorm, Conv, Dropout, FeatureShape, Pool};
use crate::sys::uniform_at;

/// Convolution, bias, activation, and the 2×2 max-pool behind it where there is one.
#[derive(Module, Debug)]
pub struct ConvLayer {
    /// `[filters, channels, kernel, kernel]`.
    weight: Param<Tensor<4>>,
    /// `[filters]`.
    bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: [usize; 2],
    #[module(skip)]
    padding: [(usize, usize); 2],
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    pooled: bool,
}

impl ConvLayer {
    pub(super) fn new(
        conv: &Conv,
        input: FeatureShape,
        pooled: bool,
        source: &LayerSource,
    ) -> Result<Self, WeightsError> {
        let (height, width) = match input {
            FeatureShape::Image { height, width, .. } => (height, width),
            FeatureShape::Flat { .. } => (1, 1),
        };
        let [top, bottom] = conv.pads(height);
        let [left, right] = conv.pads(width);
        Ok(Self {
            weight: source.param(0, "weight")?,
            bias: source.param(1, "bias")?,
            stride: [conv.stride; 2],
            padding: [(top, bottom), (left, right)],
            activation: conv.activation,
            pooled,
        })
    }

    /// `[batch, channels, height, width]` → `[batch, filters, height', width']`.
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new_with_padding(self.stride, self.padding, [1, 1], 1);
        let maps = conv2d(images, self.weight.val(), Some(self.bias.val()), options);
        let maps = activate(maps, self.activation);
        if self.pooled {
            max_pool2d(maps, MaxPoolOptions::new([2, 2]))
        } else {
            maps
        }
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
        Ok(Self {
            weight: source.param(0, "weight")?,
            bias: source.param(1, "bias")?,
            activation,
        })
    }

    /// The classifier: logits, no activation.
    pub(super) fn head(source: &LayerSource) -> Result<Self, WeightsError> {
        Self::new(Activation::None, source)
    }

    /// `[batch, inputs]` → `[batch, units]`.
    pub(super) fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        let sums = features.matmul(self.weight.val()) + self.bias.val().unsqueeze();
        activate(sums, self.activation)
    }
}

/// Batch normalization over channels (Ioffe and Szegedy 2015), with an activation.
#[derive(Module, Debug)]
pub struct BatchNormLayer {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    running_mean: RunningState<Tensor<1>>,
    running_variance: RunningState<Tensor<1>>,
    momentum: f64,
    epsilon: f64,
    #[module(skip)]
    activation: Activation,
}

impl BatchNormLayer {
    pub(super) fn new(norm: &BatchNorm, source: &LayerSource) -> Result<Self, WeightsError> {
        Ok(Self {
            gamma: source.param(0, "gamma")?,
            beta: source.param(1, "beta")?,
            running_mean: RunningState::new(source.tensor("running-mean")?),
            running_variance: RunningState::new(source.tensor("running-variance")?),
            momentum: norm.momentum,
            epsilon: norm.epsilon,
            activation: norm.activation,
        })
    }

    /// `[batch, channels, …]`, unchanged in shape.
    pub(super) fn forward<const D: usize>(&self, input: Tensor<D>, mode: Mode) -> Tensor<D> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        let output = match mode {
            Mode::Evaluate => {
                let mean = self.running_mean.value();
                let variance = self.running_variance.value();
                batch_norm(input, gamma, beta, mean, variance, self.epsilon)
            }
            Mode::Train { .. } => {
                let result = batch_norm_train(input, gamma, beta, self.epsilon);
                self.follow(&self.running_mean, result.mean);
                self.follow(&self.running_variance, result.variance);
                result.output
            }
        };
        activate(output, self.activation)
    }

    fn follow(&self, running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
        let kept = running.value_sync().mul_scalar(1.0 - self.momentum);
        running.update(kept.add(batch.detach().mul_scalar(self.momentum)).detach());
    }
}

/// Dropout (Srivastava et al. 2014) whose mask follows from the step's counter.
#[derive(Module, Debug)]
pub struct DropoutLayer {
    rate: f64,
    index: usize,
}

impl DropoutLayer {
    pub(super) fn new(dropout: &Dropout, index: usize) -> Self {
        Self {
            rate: dropout.rate,
            index,
        }
    }

    /// Any shape, unchanged.
    pub(super) fn forward<const D: usize>(&self, input: Tensor<D>, mode: Mode) -> Tensor<D> {
        let Mode::Train { dropout_seed } = mode else {
            return input;
        };
        if self.rate == 0.0 {
            return input;
        }
        let seed = dropout_seed ^ (self.index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
    size: usize,
    stride: usize,
}

impl PoolLayer {
    pub(super) fn new(pool: &Pool) -> Self {
        Self {
            size: pool.size,
            stride: pool.stride(),
        }
    }

    /// For [`global_mean`](Self::global_mean), whose window is the plane.
    pub(super) fn whole_plane() -> Self {
        Self { size: 0, stride: 0 }
    }

    pub(super) fn max(&self, images: Tensor<4>) -> Tensor<4> {
        let options = MaxPoolOptions::new([self.size; 2]).with_stride([self.stride; 2]);
        max_pool2d(images, options)
    }

    pub(super) fn mean(&self, images: Tensor<4>) -> Tensor<4> {
        let options = AvgPoolOptions::new([self.size; 2]).with_stride([self.stride; 2]);
        avg_pool2d(images, options)
    }

    /// `[batch, channels, height, width]` → `[batch, channels]`.
    pub(super) fn global_mean(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, channels, ..] = images.dims();
        images.flatten::<3>(2, 3).mean_dim(2).reshape([batch, channels])
    }
}

fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu => activation::leaky_relu(x, 0.01),
        Activation::Gelu => activation::gelu(x),
        Activation::Silu => activation::silu(x),
        Activation::Tanh => activation::tanh(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::None => x,
    }
}
