//! The fused operations on burn's CPU backend, forward and backward, on its tensors.
//!
//! They take single precision; tensors of another kind go the way of every other backend.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape};

use super::buffer::Buffer;
use super::{BatchNormOptions, ConvBlockOptions, KernelOps, PoolOptions, composite};
use crate::kernel::activation::{Activation, DerivativeOf};
use crate::kernel::batch_norm::{BatchNorm, BatchNormGradients, Statistics};
use crate::kernel::batch_norm_pool::BatchNormPool;
use crate::kernel::conv::{ConvBlock, ConvGradients, ConvShape, Pool, Saved};
use crate::kernel::dense::Dense;
use crate::kernel::executor::Executor;
use crate::kernel::loss::CrossEntropy;
use crate::kernel::optimizer::{AdamStep, SgdStep, Velocity};
use crate::kernel::pool::{self, PoolShape};

impl KernelOps for Flex {
    fn fused_conv_block(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: ConvBlockOptions,
    ) -> FlexTensor {
        if are_single([&x, &weight, &bias]) {
            conv_block(x, weight, bias, options, Keep::Nothing).0
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
        if are_single([&x, &weight, &bias]) {
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
        if are_single([&logits]) {
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
        if are_single([&x, &gamma, &beta]) {
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
        if !are_single([&x, &gamma, &beta, &mean, &variance]) {
            return composite::batch_norm_eval::<Self>(x, gamma, beta, mean, variance, options);
        }
        let [x, gamma, beta, mean, variance] = [x, gamma, beta, mean, variance].map(contiguous);
        let norm = Norm::new(&x, options);
        let shape = norm.output_shape(&x);
        let mut y = Buffer::take(shape.num_elements());
        let (x, gamma, beta) = (values(&x), values(&gamma), values(&beta));
        let known = Statistics { mean: values(&mean), variance: values(&variance) };
        match norm {
            Norm::Plain(norm) => {
                norm.forward_eval(Executor::global(), x, gamma, beta, known, &mut y)
            }
            Norm::Pooled(norm) => {
                norm.forward_eval(Executor::global(), x, gamma, beta, known, &mut y)
            }
        }
        tensor(y, shape)
    }

    fn fused_pool(x: FlexTensor, options: PoolOptions) -> FlexTensor {
        if are_single([&x]) { pooled(x, options).0 } else { composite::pool::<Self>(x, options) }
    }

    fn fused_global_average_pool(x: FlexTensor) -> FlexTensor {
        if are_single([&x]) {
            global_average_pool(x)
        } else {
            composite::global_average_pool::<Self>(x)
        }
    }

    fn sgd_step(mut parameter: FlexTensor, gradient: FlexTensor, step: SgdStep) -> FlexTensor {
        if !are_single([&parameter, &gradient]) {
            return composite::sgd_step::<Self>(parameter, gradient, None, false, step).0;
        }
        let gradient = contiguous(gradient);
        parameter = own(parameter);
        step.apply(Executor::global(), parameter.storage_mut(), values(&gradient), Velocity::None);
        parameter
    }

    fn sgd_momentum_step(
        parameter: FlexTensor,
        gradient: FlexTensor,
        velocity: FlexTensor,
        is_first: bool,
        step: SgdStep,
    ) -> (FlexTensor, FlexTensor) {
        if !are_single([&parameter, &gradient, &velocity]) {
            let fallback = gradient.clone();
            let (parameter, velocity) =
                composite::sgd_step::<Self>(parameter, gradient, Some(velocity), is_first, step);
            return (parameter, velocity.unwrap_or(fallback));
        }
        let gradient = contiguous(gradient);
        let (mut parameter, mut velocity) = (own(parameter), own(velocity));
        let state = if is_first { Velocity::First } else { Velocity::Next }(velocity.storage_mut());
        step.apply(Executor::global(), parameter.storage_mut(), values(&gradient), state);
        (parameter, velocity)
    }

    fn adam_step(
        parameter: FlexTensor,
        gradient: FlexTensor,
        moment_1: FlexTensor,
        moment_2: FlexTensor,
        step: AdamStep,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        if !are_single([&parameter, &gradient, &moment_1, &moment_2]) {
            return composite::adam_step::<Self>(parameter, gradient, moment_1, moment_2, step);
        }
        let gradient = contiguous(gradient);
        let (mut parameter, mut moment_1, mut moment_2) =
            (own(parameter), own(moment_1), own(moment_2));
        let moments = (moment_1.storage_mut(), moment_2.storage_mut());
        step.apply(
            Executor::global(),
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

/// What the backward pass of [`conv_block`] needs; all of it shared, nothing copied.
#[derive(Clone, Debug)]
pub struct ConvState {
    block: Arc<ConvBlock>,
    x: FlexTensor,
    weight: FlexTensor,
    output: FlexTensor,
    saved: Arc<ReusedSaved>,
}

pub fn conv_block(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    options: ConvBlockOptions,
    keep: Keep,
) -> (FlexTensor, Option<ConvState>) {
    let [x, weight, bias] = [x, weight, bias].map(contiguous);
    let ([batch, in_channels, height, width], [filters, channels, rows, columns]) =
        (x.shape().dims(), weight.shape().dims());
    assert_eq!(in_channels, channels, "channels of the images and of the filters");
    let block = block_of(ConvShape {
        in_channels,
        height,
        width,
        filters,
        kernel: [rows, columns],
        stride: options.stride,
        padding: options.padding,
        activation: options.activation,
        pool: options.pool,
    });
    let mut output = Buffer::take(batch * block.shape().output_len());
    let mut saved = (keep == Keep::ForBackward).then(ReusedSaved::take);
    block.forward(
        Executor::global(),
        batch,
        values(&x),
        values(&weight),
        values(&bias),
        &mut output,
        saved.as_deref_mut(),
    );
    let [channels, height, width] = block.shape().output_shape();
    let output = tensor(output, Shape::new([batch, channels, height, width]));
    let state = saved.map(|saved| ConvState {
        block,
        x,
        weight,
        output: output.clone(),
        saved: Arc::new(saved),
    });
    (output, state)
}

/// What a conv block keeps, in memory that the next one uses again.
#[derive(Debug)]
struct ReusedSaved(Saved);

static UNUSED_SAVED: Mutex<Vec<Saved>> = Mutex::new(Vec::new());

impl ReusedSaved {
    fn take() -> Self {
        Self(UNUSED_SAVED.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default())
    }
}

impl Drop for ReusedSaved {
    fn drop(&mut self) {
        /// As many as a network has conv blocks, or nearly.
        const UNUSED_MAX: usize = 16;
        let mut unused = UNUSED_SAVED.lock().unwrap_or_else(PoisonError::into_inner);
        if unused.len() < UNUSED_MAX {
            unused.push(std::mem::take(&mut self.0));
        }
    }
}

impl Deref for ReusedSaved {
    type Target = Saved;

    fn deref(&self) -> &Saved {
        &self.0
    }
}

impl DerefMut for ReusedSaved {
    fn deref_mut(&mut self) -> &mut Saved {
        &mut self.0
    }
}

/// The gradients of the input (if wanted), the weight and the bias.
pub fn conv_block_backward(
    state: ConvState,
    d_output: FlexTensor,
    wants_input: bool,
) -> (Option<FlexTensor>, FlexTensor, FlexTensor) {
    let ConvState { block, x, weight, output, saved } = state;
    let d_output = contiguous(d_output);
    let batch = x.shape()[0];
    let mut dx = wants_input.then(|| Buffer::take(values(&x).len()));
    let mut dw = Buffer::take(values(&weight).len());
    let mut db = Buffer::take(block.shape().filters);
    let gradients = ConvGradients { images: dx.as_deref_mut(), weight: &mut dw, bias: &mut db };
    let (x_values, w_values) = (values(&x), values(&weight));
    block.backward(
        Executor::global(),
        batch,
        x_values,
        w_values,
        &saved,
        values(&output),
        values(&d_output),
        gradients,
    );
    let bias_shape = Shape::new([db.len()]);
    (dx.map(|dx| tensor(dx, x.shape())), tensor(dw, weight.shape()), tensor(db, bias_shape))
}

/// The block for `shape`, with its tables; they are kept for later passes.
fn block_of(shape: ConvShape) -> Arc<ConvBlock> {
    /// Far more than a network has layers; a process that goes through many networks starts afresh beyond it.
    const BLOCKS_MAX: usize = 64;
    static BLOCKS: LazyLock<Mutex<HashMap<ConvShape, Arc<ConvBlock>>>> =
        LazyLock::new(Mutex::default);
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    if blocks.len() >= BLOCKS_MAX && !blocks.contains_key(&shape) {
        blocks.clear();
    }
    Arc::clone(blocks.entry(shape).or_insert_with(|| Arc::new(ConvBlock::new(shape))))
}

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
    assert_eq!(inputs, rows, "columns of the input and rows of the weight");
    let dense = Dense { batch, inputs, units, activation };
    let shape = Shape::new([batch, units]);
    let mut output = Buffer::take(batch * units);
    let keeps_input =
        keep == Keep::ForBackward && activation.derivative_of() == DerivativeOf::Input;
    let mut pre = keeps_input.then(|| Buffer::take(batch * units));
    let (x_values, w_values) = (values(&x), values(&weight));
    dense.forward(
        Executor::global(),
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
        Executor::global(),
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

/// A batch normalisation with or without a pool.
#[derive(Clone, Copy, Debug)]
enum Norm {
    Plain(BatchNorm),
    Pooled(BatchNormPool),
}

impl Norm {
    fn new(x: &FlexTensor, options: BatchNormOptions) -> Self {
        let [batch, channels, height, width] = x.shape().dims();
        let (epsilon, activation) = (options.epsilon as f32, options.activation);
        match options.pool {
            Pool::None => Self::Plain(BatchNorm {
                batch,
                channels,
                positions: height * width,
                epsilon,
                activation,
            }),
            Pool::Max2x2 => {
                Self::Pooled(BatchNormPool { batch, channels, height, width, epsilon, activation })
            }
        }
    }

    fn output_shape(&self, x: &FlexTensor) -> Shape {
        match self {
            Self::Plain(_) => x.shape(),
            Self::Pooled(norm) => {
                let [height, width] = norm.output_size();
                Shape::new([norm.batch, norm.channels, height, width])
            }
        }
    }
}

/// What the backward pass of [`batch_norm`] needs; all of it shared, nothing copied.
#[derive(Clone, Debug)]
pub struct BatchNormState {
    norm: Norm,
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
    let (norm, channels) = (Norm::new(&x, options), gamma.shape().num_elements());
    let shape = norm.output_shape(&x);
    let mut y = Buffer::take(shape.num_elements());
    let (mut mean, mut variance) = (Buffer::take(channels), Buffer::take(channels));
    let (executor, xs, gammas, betas) =
        (Executor::global(), values(&x), values(&gamma), values(&beta));
    match norm {
        Norm::Plain(norm) => {
            norm.forward_train(executor, xs, gammas, betas, &mut y, &mut mean, &mut variance)
        }
        Norm::Pooled(norm) => {
            norm.forward_train(executor, xs, gammas, betas, &mut y, &mut mean, &mut variance)
        }
    }
    let (mean, variance) = (tensor(mean, gamma.shape()), tensor(variance, gamma.shape()));
    (tensor(y, shape), BatchNormState { norm, x, gamma, beta, mean, variance })
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
        (Executor::global(), values(&x), values(&gamma), values(&beta));
    let statistics = Statistics { mean: values(&mean), variance: values(&variance) };
    let gradients = BatchNormGradients { x: &mut dx, gamma: &mut d_gamma, beta: &mut d_beta };
    match norm {
        Norm::Plain(norm) => {
            norm.backward(executor, xs, gammas, betas, statistics, values(&dy), gradients)
        }
        Norm::Pooled(norm) => {
            norm.backward(executor, xs, gammas, betas, statistics, values(&dy), gradients)
        }
    }
    (tensor(dx, x.shape()), tensor(d_gamma, gamma.shape()), tensor(d_beta, beta.shape()))
}

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
    shape.forward(Executor::global(), values(&x), &mut y);
    let y = tensor(y, Shape::new([batch, channels, rows, columns]));
    (y.clone(), PoolState { shape, x, y })
}

pub fn pool_backward(state: PoolState, dy: FlexTensor) -> FlexTensor {
    let PoolState { shape, x, y } = state;
    let dy = contiguous(dy);
    let mut dx = Buffer::take(values(&x).len());
    shape.backward(Executor::global(), values(&x), values(&y), values(&dy), &mut dx);
    tensor(dx, x.shape())
}

pub fn global_average_pool(x: FlexTensor) -> FlexTensor {
    let x = contiguous(x);
    let shape = x.shape();
    let mut y = Buffer::take(shape[0] * shape[1]);
    pool::global_average(Executor::global(), values(&x), &mut y);
    tensor(y, Shape::new([shape[0], shape[1]]))
}

/// `shape` is that of the input.
pub fn global_average_pool_backward(shape: [usize; 4], dy: FlexTensor) -> FlexTensor {
    let mut dx = Buffer::take(shape.iter().product());
    pool::global_average_backward(Executor::global(), values(&contiguous(dy)), &mut dx);
    tensor(dx, Shape::new(shape))
}

/// The loss, the number of hits, and the gradient of the logits if kept.
pub fn softmax_cross_entropy(
    logits: FlexTensor,
    labels: FlexTensor,
    smoothing: f32,
    keep: Keep,
) -> (FlexTensor, FlexTensor, Option<FlexTensor>) {
    let logits = contiguous(logits);
    let shape = logits.shape();
    let [batch, classes] = shape.dims();
    let labels = class_numbers(labels);
    let mut gradient = (keep == Keep::ForBackward).then(|| Buffer::take(batch * classes));
    let found = CrossEntropy { batch, classes, smoothing }.forward(
        Executor::global(),
        values(&logits),
        &labels,
        gradient.as_deref_mut(),
    );
    let number = |value| {
        let mut buffer = Buffer::take(1);
        buffer[0] = value;
        tensor(buffer, Shape::new([1]))
    };
    (
        number(found.loss),
        number(found.correct as f32),
        gradient.map(|gradient| tensor(gradient, shape)),
    )
}

/// A label that fits no class number becomes the largest, which no loss accepts.
fn class_numbers(labels: FlexTensor) -> Vec<u32> {
    let labels = contiguous(labels);
    let (start, end) = (
        labels.layout().start_offset(),
        labels.layout().start_offset() + labels.layout().num_elements(),
    );
    match labels.dtype() {
        DType::I64 => numbers(&labels.storage::<i64>()[start..end]),
        DType::I32 => numbers(&labels.storage::<i32>()[start..end]),
        DType::I16 => numbers(&labels.storage::<i16>()[start..end]),
        DType::I8 => numbers(&labels.storage::<i8>()[start..end]),
        DType::U64 => numbers(&labels.storage::<u64>()[start..end]),
        DType::U32 => numbers(&labels.storage::<u32>()[start..end]),
        DType::U16 => numbers(&labels.storage::<u16>()[start..end]),
        DType::U8 => numbers(&labels.storage::<u8>()[start..end]),
        other => panic!("labels are integers, not {other:?}"),
    }
}

fn numbers<T: Copy + TryInto<u32>>(labels: &[T]) -> Vec<u32> {
    labels.iter().map(|label| (*label).try_into().unwrap_or(u32::MAX)).collect()
}

/// `gradient` times the one number of `factor`; most often that is one, and nothing is done.
pub fn scaled(mut gradient: FlexTensor, factor: &FlexTensor) -> FlexTensor {
    let factor = values(&factor.to_contiguous())[0];
    if factor != 1.0 {
        gradient.storage_mut::<f32>().iter_mut().for_each(|value| *value *= factor);
    }
    gradient
}

pub fn are_single<const N: usize>(tensors: [&FlexTensor; N]) -> bool {
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
