//! The operations on GPUs. Small networks wait for their kernels to start rather than for what they compute, so each layer
//! is one kernel forward and one backward. For larger layers burn's own operations, which take more kernels, are faster.

mod kernels;
mod resident;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend, Cube, TensorMetadata};
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use self::kernels::ConvSizes;
use super::autodiff::register;
use super::{ConvBlockOptions, KernelOps, composite};
use crate::activation::Activation;
use crate::conv::{ConvShape, Pool};

pub use resident::{DeviceImages, FlatAdam, FlatGradient, FlatParameter, Notes};

/// Weights of the largest layer that has kernels of its own.
const CONV_WEIGHTS_MAX: usize = 1 << 13;
const DENSE_WEIGHTS_MAX: usize = 1 << 17;

/// Buffers of the kernel that has most, with what it is told of them.
const BINDINGS: u32 = 10;

/// Threads of a cube, a power of two.
const THREADS: usize = 256;

/// The activation as kernels know it; `None` for one whose gradient does not follow from its result.
fn code(activation: Activation) -> Option<u32> {
    match activation {
        Activation::Linear => Some(kernels::LINEAR),
        Activation::Relu => Some(kernels::RELU),
        Activation::LeakyRelu => Some(kernels::LEAKY_RELU),
        Activation::Tanh => Some(kernels::TANH),
        Activation::Sigmoid => Some(kernels::SIGMOID),
        Activation::Gelu | Activation::Silu => None,
    }
}

/// A tensor like another, of unspecified numbers.
fn empty(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), dtype)
}

/// Cubes for a thread for each of `count` numbers.
fn cubes(like: &CubeTensor, count: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new_1d(THREADS as u32);
    (calculate_cube_count_elemwise(&like.client, count, dim), dim)
}

fn argument(tensor: &CubeTensor) -> BufferArg {
    tensor.clone().into_buffer_arg()
}

/// Whether the kernels take such tensors, and the device binds as many buffers as they have: WebGPU grants eight, all
/// others many more.
fn are_fit(tensors: [&CubeTensor; 3]) -> bool {
    let bindings = tensors[0].client.properties().hardware.max_bindings;
    bindings >= BINDINGS && tensors.iter().all(|tensor| tensor.dtype == DType::F32)
}

/// The sizes of a conv block that has kernels.
fn conv_sizes(x: &CubeTensor, weight: &CubeTensor, options: ConvBlockOptions) -> Option<ConvSizes> {
    let ConvBlockOptions { stride, padding, groups, activation, pool } = options;
    let [_, channels, height, width] = x.shape().dims();
    let [filters, _, kernel_rows, kernel_columns] = weight.shape().dims();
    let kernel = [kernel_rows, kernel_columns];
    let in_channels = channels;
    let shape = ConvShape {
        in_channels,
        height,
        width,
        filters,
        kernel,
        stride,
        padding,
        activation,
        pool,
    };
    let [_, out_rows, out_columns] = shape.output_shape();
    let is_small = shape.weight_len() <= CONV_WEIGHTS_MAX && groups == 1;
    let sizes = ConvSizes {
        channels,
        height,
        width,
        filters,
        kernel_rows,
        kernel_columns,
        stride_rows: stride[0],
        stride_columns: stride[1],
        top: padding.top,
        left: padding.left,
        out_rows,
        out_columns,
        pool: match pool {
            Pool::None => 1,
            Pool::Max2x2 => 2,
        },
        activation: code(activation)?,
    };
    (is_small && out_rows * out_columns > 0).then_some(sizes)
}

/// What a conv block keeps for its backward pass.
#[derive(Clone, Debug)]
struct ConvState {
    x: CubeTensor,
    weight: CubeTensor,
    y: CubeTensor,
    chosen: CubeTensor,
    sizes: ConvSizes,
}

fn conv_block(
    x: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    sizes: ConvSizes,
) -> (CubeTensor, ConvState) {
    let (x, weight, bias) = (into_contiguous(x), into_contiguous(weight), into_contiguous(bias));
    let shape = [x.shape()[0], sizes.filters, sizes.out_rows, sizes.out_columns];
    let y = empty(&x, shape, DType::F32);
    let places = if sizes.pool > 1 { y.shape().num_elements() } else { 1 };
    let chosen = empty(&x, [places], DType::U32);
    let (count, dim) = cubes(&y, y.shape().num_elements());
    // SAFETY: the buffers have the sizes that the kernel takes them to have.
    unsafe {
        kernels::conv::launch_unchecked(
            &y.client,
            count,
            dim,
            argument(&x),
            argument(&weight),
            argument(&bias),
            argument(&y),
            argument(&chosen),
            sizes,
        );
    }
    (y.clone(), ConvState { x, weight, y, chosen, sizes })
}

