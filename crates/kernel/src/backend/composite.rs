//! The operations composed of burn's own, for backends without fused kernels.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Scalar, TensorMetadata};
use burn::tensor::Shape;
use burn::tensor::ops::{ConvOptions, PadMode};

use super::{BatchNormOptions, ConvBlockOptions, PoolOptions};
use crate::activation::Activation;
use crate::conv::{Padding, Pool};
use crate::muon::{self, MuonStep};
use crate::optimizer::{AdamStep, SgdStep, WeightDecay};
use crate::pool::PoolKind;

pub fn conv_block<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    options: ConvBlockOptions,
) -> FloatTensor<B> {
    let ConvBlockOptions { stride, padding, groups, activation: function, pool } = options;
    let padding = [(padding.top, padding.bottom), (padding.left, padding.right)];
    let options = ConvOptions::new_with_padding(stride, padding, [1, 1], groups);
    let convolved = B::conv2d(x, weight, Some(bias), options);
    block_end::<B>(convolved, function, pool)
}

/// The activation of a block and its pool.
fn block_end<B: Backend>(x: FloatTensor<B>, function: Activation, pool: Pool) -> FloatTensor<B> {
    let activated = activation::<B>(x, function);
    match pool {
        Pool::None => activated,
        Pool::Max2x2 => B::max_pool2d(activated, [2, 2], [2, 2], [0, 0], [1, 1], false),
    }
}

pub fn batch_norm_train<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    options: BatchNormOptions,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let found = B::batch_norm_train(x, gamma, beta, options.epsilon);
    (block_end::<B>(found.output, options.activation, options.pool), found.mean, found.variance)
}

pub fn batch_norm_eval<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    options: BatchNormOptions,
) -> FloatTensor<B> {
    let normalised = B::batch_norm(x, gamma, beta, mean, variance, options.epsilon);
    block_end::<B>(normalised, options.activation, options.pool)
}

pub fn dense<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    function: Activation,
) -> FloatTensor<B> {
    let units = bias.shape().num_elements();
    let bias = B::float_reshape(bias, Shape::new([1, units]));
    activation::<B>(B::float_add(B::float_matmul(x, weight), bias), function)
}

pub fn activation<B: Backend>(x: FloatTensor<B>, function: Activation) -> FloatTensor<B> {
    match function {
        Activation::Linear => x,
        Activation::Relu => B::relu(x),
        Activation::LeakyRelu => B::leaky_relu(x, scalar(Activation::LEAKY_SLOPE)),
        Activation::Gelu => B::gelu(x),
        Activation::Silu => B::float_mul(x.clone(), B::sigmoid(x)),
        Activation::Tanh => B::float_tanh(x),
        Activation::Sigmoid => B::sigmoid(x),
    }
}

pub fn softmax_cross_entropy<B: Backend>(
    logits: FloatTensor<B>,
    labels: IntTensor<B>,
    smoothing: f32,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let shape = logits.shape();
    let (batch, classes) = (shape[0], shape[1]);
    let labels = B::int_reshape(labels, Shape::new([batch, 1]));
    let largest = B::float_argmax(logits.clone(), 1, labels.dtype().into());
    // Counted without booleans, which backends store in different ways.
    let distance = B::int_abs(B::int_sub(largest, labels.clone()));
    let distance = B::int_into_float(distance, logits.dtype().into());
    let misses = B::float_sum(B::float_clamp_max(distance, scalar(1.0)));
    let hits = B::float_add_scalar(B::float_mul_scalar(misses, scalar(-1.0)), scalar(batch as f64));
    let log_softmax = B::log_softmax(logits, 1);
    let hard = B::float_mean(B::float_gather(1, log_softmax.clone(), labels));
    let soft =
        B::float_mul_scalar(B::float_sum(log_softmax), scalar(1.0 / (batch * classes) as f64));
    let hard = B::float_mul_scalar(hard, scalar(smoothing - 1.0));
    let loss = B::float_sub(hard, B::float_mul_scalar(soft, scalar(smoothing)));
    (loss, hits)
}

