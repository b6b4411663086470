//! The conv block on the CPU backend's tensors.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Shape;

use super::{Keep, contiguous, tensor, values};
use crate::activation::DerivativeOf;
use crate::backend::{Buffer, ConvBlockOptions};
use crate::conv::{
    ConvBlock, ConvGradients, ConvShape, GroupedConv, GroupedGradients, Pool, Saved,
};
use crate::executor::Executor;

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
    assert_eq!(
        in_channels, channels,
        "the channels of the images do not match those of the filters"
    );
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
        &Executor::current(),
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
        &Executor::current(),
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

/// What the backward pass of [`grouped_conv`] needs; all of it shared, nothing copied.
#[derive(Clone, Debug)]
pub struct GroupedState {
    conv: Arc<GroupedConv>,
    x: FlexTensor,
    weight: FlexTensor,
    /// The output or the pre-activation, as the activation's derivative wants.
    kept: FlexTensor,
}

pub fn grouped_conv(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    options: ConvBlockOptions,
    keep: Keep,
) -> (FlexTensor, Option<GroupedState>) {
    let [x, weight, bias] = [x, weight, bias].map(contiguous);
    let ([batch, in_channels, height, width], [filters, channels, rows, columns]) =
        (x.shape().dims(), weight.shape().dims());
    assert_eq!(
        in_channels,
        channels * options.groups,
        "the channels of the images do not match those of the filters"
    );
    let shape = ConvShape {
        in_channels,
        height,
        width,
        filters,
        kernel: [rows, columns],
        stride: options.stride,
        padding: options.padding,
        activation: options.activation,
        pool: Pool::None,
    };
    let conv = Arc::new(GroupedConv::new(shape, options.groups));
    let [filters, height, width] = conv.output_shape();
    let shape = Shape::new([batch, filters, height, width]);
    let mut output = Buffer::take(shape.num_elements());
    let keeps_input =
        keep == Keep::ForBackward && options.activation.derivative_of() == DerivativeOf::Input;
    let mut pre = keeps_input.then(|| Buffer::take(shape.num_elements()));
    conv.forward(
        &Executor::current(),
        batch,
        values(&x),
        values(&weight),
        values(&bias),
        &mut output,
        pre.as_deref_mut(),
    );
    let output = tensor(output, shape.clone());
    let state = (keep == Keep::ForBackward).then(|| {
        let kept = pre.map_or_else(|| output.clone(), |pre| tensor(pre, shape));
        GroupedState { conv, x, weight, kept }
    });
    (output, state)
}

/// The gradients of the input (if wanted), the weight and the bias.
pub fn grouped_conv_backward(
    state: GroupedState,
    d_output: FlexTensor,
    wants_input: bool,
) -> (Option<FlexTensor>, FlexTensor, FlexTensor) {
    let GroupedState { conv, x, weight, kept } = state;
    let d_output = contiguous(d_output);
    let mut dx = wants_input.then(|| Buffer::take(values(&x).len()));
    let (mut dw, mut db) = (Buffer::take(values(&weight).len()), Buffer::take(weight.shape()[0]));
    let gradients = GroupedGradients { images: dx.as_deref_mut(), weight: &mut dw, bias: &mut db };
    conv.backward(
        &Executor::current(),
        x.shape()[0],
        values(&x),
        values(&weight),
        values(&kept),
        values(&d_output),
        gradients,
    );
    let bias_shape = Shape::new([db.len()]);
    (dx.map(|dx| tensor(dx, x.shape())), tensor(dw, weight.shape()), tensor(db, bias_shape))
}

/// The block for `shape`, with its tables; they are kept for later passes.
fn block_of(shape: ConvShape) -> Arc<ConvBlock> {
    /// Far more than the networks that train at the same time have layers; a process that goes through many networks
    /// starts afresh beyond it.
    const BLOCKS_MAX: usize = 1024;
    static BLOCKS: LazyLock<Mutex<HashMap<ConvShape, Arc<ConvBlock>>>> =
        LazyLock::new(Mutex::default);
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    if blocks.len() >= BLOCKS_MAX && !blocks.contains_key(&shape) {
        blocks.clear();
    }
    Arc::clone(blocks.entry(shape).or_insert_with(|| Arc::new(ConvBlock::new(shape))))
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
        const UNUSED_MAX: usize = 64;
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