type LayerGradients = (Option<CubeTensor>, CubeTensor, CubeTensor);

fn conv_block_backward(state: ConvState, dy: CubeTensor, wants_input: bool) -> LayerGradients {
    let ConvState { x, weight, y, chosen, sizes } = state;
    let dy = into_contiguous(dy);
    let dx =
        if wants_input { empty(&x, x.shape(), DType::F32) } else { empty(&x, [1], DType::F32) };
    let d_weight = empty(&x, weight.shape(), DType::F32);
    let d_bias = empty(&x, [sizes.filters], DType::F32);
    let of_input = if wants_input { dx.shape().num_elements().div_ceil(THREADS) } else { 0 };
    let count = weight.shape().num_elements() + sizes.filters + of_input;
    let (count, dim) = cubes(&x, count * THREADS);
    // SAFETY: as in `conv_block`; a thread beyond the last number writes nothing.
    unsafe {
        kernels::conv_backward::launch_unchecked(
            &x.client,
            count,
            dim,
            argument(&x),
            argument(&weight),
            argument(&y),
            argument(&chosen),
            argument(&dy),
            argument(&dx),
            argument(&d_weight),
            argument(&d_bias),
            sizes,
            wants_input,
            THREADS,
        );
    }
    (wants_input.then_some(dx), d_weight, d_bias)
}

/// What a dense layer keeps for its backward pass.
#[derive(Clone, Debug)]
struct DenseState {
    x: CubeTensor,
    weight: CubeTensor,
    y: CubeTensor,
    activation: u32,
}

fn is_small_dense(weight: &CubeTensor) -> bool {
    weight.shape().num_elements() <= DENSE_WEIGHTS_MAX
}

fn dense(
    x: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    activation: u32,
) -> (CubeTensor, DenseState) {
    let (x, weight, bias) = (into_contiguous(x), into_contiguous(weight), into_contiguous(bias));
    let [inputs, units] = weight.shape().dims();
    let y = empty(&x, [x.shape()[0], units], DType::F32);
    let (count, dim) = cubes(&y, y.shape().num_elements());
    // SAFETY: the buffers have the sizes that the kernel takes them to have.
    unsafe {
        kernels::dense::launch_unchecked(
            &y.client,
            count,
            dim,
            argument(&x),
            argument(&weight),
            argument(&bias),
            argument(&y),
            inputs,
            units,
            activation,
        );
    }
    (y.clone(), DenseState { x, weight, y, activation })
}

fn dense_backward(state: DenseState, dy: CubeTensor, wants_input: bool) -> LayerGradients {
    let DenseState { x, weight, y, activation } = state;
    let dy = into_contiguous(dy);
    let [inputs, units] = weight.shape().dims();
    let dx =
        if wants_input { empty(&x, x.shape(), DType::F32) } else { empty(&x, [1], DType::F32) };
    let d_weight = empty(&x, [inputs, units], DType::F32);
    let d_bias = empty(&x, [units], DType::F32);
    let of_input = if wants_input { dx.shape().num_elements() } else { 0 };
    let (count, dim) = cubes(&x, inputs * units + units + of_input);
    // SAFETY: as in `dense`.
    unsafe {
        kernels::dense_backward::launch_unchecked(
            &x.client,
            count,
            dim,
            argument(&x),
            argument(&weight),
            argument(&y),
            argument(&dy),
            argument(&dx),
            argument(&d_weight),
            argument(&d_bias),
            inputs,
            units,
            activation,
            wants_input,
        );
    }
    (wants_input.then_some(dx), d_weight, d_bias)
}

/// The loss, the correct predictions, and the gradient for a loss whose own gradient is one; noted where asked.
fn softmax_cross_entropy(
    logits: CubeTensor,
    labels: CubeTensor,
    smoothing: f32,
    notes: Option<(&CubeTensor, &CubeTensor)>,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (logits, labels) = (into_contiguous(logits), into_contiguous(labels));
    let classes = logits.shape()[1];
    let gradient = empty(&logits, logits.shape(), DType::F32);
    let loss = empty(&logits, [1], DType::F32);
    let correct = empty(&logits, [1], DType::F32);
    let is_noted = notes.is_some();
    let (notes, position) = match notes {
        Some((notes, position)) => (notes.clone(), position.clone()),
        None => (empty(&logits, [2], DType::F32), empty(&logits, [1], DType::I32)),
    };
    // SAFETY: as in `dense`; the position is below the number of steps that there is room for.
    unsafe {
        kernels::cross_entropy::launch_unchecked(
            &logits.client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(THREADS as u32),
            argument(&logits),
            argument(&labels),
            argument(&gradient),
            argument(&loss),
            argument(&correct),
            argument(&notes),
            argument(&position),
            1.0 - smoothing,
            smoothing / classes as f32,
            classes,
            is_noted,
            THREADS,
        );
    }
    (loss, correct, gradient)
}