pub fn pool<B: Backend>(x: FloatTensor<B>, options: PoolOptions) -> FloatTensor<B> {
    let PoolOptions { size, stride, padding, kind } = options;
    let Padding { top, left, bottom, right } = padding;
    // burn's pools pad both sides alike, by half a window at most.
    let is_burns = top == bottom && left == right && 2 * top <= size[0] && 2 * left <= size[1];
    let (x, padding) = if is_burns {
        (x, [top, left])
    } else {
        let filler = match kind {
            PoolKind::Max => f32::NEG_INFINITY,
            PoolKind::Average => 0.0,
        };
        let pads = [(0, 0), (0, 0), (top, bottom), (left, right)];
        (B::float_pad(x, &pads, PadMode::Constant(filler)), [0, 0])
    };
    match kind {
        PoolKind::Max => B::max_pool2d(x, size, stride, padding, [1, 1], false),
        PoolKind::Average => B::avg_pool2d(x, size, stride, padding, true, false),
    }
}

pub fn add<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    function: Activation,
) -> FloatTensor<B> {
    activation::<B>(B::float_add(a, b), function)
}

pub fn global_average_pool<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let [batch, channels, height, width] = x.shape().dims();
    let planes = B::float_reshape(x, Shape::new([batch, channels, height * width]));
    B::float_reshape(B::float_mean_dim(planes, 2), Shape::new([batch, channels]))
}

pub fn sgd_step<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    velocity: Option<FloatTensor<B>>,
    is_first: bool,
    step: SgdStep,
) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
    let mut direction = match step.weight_decay {
        Some(decay) => {
            B::float_add(B::float_mul_scalar(parameter.clone(), scalar(decay)), gradient)
        }
        None => gradient,
    };
    let velocity = velocity.map(|velocity| {
        if is_first {
            return direction.clone();
        }
        let taken_up = B::float_mul_scalar(direction.clone(), scalar(1.0 - step.dampening));
        B::float_add(taken_up, B::float_mul_scalar(velocity, scalar(step.momentum)))
    });
    if let Some(velocity) = velocity.clone() {
        direction = if step.nesterov {
            B::float_add(B::float_mul_scalar(velocity, scalar(step.momentum)), direction)
        } else {
            velocity
        };
    }
    let delta = B::float_mul_scalar(direction, scalar(step.learning_rate));
    (B::float_sub(parameter, delta), velocity)
}

/// Of [`sgd_step`], with a velocity that is there.
pub fn sgd_momentum_step<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    velocity: FloatTensor<B>,
    is_first: bool,
    step: SgdStep,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let fallback = gradient.clone();
    let (parameter, velocity) = sgd_step::<B>(parameter, gradient, Some(velocity), is_first, step);
    (parameter, velocity.unwrap_or(fallback))
}

