//! The fused operations on burn's CPU backend, forward and backward, on its tensors.
//!
//! They take single precision; tensors of another type use the composed operations, as every other backend does.

mod batch_norm;
mod conv;
mod dense;
mod loss;
mod pool;
mod sum;

use burn::backend::Flex;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{DType, Shape};

use super::buffer::Buffer;
use super::{BatchNormOptions, ConvBlockOptions, KernelOps, PoolOptions, composite};
use crate::activation::Activation;
use crate::executor::Executor;
use crate::muon::MuonStep;
use crate::optimizer::{AdamStep, SgdStep, Velocity};

pub use batch_norm::{BatchNormState, batch_norm, batch_norm_backward, batch_norm_eval};
pub use conv::{
    ConvState, GroupedState, conv_block, conv_block_backward, grouped_conv, grouped_conv_backward,
};
pub use dense::{DenseState, dense, dense_backward};
pub use loss::{scaled, softmax_cross_entropy};
pub use pool::{
    PoolState, global_average_pool, global_average_pool_backward, pool_backward, pooled,
};
pub use sum::{SumState, add, add_backward};

impl KernelOps for Flex {
    fn fused_conv_block(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: ConvBlockOptions,
    ) -> FlexTensor {
        if all_f32([&x, &weight, &bias]) {
            conv_block(x, weight, bias, options, Keep::Nothing).0
        } else {
            composite::conv_block::<Self>(x, weight, bias, options)
        }
    }

    fn fused_grouped_conv(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: ConvBlockOptions,
    ) -> FlexTensor {
        if all_f32([&x, &weight, &bias]) {
            grouped_conv(x, weight, bias, options, Keep::Nothing).0
        } else {
            composite::conv_block::<Self>(x, weight, bias, options)
        }
    }

    fn fused_dense(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        activation: Activation,
    ) -> FlexTensor {
        if all_f32([&x, &weight, &bias]) {
            dense(x, weight, bias, activation, Keep::Nothing).0
        } else {
            composite::dense::<Self>(x, weight, bias, activation)
        }
    }

    fn softmax_cross_entropy(
        logits: FlexTensor,
        labels: FlexTensor,
        smoothing: f32,
    ) -> (FlexTensor, FlexTensor) {
        if all_f32([&logits]) {
            let (loss, correct, _) =
                softmax_cross_entropy(logits, labels, smoothing, Keep::Nothing);
            (loss, correct)
        } else {
            composite::softmax_cross_entropy::<Self>(logits, labels, smoothing)
        }
    }

    fn fused_batch_norm_train(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        options: BatchNormOptions,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if all_f32([&x, &gamma, &beta]) {
            let (y, state) = batch_norm(x, gamma, beta, options);
            (y, state.mean, state.variance)
        } else {
            composite::batch_norm_train::<Self>(x, gamma, beta, options)
        }
    }

    fn fused_batch_norm_eval(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        options: BatchNormOptions,
    ) -> FlexTensor {
        if !all_f32([&x, &gamma, &beta, &mean, &variance]) {
            return composite::batch_norm_eval::<Self>(x, gamma, beta, mean, variance, options);
        }
        batch_norm_eval(x, gamma, beta, mean, variance, options)
    }

    fn fused_pool(x: FlexTensor, options: PoolOptions) -> FlexTensor {
        if all_f32([&x]) { pooled(x, options).0 } else { composite::pool::<Self>(x, options) }
    }

    fn fused_add(a: FlexTensor, b: FlexTensor, activation: Activation) -> FlexTensor {
        if all_f32([&a, &b]) {
            add(a, b, activation, Keep::Nothing).0
        } else {
            composite::add::<Self>(a, b, activation)
        }
    }

    fn fused_global_average_pool(x: FlexTensor) -> FlexTensor {
        if all_f32([&x]) {
            global_average_pool(x)
        } else {
            composite::global_average_pool::<Self>(x)
        }
    }

    fn sgd_step(mut parameter: FlexTensor, gradient: FlexTensor, step: SgdStep) -> FlexTensor {
        if !all_f32([&parameter, &gradient]) {
            return composite::sgd_step::<Self>(parameter, gradient, None, false, step).0;
        }
        let gradient = contiguous(gradient);
        parameter = own(parameter);
        step.apply(
            &Executor::current(),
            parameter.storage_mut(),
            values(&gradient),
            Velocity::None,
        );
        parameter
    }

    fn sgd_momentum_step(
        parameter: FlexTensor,
        gradient: FlexTensor,
        velocity: FlexTensor,
        is_first: bool,
        step: SgdStep,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32([&parameter, &gradient, &velocity]) {
            return composite::sgd_momentum_step::<Self>(
                parameter, gradient, velocity, is_first, step,
            );
        }
        let gradient = contiguous(gradient);
        let (mut parameter, mut velocity) = (own(parameter), own(velocity));
        let state = if is_first { Velocity::First } else { Velocity::Next }(velocity.storage_mut());
        step.apply(&Executor::current(), parameter.storage_mut(), values(&gradient), state);
        (parameter, velocity)
    }

    fn muon_step(
        parameter: FlexTensor,
        gradient: FlexTensor,
        velocity: FlexTensor,
        is_first: bool,
        step: MuonStep,
    ) -> (FlexTensor, FlexTensor) {
        if !all_f32([&parameter, &gradient, &velocity]) {
            return composite::muon_step::<Self>(parameter, gradient, velocity, is_first, step);
        }
        let gradient = contiguous(gradient);
        let (mut parameter, mut velocity) = (own(parameter), own(velocity));
        let rows = parameter.layout().shape()[0];
        step.apply(
            &Executor::current(),
            parameter.storage_mut(),
            values(&gradient),
            velocity.storage_mut(),
            rows,
            is_first,
        );
        (parameter, velocity)
    }

    fn adam_step(
        parameter: FlexTensor,
        gradient: FlexTensor,
        moment_1: FlexTensor,
        moment_2: FlexTensor,
        step: AdamStep,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !all_f32([&parameter, &gradient, &moment_1, &moment_2]) {
            return composite::adam_step::<Self>(parameter, gradient, moment_1, moment_2, step);
        }
        let gradient = contiguous(gradient);
        let (mut parameter, mut moment_1, mut moment_2) =
            (own(parameter), own(moment_1), own(moment_2));
        let moments = (moment_1.storage_mut(), moment_2.storage_mut());
        step.apply(
            &Executor::current(),
            parameter.storage_mut(),
            values(&gradient),
            moments.0,
            moments.1,
        );
        (parameter, moment_1, moment_2)
    }
}

/// Whether a forward pass keeps what the backward pass needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    ForBackward,
}

pub fn all_f32<const N: usize>(tensors: [&FlexTensor; N]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

/// The same values in row-major order, without a copy if they are so already.
fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().contiguous_offsets().is_some() { tensor } else { tensor.to_contiguous() }
}

/// The same values, as all of a buffer.
fn own(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous()
        && tensor.bytes().len() == tensor.layout().num_elements() * size_of::<f32>()
    {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// The values of a contiguous tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    let (start, end) = tensor.layout().contiguous_offsets().unwrap_or((0, 0));
    &tensor.storage::<f32>()[start..end]
}

fn tensor(values: Buffer, shape: Shape) -> FlexTensor {
    FlexTensor::new(values.into_bytes(), Layout::contiguous(shape), DType::F32)
}