fn has_loss_kernel(logits: &CubeTensor, labels: &CubeTensor) -> bool {
    labels.dtype == DType::I32 && are_fit([logits, logits, logits])
}

impl KernelOps for Cube {
    fn fused_conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvBlockOptions,
    ) -> FloatTensor<Self> {
        match conv_sizes(&x, &weight, options) {
            Some(sizes) if are_fit([&x, &weight, &bias]) => conv_block(x, weight, bias, sizes).0,
            _ => composite::conv_block::<Self>(x, weight, bias, options),
        }
    }

    fn fused_dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        match code(activation) {
            Some(code) if are_fit([&x, &weight, &bias]) && is_small_dense(&weight) => {
                dense(x, weight, bias, code).0
            }
            _ => composite::dense::<Self>(x, weight, bias, activation),
        }
    }

    fn softmax_cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        smoothing: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !has_loss_kernel(&logits, &labels) {
            return composite::softmax_cross_entropy::<Self>(logits, labels, smoothing);
        }
        let (loss, correct, _) = softmax_cross_entropy(logits, labels, smoothing, None);
        (loss, correct)
    }

    fn noted_cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        smoothing: f32,
        notes: Notes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let notes = Some((&notes.losses, &notes.position));
        let (loss, correct, _) = softmax_cross_entropy(logits, labels, smoothing, notes);
        (loss, correct)
    }
}

impl<C: CheckpointStrategy> KernelOps for Autodiff<Cube, C> {
    fn fused_conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvBlockOptions,
    ) -> FloatTensor<Self> {
        let sizes = conv_sizes(x.primitive(), weight.primitive(), options);
        let Some(sizes) =
            sizes.filter(|_| are_fit([x.primitive(), weight.primitive(), bias.primitive()]))
        else {
            return composite::conv_block::<Self>(x, weight, bias, options);
        };
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, weight, bias) =
            (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let (output, state) = conv_block(x, weight, bias, sizes);
        match ConvBlockBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn fused_dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let is_ours = are_fit([x.primitive(), weight.primitive(), bias.primitive()])
            && is_small_dense(weight.primitive());
        let Some(code) = code(activation).filter(|_| is_ours) else {
            return composite::dense::<Self>(x, weight, bias, activation);
        };
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, weight, bias) =
            (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let (output, state) = dense(x, weight, bias, code);
        match DenseBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn softmax_cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        smoothing: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !has_loss_kernel(logits.primitive(), &labels) {
            return composite::softmax_cross_entropy::<Self>(logits, labels, smoothing);
        }
        tracked_cross_entropy::<C>(logits, labels, smoothing, None)
    }

    fn noted_cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        smoothing: f32,
        notes: Notes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let notes = Some((&notes.losses, &notes.position));
        tracked_cross_entropy::<C>(logits, labels, smoothing, notes)
    }
}

fn tracked_cross_entropy<C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<Cube, C>>,
    labels: CubeTensor,
    smoothing: f32,
    notes: Option<(&CubeTensor, &CubeTensor)>,
) -> (FloatTensor<Autodiff<Cube, C>>, FloatTensor<Autodiff<Cube, C>>) {
    let node = logits.node();
    let (loss, correct, gradient) =
        softmax_cross_entropy(logits.into_primitive(), labels, smoothing, notes);
    let loss = match CrossEntropyBackward.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(gradient, loss),
        OpsKind::UnTracked(prepared) => prepared.finish(loss),
    };
    (loss, <Autodiff<Cube, C> as AutodiffBackend>::from_inner(correct))
}

#[derive(Debug)]
struct ConvBlockBackward;

impl Backward<Cube, 3> for ConvBlockBackward {
    type State = ConvState;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Cube>(&ops.node);
        let gradients = conv_block_backward(ops.state, dy, ops.parents[0].is_some());
        register::<Cube>(ops.parents.map(|node| node.map(|node| node.id)), gradients, grads);
    }
}

#[derive(Debug)]
struct DenseBackward;

impl Backward<Cube, 3> for DenseBackward {
    type State = DenseState;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Cube>(&ops.node);
        let gradients = dense_backward(ops.state, dy, ops.parents[0].is_some());
        register::<Cube>(ops.parents.map(|node| node.map(|node| node.id)), gradients, grads);
    }
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl Backward<Cube, 1> for CrossEntropyBackward {
    /// The gradient for a loss whose own gradient is one.
    type State = CubeTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let d_loss = grads.consume::<Cube>(&ops.node);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            let d_loss = Cube::float_reshape(d_loss, Shape::new([1, 1]));
            grads.register::<Cube>(parent.id, Cube::float_mul(ops.state, d_loss));
        }
    }
}
