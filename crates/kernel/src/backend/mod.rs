//! The operations on burn's tensors: fused on burn's CPU backend, and for small layers on GPUs; composed of burn's own
//! operations on every other.
//!
//! Gradients are hand-written for the fused operations, and come from burn's autodiff for the others. Optimizer updates
//! have none.

mod autodiff;
mod buffer;
mod composite;
mod flex;
mod fused_optimizer;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
#[path = "no_gpu.rs"]
mod gpu;
mod marks;
#[cfg(test)]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, DispatchTensorKind, backend_extension};
use burn::tensor::{Int, Tensor};

use super::activation::Activation;
use super::conv::{Padding, Pool};
use super::optimizer::{AdamStep, SgdStep};
use super::pool::PoolKind;
use crate::muon::MuonStep;

pub use buffer::Buffer;
pub use fused_optimizer::{
    FusedAdam, FusedAdamW, FusedMuon, FusedMuonState, FusedSgd, FusedSgdState,
};
pub use gpu::{DeviceImages, FlatAdam, FlatGradient, FlatParameter, Notes};
pub use marks::{Mark, Marks, PassedMark};

/// How a conv block convolves and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvBlockOptions {
    /// Rows and columns from one position of a filter to the next.
    pub stride: [usize; 2],
    /// Zeros around an image.
    pub padding: Padding,
    /// Groups of channels and of filters: a filter sees the channels of its group. 1 for all.
    pub groups: usize,
    /// The function applied to convolution plus bias.
    pub activation: Activation,
    /// What follows it.
    pub pool: Pool,
}

/// conv2d, bias, activation and pool in one.
///
/// `x` is `[batch, channels, height, width]`, `weight` `[filters, channels of a group, kernel rows, kernel columns]`,
/// `bias` `[filters]`, the result `[batch, filters, height, width]` of the size that [`super::conv::ConvShape`] computes.
///
/// # Panics
/// The shapes do not fit together, or the groups do not divide channels and filters.
pub fn conv_block(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: &ConvBlockOptions,
) -> Tensor<4> {
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    if !has_kernels(&x.kind) {
        return Tensor::from_dispatch(composite::conv_block::<Dispatch>(x, weight, bias, *options));
    }
    if options.groups == 1 {
        let y = <Dispatch as KernelOps>::fused_conv_block(x, weight, bias, *options);
        return Tensor::from_dispatch(y);
    }
    let convolved = ConvBlockOptions { pool: Pool::None, ..*options };
    let y = <Dispatch as KernelOps>::fused_grouped_conv(x, weight, bias, convolved);
    match options.pool {
        Pool::None => Tensor::from_dispatch(y),
        Pool::Max2x2 => pool(Tensor::from_dispatch(y), &PoolOptions::MAX_2X2),
    }
}

/// `activation(x · weight + bias)` for `x` of `[batch, inputs]`, `weight` of `[inputs, units]` and `bias` of `[units]`.
///
/// # Panics
/// The shapes do not fit together.
pub fn dense(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
) -> Tensor<2> {
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(match has_kernels(&x.kind) {
        true => <Dispatch as KernelOps>::fused_dense(x, weight, bias, activation),
        false => composite::dense::<Dispatch>(x, weight, bias, activation),
    })
}

/// The loss of a batch of logits and its correct predictions, as tensors.
#[derive(Clone, Debug)]
pub struct ClassificationLoss {
    /// The mean cross-entropy over the batch in nats, `[1]`.
    pub loss: Tensor<1>,
    /// The number of rows whose largest logit is that of the label, `[1]`; it has no gradient.
    pub correct: Tensor<1>,
}

/// Softmax cross-entropy of `logits`, `[batch, classes]`, against `labels`, `[batch]`, of which the share `smoothing`
/// is spread over all classes.
///
/// # Panics
/// The shapes do not fit together. On the CPU, also if a label is not below the number of classes.
pub fn cross_entropy(
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    smoothing: f32,
) -> ClassificationLoss {
    let (logits, labels) = (logits.into_dispatch(), labels.into_dispatch());
    let (loss, correct) = match has_kernels(&logits.kind) {
        true => <Dispatch as KernelOps>::softmax_cross_entropy(logits, labels, smoothing),
        false => composite::softmax_cross_entropy::<Dispatch>(logits, labels, smoothing),
    };
    ClassificationLoss {
        loss: Tensor::from_dispatch(loss),
        correct: Tensor::from_dispatch(correct),
    }
}

