//! The gradients of the fused operations, for burn's autodiff over its CPU backend.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend, Backend, Flex, TensorMetadata};

use super::flex::{
    self, BatchNormState, ConvState, DenseState, GroupedState, Keep, PoolState, SumState, all_f32,
};
use super::{BatchNormOptions, ConvBlockOptions, KernelOps, Mark, PoolOptions, composite};
use crate::activation::Activation;

impl<C: CheckpointStrategy> KernelOps for Autodiff<Flex, C> {
    fn fused_conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvBlockOptions,
    ) -> FloatTensor<Self> {
        if !all_f32([x.primitive(), weight.primitive(), bias.primitive()]) {
            return composite::conv_block::<Self>(x, weight, bias, options);
        }
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, weight, bias) =
            (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match ConvBlockBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (output, state) = flex::conv_block(x, weight, bias, options, Keep::ForBackward);
                prepared.finish(state, output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(flex::conv_block(x, weight, bias, options, Keep::Nothing).0)
            }
        }
    }

    fn fused_grouped_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvBlockOptions,
    ) -> FloatTensor<Self> {
        if !all_f32([x.primitive(), weight.primitive(), bias.primitive()]) {
            return composite::conv_block::<Self>(x, weight, bias, options);
        }
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, weight, bias) =
            (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match GroupedConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (output, state) =
                    flex::grouped_conv(x, weight, bias, options, Keep::ForBackward);
                prepared.finish(state, output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(flex::grouped_conv(x, weight, bias, options, Keep::Nothing).0)
            }
        }
    }

    fn fused_dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        if !all_f32([x.primitive(), weight.primitive(), bias.primitive()]) {
            return composite::dense::<Self>(x, weight, bias, activation);
        }
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, weight, bias) =
            (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match DenseBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (output, state) = flex::dense(x, weight, bias, activation, Keep::ForBackward);
                prepared.finish(state, output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(flex::dense(x, weight, bias, activation, Keep::Nothing).0)
            }
        }
    }

    fn softmax_cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        smoothing: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32([logits.primitive()]) {
            return composite::softmax_cross_entropy::<Self>(logits, labels, smoothing);
        }
        let node = logits.node();
        let logits = logits.into_primitive();
        let (loss, correct) =
            match CrossEntropyBackward.prepare::<C>([node]).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => {
                    let (loss, correct, gradient) =
                        flex::softmax_cross_entropy(logits, labels, smoothing, Keep::ForBackward);
                    (prepared.finish(gradient, loss), correct)
                }
                OpsKind::UnTracked(prepared) => {
                    let (loss, correct, _) =
                        flex::softmax_cross_entropy(logits, labels, smoothing, Keep::Nothing);
                    (prepared.finish(loss), correct)
                }
            };
        (loss, <Self as AutodiffBackend>::from_inner(correct))
    }

    fn fused_batch_norm_train(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        if !all_f32([x.primitive(), gamma.primitive(), beta.primitive()]) {
            return composite::batch_norm_train::<Self>(x, gamma, beta, options);
        }
        let nodes = [x.node(), gamma.node(), beta.node()];
        let (x, gamma, beta) = (x.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        let (output, state) = flex::batch_norm(x, gamma, beta, options);
        let statistics = [state.mean.clone(), state.variance.clone()];
        let output = match BatchNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        let [mean, variance] = statistics.map(<Self as AutodiffBackend>::from_inner);
        (output, mean, variance)
    }

    fn fused_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self> {
        if !all_f32([x.primitive()]) {
            return composite::pool::<Self>(x, options);
        }
        let node = x.node();
        let (output, state) = flex::pooled(x.into_primitive(), options);
        match PoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn fused_add(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        if !all_f32([a.primitive(), b.primitive()]) {
            return composite::add::<Self>(a, b, activation);
        }
        let nodes = [a.node(), b.node()];
        let (a, b) = (a.into_primitive(), b.into_primitive());
        match AddBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (output, state) = flex::add(a, b, activation, Keep::ForBackward);
                prepared.finish(state, output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(flex::add(a, b, activation, Keep::Nothing).0)
            }
        }
    }

    fn fused_global_average_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if !all_f32([x.primitive()]) {
            return composite::global_average_pool::<Self>(x);
        }
        let (node, shape) = (x.node(), x.shape().dims());
        let output = flex::global_average_pool(x.into_primitive());
        match GlobalAveragePoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(shape, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn marked(x: FloatTensor<Self>, mark: Mark) -> FloatTensor<Self> {
        let node = x.node();
        let output = x.into_primitive();
        match MarkBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(mark, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct MarkBackward;

impl Backward<Flex, 1> for MarkBackward {
    type State = Mark;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        ops.state.pass();
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| dy);
    }
}

#[derive(Debug)]
struct ConvBlockBackward;

impl Backward<Flex, 3> for ConvBlockBackward {
    type State = Option<ConvState>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let d_output = grads.consume::<Flex>(&ops.node);
        let wants_input = ops.parents[0].is_some();
        if let Some(state) = ops.state {
            let gradients = flex::conv_block_backward(state, d_output, wants_input);
            register::<Flex>(ops.parents.map(|node| node.map(|node| node.id)), gradients, grads);
        }
    }
}

#[derive(Debug)]
struct GroupedConvBackward;

impl Backward<Flex, 3> for GroupedConvBackward {
    type State = Option<GroupedState>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let d_output = grads.consume::<Flex>(&ops.node);
        let wants_input = ops.parents[0].is_some();
        if let Some(state) = ops.state {
            let gradients = flex::grouped_conv_backward(state, d_output, wants_input);
            register::<Flex>(ops.parents.map(|node| node.map(|node| node.id)), gradients, grads);
        }
    }
}

