//! Batch normalisation on the CPU backend's tensors.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Shape;

use super::{contiguous, tensor, values};
use crate::backend::{BatchNormOptions, Buffer};
use crate::batch_norm::{BatchNorm, BatchNormGradients, Statistics};
use crate::executor::Executor;

/// What the backward pass of [`batch_norm`] needs; all of it shared, nothing copied.
#[derive(Clone, Debug)]
pub struct BatchNormState {
    norm: BatchNorm,
    x: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    pub mean: FlexTensor,
    pub variance: FlexTensor,
}

pub fn batch_norm(
    x: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    options: BatchNormOptions,
) -> (FlexTensor, BatchNormState) {
    let [x, gamma, beta] = [x, gamma, beta].map(contiguous);
    let (norm, channels) = (norm_of(&x, options), gamma.shape().num_elements());
    let shape = norm_output_shape(&norm);
    let mut y = Buffer::take(shape.num_elements());
    let (mut mean, mut variance) = (Buffer::take(channels), Buffer::take(channels));
    let (executor, xs, gammas, betas) =
        (&Executor::current(), values(&x), values(&gamma), values(&beta));
    norm.forward_train(executor, xs, gammas, betas, &mut y, &mut mean, &mut variance);
    let (mean, variance) = (tensor(mean, gamma.shape()), tensor(variance, gamma.shape()));
    (tensor(y, shape), BatchNormState { norm, x, gamma, beta, mean, variance })
}

pub fn batch_norm_eval(
    x: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    mean: FlexTensor,
    variance: FlexTensor,
    options: BatchNormOptions,
) -> FlexTensor {
    let [x, gamma, beta, mean, variance] = [x, gamma, beta, mean, variance].map(contiguous);
    let norm = norm_of(&x, options);
    let shape = norm_output_shape(&norm);
    let mut y = Buffer::take(shape.num_elements());
    let known = Statistics { mean: values(&mean), variance: values(&variance) };
    let (x, gamma, beta) = (values(&x), values(&gamma), values(&beta));
    norm.forward_eval(&Executor::current(), x, gamma, beta, known, &mut y);
    tensor(y, shape)
}

/// The gradients of the input, gamma and beta.
pub fn batch_norm_backward(
    state: BatchNormState,
    dy: FlexTensor,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let BatchNormState { norm, x, gamma, beta, mean, variance } = state;
    let dy = contiguous(dy);
    let channels = gamma.shape().num_elements();
    let mut dx = Buffer::take(values(&x).len());
    let (mut d_gamma, mut d_beta) = (Buffer::take(channels), Buffer::take(channels));
    let (executor, xs, gammas, betas) =
        (&Executor::current(), values(&x), values(&gamma), values(&beta));
    let statistics = Statistics { mean: values(&mean), variance: values(&variance) };
    let gradients = BatchNormGradients { x: &mut dx, gamma: &mut d_gamma, beta: &mut d_beta };
    norm.backward(executor, xs, gammas, betas, statistics, values(&dy), gradients);
    (tensor(dx, x.shape()), tensor(d_gamma, gamma.shape()), tensor(d_beta, beta.shape()))
}

fn norm_of(x: &FlexTensor, options: BatchNormOptions) -> BatchNorm {
    let [batch, channels, height, width] = x.shape().dims();
    let BatchNormOptions { epsilon, activation, pool } = options;
    BatchNorm { batch, channels, height, width, epsilon: epsilon as f32, activation, pool }
}

fn norm_output_shape(norm: &BatchNorm) -> Shape {
    let [height, width] = norm.output_size();
    Shape::new([norm.batch, norm.channels, height, width])
}
