//! Pools on the CPU backend's tensors.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Shape;

use super::{contiguous, tensor, values};
use crate::backend::{Buffer, PoolOptions};
use crate::executor::Executor;
use crate::pool::{self, PoolShape};

/// What the backward pass of [`pooled`] needs; all of it shared, nothing copied.
#[derive(Clone, Debug)]
pub struct PoolState {
    shape: PoolShape,
    x: FlexTensor,
    y: FlexTensor,
}

pub fn pooled(x: FlexTensor, options: PoolOptions) -> (FlexTensor, PoolState) {
    let x = contiguous(x);
    let [batch, channels, height, width] = x.shape().dims();
    let PoolOptions { size, stride, padding, kind } = options;
    let shape = PoolShape { planes: batch * channels, height, width, size, stride, padding, kind };
    let [rows, columns] = shape.output_size();
    let mut y = Buffer::take(shape.planes * rows * columns);
    shape.forward(&Executor::current(), values(&x), &mut y);
    let y = tensor(y, Shape::new([batch, channels, rows, columns]));
    (y.clone(), PoolState { shape, x, y })
}

pub fn pool_backward(state: PoolState, dy: FlexTensor) -> FlexTensor {
    let PoolState { shape, x, y } = state;
    let dy = contiguous(dy);
    let mut dx = Buffer::take(values(&x).len());
    shape.backward(&Executor::current(), values(&x), values(&y), values(&dy), &mut dx);
    tensor(dx, x.shape())
}

pub fn global_average_pool(x: FlexTensor) -> FlexTensor {
    let x = contiguous(x);
    let shape = x.shape();
    let mut y = Buffer::take(shape[0] * shape[1]);
    pool::global_average(&Executor::current(), values(&x), &mut y);
    tensor(y, Shape::new([shape[0], shape[1]]))
}

/// `shape` is that of the input.
pub fn global_average_pool_backward(shape: [usize; 4], dy: FlexTensor) -> FlexTensor {
    let mut dx = Buffer::take(shape.iter().product());
    pool::global_average_backward(&Executor::current(), values(&contiguous(dy)), &mut dx);
    tensor(dx, Shape::new(shape))
}
