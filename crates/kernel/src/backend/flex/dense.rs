//! The dense layer on the CPU backend's tensors.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Shape;

use super::{Keep, contiguous, tensor, values};
use crate::activation::{Activation, DerivativeOf};
use crate::backend::Buffer;
use crate::dense::Dense;
use crate::executor::Executor;

/// What the backward pass of [`dense`] needs; all of it shared, nothing copied.
#[derive(Clone, Debug)]
pub struct DenseState {
    dense: Dense,
    x: FlexTensor,
    weight: FlexTensor,
    /// The output or the pre-activation, as the activation's derivative wants.
    kept: FlexTensor,
}

pub fn dense(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    activation: Activation,
    keep: Keep,
) -> (FlexTensor, Option<DenseState>) {
    let [x, weight, bias] = [x, weight, bias].map(contiguous);
    let ([batch, inputs], [rows, units]) = (x.shape().dims(), weight.shape().dims());
    assert_eq!(inputs, rows, "the columns of the input do not match the rows of the weight");
    let dense = Dense { batch, inputs, units, activation };
    let shape = Shape::new([batch, units]);
    let mut output = Buffer::take(batch * units);
    let keeps_input =
        keep == Keep::ForBackward && activation.derivative_of() == DerivativeOf::Input;
    let mut pre = keeps_input.then(|| Buffer::take(batch * units));
    let (x_values, w_values) = (values(&x), values(&weight));
    dense.forward(
        &Executor::current(),
        x_values,
        w_values,
        Some(values(&bias)),
        &mut output,
        pre.as_deref_mut(),
    );
    let output = tensor(output, shape.clone());
    let state = (keep == Keep::ForBackward).then(|| {
        let kept = pre.map_or_else(|| output.clone(), |pre| tensor(pre, shape));
        DenseState { dense, x, weight, kept }
    });
    (output, state)
}

/// The gradients of the input (if wanted), the weight and the bias.
pub fn dense_backward(
    state: DenseState,
    d_output: FlexTensor,
    wants_input: bool,
) -> (Option<FlexTensor>, FlexTensor, FlexTensor) {
    let DenseState { dense, x, weight, kept } = state;
    let d_output = contiguous(d_output);
    let mut dx = wants_input.then(|| Buffer::take(dense.batch * dense.inputs));
    let (mut dw, mut db) = (Buffer::take(dense.inputs * dense.units), Buffer::take(dense.units));
    dense.backward(
        &Executor::current(),
        values(&x),
        values(&weight),
        values(&kept),
        values(&d_output),
        dx.as_deref_mut(),
        &mut dw,
        Some(&mut db),
    );
    let bias_shape = Shape::new([dense.units]);
    (dx.map(|dx| tensor(dx, x.shape())), tensor(dw, weight.shape()), tensor(db, bias_shape))
}
