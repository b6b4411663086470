//! The sum with an activation on the CPU backend's tensors.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::{Keep, contiguous, tensor, values};
use crate::activation::{Activation, DerivativeOf};
use crate::backend::Buffer;
use crate::executor::Executor;
use crate::sum;

/// What the backward pass of [`add`] needs: the output or the pre-activation, as the activation's
/// derivative wants.
#[derive(Clone, Debug)]
pub struct SumState {
    activation: Activation,
    kept: FlexTensor,
}

pub fn add(
    a: FlexTensor,
    b: FlexTensor,
    activation: Activation,
    keep: Keep,
) -> (FlexTensor, Option<SumState>) {
    let [a, b] = [a, b].map(contiguous);
    let shape = a.shape();
    assert_eq!(shape, b.shape(), "the terms of a sum differ in shape");
    let mut y = Buffer::take(shape.num_elements());
    let keeps_input =
        keep == Keep::ForBackward && activation.derivative_of() == DerivativeOf::Input;
    let mut pre = keeps_input.then(|| Buffer::take(shape.num_elements()));
    let executor = Executor::current();
    sum::add(&executor, activation, values(&a), values(&b), &mut y, pre.as_deref_mut());
    let y = tensor(y, shape.clone());
    let state = (keep == Keep::ForBackward).then(|| {
        let kept = pre.map_or_else(|| y.clone(), |pre| tensor(pre, shape));
        SumState { activation, kept }
    });
    (y, state)
}

/// The gradient of either term.
pub fn add_backward(state: SumState, dy: FlexTensor) -> FlexTensor {
    let SumState { activation, kept } = state;
    if activation == Activation::Linear {
        return dy;
    }
    let dy = contiguous(dy);
    let mut dx = Buffer::take(values(&dy).len());
    sum::gradient(&Executor::current(), activation, values(&kept), values(&dy), &mut dx);
    tensor(dx, kept.shape())
}