#[derive(Debug)]
struct AddBackward;

impl Backward<Flex, 2> for AddBackward {
    type State = Option<SumState>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        if let Some(state) = ops.state {
            let gradient = flex::add_backward(state, dy);
            for parent in ops.parents.into_iter().flatten() {
                grads.register::<Flex>(parent.id, gradient.clone());
            }
        }
    }
}

#[derive(Debug)]
struct DenseBackward;

impl Backward<Flex, 3> for DenseBackward {
    type State = Option<DenseState>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let d_output = grads.consume::<Flex>(&ops.node);
        let wants_input = ops.parents[0].is_some();
        if let Some(state) = ops.state {
            let gradients = flex::dense_backward(state, d_output, wants_input);
            register::<Flex>(ops.parents.map(|node| node.map(|node| node.id)), gradients, grads);
        }
    }
}

/// Registers the gradients of the input, the weight and the bias for those parents that need one.
pub(super) fn register<B: Backend>(
    parents: [Option<burn::backend::autodiff::NodeId>; 3],
    (dx, dw, db): (Option<FloatTensor<B>>, FloatTensor<B>, FloatTensor<B>),
    grads: &mut Gradients,
) {
    for (parent, gradient) in parents.into_iter().zip([dx, Some(dw), Some(db)]) {
        if let (Some(parent), Some(gradient)) = (parent, gradient) {
            grads.register::<B>(parent, gradient);
        }
    }
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl Backward<Flex, 1> for CrossEntropyBackward {
    /// The gradient for a loss whose own gradient is one.
    type State = Option<FlexTensor>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let d_loss = grads.consume::<Flex>(&ops.node);
        let [parent] = ops.parents;
        if let (Some(parent), Some(gradient)) = (parent, ops.state) {
            grads.register::<Flex>(parent.id, flex::scaled(gradient, &d_loss));
        }
    }
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Flex, 3> for BatchNormBackward {
    type State = BatchNormState;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let (dx, d_gamma, d_beta) = flex::batch_norm_backward(ops.state, dy);
        register::<Flex>(
            ops.parents.map(|node| node.map(|node| node.id)),
            (Some(dx), d_gamma, d_beta),
            grads,
        );
    }
}

#[derive(Debug)]
struct PoolBackward;

impl Backward<Flex, 1> for PoolBackward {
    type State = PoolState;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let state = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| flex::pool_backward(state, dy));
    }
}

#[derive(Debug)]
struct GlobalAveragePoolBackward;

impl Backward<Flex, 1> for GlobalAveragePoolBackward {
    /// The shape of the input.
    type State = [usize; 4];

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let shape = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| {
            flex::global_average_pool_backward(shape, dy)
        });
    }
}
