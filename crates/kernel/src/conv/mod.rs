//! A fused conv block: conv2d, bias, activation and 2×2 max-pool in one pass over each image, and
//! their gradients.
//!
//! 3×3 and 5×5 kernels of stride 1 over many channels take Winograd's method, with a quarter or a sixth of the multiplications:
//! `winograd` has the rules, which are measured for each pass. What follows is the direct method, for all other shapes.
//!
//! Forward, each lane of a vector is a filter or a column, and a tile of outputs stays in registers
//! until it is pooled. Backward there are two ways. Behind relu or a pool only the gradients that are
//! not zero are visited: relu leaves about half of them, and a pool one in four. Elsewhere the
//! image's gradient is a convolution of the output's with the filters rotated by 180°, and the weights'
//! gradient correlates the two. What the backward pass needs beyond the output is a byte for each
//! pooled output, and for gelu and silu the number that went in.
//!
//! Batches are cut into chunks of images by shape alone, and the chunks' weight gradients are added
//! in order.
//!
//! Invariant: where a number of the convolution is NaN, so is every output that it could have been
//! picked for.

mod column_lanes;
mod correlate;
mod dense;
mod filter_lanes;
mod filters;
mod forward;
mod gradient;
mod grouped;
mod parts;
mod patch;
mod pixels;
mod planes;
mod positions;
#[cfg(test)]
mod reference;
mod shape;
mod sparse;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;
mod weights;
mod winograd;

pub use grouped::{GroupedConv, GroupedGradients};
pub use shape::{ConvShape, Padding, Pool};

use self::dense::DenseBackward;
use self::forward::{ForwardInput, ForwardOutput, ForwardPass};
use self::pixels::Pixels;
use self::sparse::SparseBackward;
use self::winograd::{WinogradBackward, WinogradForward};
use crate::Executor;
use crate::activation::DerivativeOf;

/// A conv block for one size of image, with the tables that its passes need.
#[derive(Clone, Debug)]
pub struct ConvBlock {
    shape: ConvShape,
    forward: Forward,
    backward: Backward,
}

#[derive(Clone, Debug)]
enum Forward {
    Direct(ForwardPass),
    Winograd(WinogradForward),
}

#[derive(Clone, Debug)]
enum Backward {
    Sparse(SparseBackward),
    Dense(DenseBackward),
    Winograd(WinogradBackward),
}

/// What a backward pass reads.
#[derive(Clone, Copy)]
struct BackwardInput<'a> {
    batch: usize,
    /// `[batch, channels, height, width]`
    images: &'a [f32],
    /// `[filters, channels, kernel rows, kernel columns]`
    weight: &'a [f32],
    /// Which of the pool's four each output is, and [`Pixels::SLACK`] more; empty where there is no
    /// pool.
    picks: &'a [u8],
    /// What the activation's derivative is computed from.
    kept: &'a [f32],
    /// `[batch, filters, height, width]`
    d_output: &'a [f32],
}

/// What a forward pass keeps for the backward pass, beside the output.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    picks: Vec<u8>,
    pre_activation: Vec<f32>,
}

impl Saved {
    /// Memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        self.picks.len() + size_of_val(self.pre_activation.as_slice())
    }
}

/// The gradients that a backward pass writes.
#[derive(Debug)]
pub struct ConvGradients<'a> {
    /// `[batch, channels, height, width]`; `None` if it is not needed.
    pub images: Option<&'a mut [f32]>,
    /// `[filters, channels, kernel rows, kernel columns]`
    pub weight: &'a mut [f32],
    /// `[filters]`
    pub bias: &'a mut [f32],
}

impl Backward {
    fn direct(shape: ConvShape) -> Self {
        DenseBackward::new(shape)
            .map_or_else(|| Self::Sparse(SparseBackward::new(shape)), Self::Dense)
    }
}

fn check_sizes(shape: &ConvShape) {
    assert!(
        shape.kernel.iter().chain(&shape.stride).all(|size| *size > 0),
        "{shape:?} has a size of zero"
    );
}

impl ConvBlock {
    /// A block of the given shape.
    ///
    /// # Panics
    /// A stride or a side of the kernel is zero, or a padded image has 2²⁸ numbers or more.
    pub fn new(shape: ConvShape) -> Self {
        check_sizes(&shape);
        Self {
            shape,
            forward: WinogradForward::new(shape)
                .map_or_else(|| Forward::Direct(ForwardPass::new(shape)), Forward::Winograd),
            backward: WinogradBackward::new(shape)
                .map_or_else(|| Backward::direct(shape), Backward::Winograd),
        }
    }

    /// A block that computes the convolution directly, even where another method is faster: for comparisons.
    ///
    /// # Panics
    /// As [`ConvBlock::new`].
    pub fn direct(shape: ConvShape) -> Self {
        check_sizes(&shape);
        let forward = Forward::Direct(ForwardPass::new(shape));
        Self { shape, forward, backward: Backward::direct(shape) }
    }