/// [`cross_entropy`] of the step of an epoch on a GPU that comes next, which is noted there: it is the next no more.
///
/// # Panics
/// The shapes do not fit together.
pub fn noted_cross_entropy(
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    smoothing: f32,
    notes: &Notes,
) -> ClassificationLoss {
    let (logits, labels) = (logits.into_dispatch(), labels.into_dispatch());
    let (loss, correct) =
        <Dispatch as KernelOps>::noted_cross_entropy(logits, labels, smoothing, notes.clone());
    ClassificationLoss {
        loss: Tensor::from_dispatch(loss),
        correct: Tensor::from_dispatch(correct),
    }
}

/// What a batch normalisation adds to the variance, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormOptions {
    /// Added to the variance.
    pub epsilon: f64,
    /// Applied to what is normalised.
    pub activation: Activation,
    /// What follows the activation.
    pub pool: Pool,
}

/// Batch normalisation of `x`, `[batch, channels, height, width]`, with an activation after it, and a 2×2 max-pool after
/// that where wanted: `[batch, channels, height / 2, width / 2]`.
///
/// As [`burn::nn::BatchNorm`] itself does it: on a device with gradients it takes the batch's statistics and moves the
/// running ones, elsewhere it takes the running ones.
///
/// # Panics
/// The channels are not those of `norm`.
pub fn batch_norm(
    x: Tensor<4>,
    norm: &burn::nn::BatchNorm,
    activation: Activation,
    pool: Pool,
) -> Tensor<4> {
    let options = BatchNormOptions { epsilon: norm.epsilon, activation, pool };
    let device = x.device();
    let (gamma, beta) = (norm.gamma.val().into_dispatch(), norm.beta.val().into_dispatch());
    if !(device.is_autodiff() && norm.training.is_enabled()) {
        let mean = norm.running_mean.value().to_device(&device).into_dispatch();
        let variance = norm.running_var.value().to_device(&device).into_dispatch();
        let x = x.into_dispatch();
        let eval = match has_kernels(&x.kind) {
            true => <Dispatch as KernelOps>::fused_batch_norm_eval,
            false => composite::batch_norm_eval::<Dispatch>,
        };
        return Tensor::from_dispatch(eval(x, gamma, beta, mean, variance, options));
    }
    let x = x.into_dispatch();
    let train = match has_kernels(&x.kind) {
        true => <Dispatch as KernelOps>::fused_batch_norm_train,
        false => composite::batch_norm_train::<Dispatch>,
    };
    let (y, mean, variance) = train(x, gamma, beta, options);
    for (running, seen) in [(&norm.running_mean, mean), (&norm.running_var, variance)] {
        let kept = running.value_sync().to_device(&device).mul_scalar(1.0 - norm.momentum);
        let seen = Tensor::<1>::from_dispatch(seen).detach().mul_scalar(norm.momentum);
        running.update(kept.add(seen).detach());
        // Until then burn keeps the update to this thread: whoever reads the network in between, such
        // as a checkpoint, would find the statistics of the step before.
        running.value_sync();
    }
    Tensor::from_dispatch(y)
}

/// The windows of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolOptions {
    /// Rows and columns of a window.
    pub size: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns around an image that windows may reach into; less than a window on every side. A max-pool
    /// ignores the padding; an average-pool counts it as zeros.
    pub padding: Padding,
    /// How a window is reduced to one value.
    pub kind: PoolKind,
}

impl PoolOptions {
    /// The largest of each 2×2 square.
    const MAX_2X2: Self =
        Self { size: [2, 2], stride: [2, 2], padding: Padding::uniform(0), kind: PoolKind::Max };
}

/// Max-pool or average-pool of `x`, `[batch, channels, height, width]`.
///
/// # Panics
/// A size or stride is zero, or the padding is as much as a window.
pub fn pool(x: Tensor<4>, options: &PoolOptions) -> Tensor<4> {
    let x = x.into_dispatch();
    Tensor::from_dispatch(match has_kernels(&x.kind) {
        true => <Dispatch as KernelOps>::fused_pool(x, *options),
        false => composite::pool::<Dispatch>(x, *options),
    })
}

/// `activation(a + b)` for tensors of one shape.
///
/// # Panics
/// The shapes differ.
pub fn add(a: Tensor<4>, b: Tensor<4>, activation: Activation) -> Tensor<4> {
    let (a, b) = (a.into_dispatch(), b.into_dispatch());
    Tensor::from_dispatch(match has_kernels(&a.kind) {
        true => <Dispatch as KernelOps>::fused_add(a, b, activation),
        false => composite::add::<Dispatch>(a, b, activation),
    })
}