pub fn adam_step<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    moment_1: FloatTensor<B>,
    moment_2: FloatTensor<B>,
    step: AdamStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let AdamStep { learning_rate, beta_1, beta_2, epsilon, time, decay } = step;
    let gradient = match decay {
        WeightDecay::Gradient(factor) => {
            B::float_add(B::float_mul_scalar(parameter.clone(), scalar(factor)), gradient)
        }
        WeightDecay::None | WeightDecay::Decoupled(_) => gradient,
    };
    let square = B::float_mul(gradient.clone(), gradient.clone());
    let fresh_1 = B::float_mul_scalar(gradient, scalar(1.0 - beta_1));
    let fresh_2 = B::float_mul_scalar(square, scalar(1.0 - beta_2));
    let (moment_1, moment_2) = if time == 1 {
        (fresh_1, fresh_2)
    } else {
        let kept_1 = B::float_mul_scalar(moment_1, scalar(beta_1));
        let kept_2 = B::float_mul_scalar(moment_2, scalar(beta_2));
        (B::float_add(kept_1, fresh_1), B::float_add(kept_2, fresh_2))
    };
    let power = i32::try_from(time).unwrap_or(i32::MAX);
    let (bias_1, bias_2) = (1.0 - beta_1.powi(power), 1.0 - beta_2.powi(power));
    let (parameter, delta) = if let WeightDecay::Decoupled(rate) = decay {
        let corrected_1 = B::float_div_scalar(moment_1.clone(), scalar(bias_1));
        let corrected_2 = B::float_div_scalar(moment_2.clone(), scalar(bias_2));
        let divisor = B::float_add_scalar(B::float_sqrt(corrected_2), scalar(epsilon));
        let rate = learning_rate * f64::from(rate);
        let kept = if rate == 0.0 {
            parameter
        } else {
            B::float_mul_scalar(parameter, scalar(1.0 - rate))
        };
        (kept, B::float_div(corrected_1, divisor))
    } else {
        let corrected_1 = B::float_mul_scalar(moment_1.clone(), scalar(bias_2.sqrt() / bias_1));
        let divisor =
            B::float_add_scalar(B::float_sqrt(moment_2.clone()), scalar(epsilon * bias_2.sqrt()));
        (parameter, B::float_div(corrected_1, divisor))
    };
    (B::float_sub(parameter, B::float_mul_scalar(delta, scalar(learning_rate))), moment_1, moment_2)
}

/// As [`MuonStep`] does it, with the iteration as it is published.
pub fn muon_step<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    velocity: FloatTensor<B>,
    is_first: bool,
    step: MuonStep,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let velocity = match is_first {
        true => gradient.clone(),
        false => {
            B::float_add(gradient.clone(), B::float_mul_scalar(velocity, scalar(step.momentum)))
        }
    };
    let direction =
        B::float_add(gradient, B::float_mul_scalar(velocity.clone(), scalar(step.momentum)));
    let shape = direction.shape();
    let rows = shape[0];
    let columns = shape.num_elements() / rows;
    let matrix = B::float_reshape(direction, Shape::from([rows, columns]));
    let matrix = orthogonal::<B>(matrix, rows, columns);
    let rate = step.learning_rate * muon::scale(rows, columns);
    let kept = 1.0 - step.learning_rate * f64::from(step.weight_decay);
    let delta = B::float_mul_scalar(B::float_reshape(matrix, shape), scalar(rate));
    (B::float_sub(B::float_mul_scalar(parameter, scalar(kept)), delta), velocity)
}

/// The matrix, `[rows, columns]`, with singular values near one.
fn orthogonal<B: Backend>(matrix: FloatTensor<B>, rows: usize, columns: usize) -> FloatTensor<B> {
    let is_tall = rows > columns;
    let transposed = |matrix| B::float_swap_dims(matrix, 0, 1);
    let mut x = if is_tall { transposed(matrix) } else { matrix };
    let squares = B::float_sum(B::float_mul(x.clone(), x.clone()));
    let norm = B::float_add_scalar(B::float_sqrt(squares), scalar(muon::EPSILON));
    let norm = B::float_reshape(norm, Shape::from([1, 1]));
    x = B::float_div(x.clone(), B::float_expand(norm, x.shape()));
    let [first, second, third] = muon::COEFFICIENTS;
    for _ in 0..muon::ITERATIONS {
        let gram = B::float_matmul(x.clone(), transposed(x.clone()));
        let square = B::float_matmul(gram.clone(), gram.clone());
        let factor = B::float_add(
            B::float_mul_scalar(gram, scalar(second)),
            B::float_mul_scalar(square, scalar(third)),
        );
        let step = B::float_matmul(factor, x.clone());
        x = B::float_add(B::float_mul_scalar(x, scalar(first)), step);
    }
    if is_tall { transposed(x) } else { x }
}

fn scalar(value: impl Into<f64>) -> Scalar {
    Scalar::Float(value.into())
}