    /// A block that uses Winograd's method, even where another is faster: for comparisons. `None`
    /// where it does not apply: it needs 3×3 or 5×5 kernels, strides of 1, and no pool behind gelu or silu.
    ///
    /// # Panics
    /// As [`ConvBlock::new`].
    pub fn winograd(shape: ConvShape) -> Option<Self> {
        check_sizes(&shape);
        Some(Self {
            shape,
            forward: Forward::Winograd(WinogradForward::of(shape)?),
            backward: Backward::Winograd(WinogradBackward::of(shape)?),
        })
    }

    /// The block's shape.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// Sets `output`, `[batch, filters, height, width]`, to the activations of `images`, `[batch,
    /// channels, height, width]`, under `weight`, `[filters, channels, kernel rows, kernel
    /// columns]`, and `bias`, `[filters]`; and `saved` to what [`ConvBlock::backward`] needs.
    ///
    /// NaN among the numbers of the convolution comes out as NaN.
    ///
    /// # Panics
    /// The length of a slice does not match its shape.
    #[expect(clippy::too_many_arguments, reason = "the tensors of a layer")]
    pub fn forward(
        &self,
        executor: &Executor,
        batch: usize,
        images: &[f32],
        weight: &[f32],
        bias: &[f32],
        output: &mut [f32],
        saved: Option<&mut Saved>,
    ) {
        self.check(batch, images, weight, bias);
        let len = output.len();
        assert_eq!(
            len,
            batch * self.shape().output_len(),
            "length of the output of {:?}",
            self.shape()
        );
        let (mut no_picks, mut no_pre_activation) = (Vec::new(), Vec::new());
        let (picks, pre_activation) = match saved {
            Some(saved) => {
                self.reserve(saved, len);
                (&mut saved.picks, &mut saved.pre_activation)
            }
            None => (&mut no_picks, &mut no_pre_activation),
        };
        let picks = picks.get_mut(..len).unwrap_or_default();
        let from = ForwardInput { batch, images, weight, bias };
        let to = ForwardOutput { output, picks, pre_activation };
        match &self.forward {
            Forward::Direct(direct) => direct.run(executor, from, to),
            Forward::Winograd(winograd) => winograd.run(executor, from, to),
        }
    }

    /// Sets `gradients` to those of the loss, from `d_output`, `[batch, filters, height, width]`,
    /// and what [`ConvBlock::forward`] was given and gave.
    ///
    /// # Panics
    /// The length of a slice does not match its shape, or `saved` is of another batch.
    #[expect(clippy::too_many_arguments, reason = "the tensors of a layer")]
    pub fn backward(
        &self,
        executor: &Executor,
        batch: usize,
        images: &[f32],
        weight: &[f32],
        saved: &Saved,
        output: &[f32],
        d_output: &[f32],
        gradients: ConvGradients<'_>,
    ) {
        self.check(batch, images, weight, gradients.bias);
        let shape = self.shape();
        assert_eq!(output.len(), batch * shape.output_len(), "length of the output of {shape:?}");
        assert_eq!(
            d_output.len(),
            output.len(),
            "length of the gradient of the output of {shape:?}"
        );
        assert_eq!(
            gradients.weight.len(),
            weight.len(),
            "length of the gradient of the weight of {shape:?}"
        );
        assert!(
            gradients.images.as_ref().is_none_or(|d_images| d_images.len() == images.len()),
            "length of the gradient of the images of {shape:?}"
        );
        assert!(
            saved.picks.len() == self.picks_len(output.len()),
            "saved for a batch of another size"
        );
        let kept = match shape.activation.derivative_of() {
            DerivativeOf::Output => output,
            DerivativeOf::Input => &saved.pre_activation,
        };
        assert_eq!(kept.len(), output.len(), "saved for a batch of another size");
        let from = BackwardInput { batch, images, weight, picks: &saved.picks, kept, d_output };
        match &self.backward {
            Backward::Sparse(sparse) => sparse.run(executor, from, gradients),
            Backward::Dense(dense) => dense.run(executor, from, gradients),
            Backward::Winograd(winograd) => winograd.run(executor, from, gradients),
        }
    }

    fn check(&self, batch: usize, images: &[f32], weight: &[f32], bias: &[f32]) {
        assert_eq!(
            images.len(),
            batch * self.shape().image_len(),
            "length of the images of {:?}",
            self.shape()
        );
        assert_eq!(
            weight.len(),
            self.shape().weight_len(),
            "length of the weight of {:?}",
            self.shape()
        );
        assert_eq!(bias.len(), self.shape().filters, "length of the bias of {:?}", self.shape());
    }

    fn reserve(&self, saved: &mut Saved, output_len: usize) {
        saved.picks.resize(self.picks_len(output_len), 0);
        let pre_activation_len = match self.shape().activation.derivative_of() {
            DerivativeOf::Output => 0,
            DerivativeOf::Input => output_len,
        };
        saved.pre_activation.resize(pre_activation_len, 0.0);
    }

    fn picks_len(&self, output_len: usize) -> usize {
        match self.shape().pool {
            Pool::None => 0,
            Pool::Max2x2 => output_len + Pixels::SLACK,
        }
    }
}