/// The mean of each channel of `x`, `[batch, channels, height, width]`, as `[batch, channels]`.
pub fn global_average_pool(x: Tensor<4>) -> Tensor<2> {
    let x = x.into_dispatch();
    Tensor::from_dispatch(match has_kernels(&x.kind) {
        true => <Dispatch as KernelOps>::fused_global_average_pool(x),
        false => composite::global_average_pool::<Dispatch>(x),
    })
}

/// Whether [`KernelOps`] are dispatched to the backend of a tensor. burn panics at an operation of an extension on any
/// other backend, and a program may build burn with more of them than this crate knows of; there the composites run on
/// whatever burn dispatches its own operations to.
fn has_kernels(kind: &DispatchTensorKind) -> bool {
    match kind {
        DispatchTensorKind::Flex(_) => true,
        #[cfg(feature = "ndarray")]
        DispatchTensorKind::NdArray(_) => true,
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        DispatchTensorKind::Cube(_) => true,
        DispatchTensorKind::Autodiff(inner) => has_kernels(inner),
        #[expect(unreachable_patterns, reason = "where burn has no other backend")]
        _ => false,
    }
}

/// The operations as an extension of burn's backends.
#[backend_extension(
    Autodiff,
    Flex,
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait KernelOps: Backend {
    /// See [`conv_block`].
    fn fused_conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvBlockOptions,
    ) -> FloatTensor<Self> {
        composite::conv_block::<Self>(x, weight, bias, options)
    }

    /// See [`conv_block`]; of a convolution in groups, without the pool.
    fn fused_grouped_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvBlockOptions,
    ) -> FloatTensor<Self> {
        composite::conv_block::<Self>(x, weight, bias, options)
    }

    /// See [`dense`].
    fn fused_dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        composite::dense::<Self>(x, weight, bias, activation)
    }

    /// See [`cross_entropy`]; returns the loss and the number of correct predictions.
    fn softmax_cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        smoothing: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composite::softmax_cross_entropy::<Self>(logits, labels, smoothing)
    }

    /// See [`noted_cross_entropy`]; only GPUs have something to note.
    fn noted_cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        smoothing: f32,
        _notes: Notes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        Self::softmax_cross_entropy(logits, labels, smoothing)
    }

    /// See [`batch_norm`]; returns the result and the mean and variance of the batch.
    fn fused_batch_norm_train(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composite::batch_norm_train::<Self>(x, gamma, beta, options)
    }

    /// See [`batch_norm`].
    fn fused_batch_norm_eval(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> FloatTensor<Self> {
        composite::batch_norm_eval::<Self>(x, gamma, beta, mean, variance, options)
    }

    /// See [`pool`].
    fn fused_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self> {
        composite::pool::<Self>(x, options)
    }

    /// See [`add`].
    fn fused_add(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        composite::add::<Self>(a, b, activation)
    }

    /// See [`global_average_pool`].
    fn fused_global_average_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composite::global_average_pool::<Self>(x)
    }

    /// See [`Marks::mark`].
    fn marked(x: FloatTensor<Self>, _mark: Mark) -> FloatTensor<Self> {
        x
    }

    /// A step of gradient descent without momentum; returns the parameter.
    fn sgd_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self> {
        composite::sgd_step::<Self>(parameter, gradient, None, false, step).0
    }

    /// A step of gradient descent; returns the parameter and its velocity. In the first step the velocity becomes the
    /// gradient, whatever it was.
    fn sgd_momentum_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        is_first: bool,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composite::sgd_momentum_step::<Self>(parameter, gradient, velocity, is_first, step)
    }

    /// A step of Adam or AdamW; returns the parameter and its two moments.
    fn adam_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composite::adam_step::<Self>(parameter, gradient, moment_1, moment_2, step)
    }

    /// A step of Muon for filters, `[output channels, input channels, height, width]`; returns the parameter and its
    /// velocity. In the first step the velocity becomes the gradient, whatever it was.
    fn muon_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        is_first: bool,
        step: MuonStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composite::muon_step::<Self>(parameter, gradient, velocity, is_first, step)
    }
}

#[cfg(feature = "ndarray")]
mod ndarray {
    #![expect(deprecated, reason = "burn deprecates the backend, which stays for comparison")]
    use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
    use burn::backend::{Autodiff, NdArray};

    impl super::KernelOps for NdArray {}
    impl<C: CheckpointStrategy> super::KernelOps for Autodiff<NdArray, C> {}
}
