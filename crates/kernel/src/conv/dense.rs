//! The backward pass where hardly any gradient is zero.
//!
//! The gradient of the images is itself a convolution: of the output's gradient, with the filters
//! rotated by 180°. The gradient of the weights correlates images and gradients, as
//! [`super::correlate`] does it.

use super::correlate::{Correlate, Cut};
use super::forward::{ForwardInput, ForwardOutput, ForwardPass};
use super::planes::Planes;
use super::shape::{ConvShape, Padding, Pool};
use super::weights::{AddSums, FilterChunks, MirrorFilters, sums_len};
use super::{BackwardInput, ConvGradients};
use crate::simd::Simd;
use crate::{Activation, DisjointMut, Executor, Kernel, scratch};

/// The backward pass for one shape, with the tables that it needs.
#[derive(Clone, Debug)]
pub(super) struct DenseBackward {
    shape: ConvShape,
    planes: Planes,
    mirrored: Box<ForwardPass>,
}

impl DenseBackward {
    /// `None` for a shape that it does not cover, or whose gradients are mostly zero.
    pub fn new(shape: ConvShape) -> Option<Self> {
        // Half of relu's are zero, but the patches of one channel are too short to profit from it.
        let has_zeros = shape.activation == Activation::Relu && shape.in_channels > 1;
        if has_zeros || shape.pool != Pool::None {
            return None;
        }
        if shape.stride != [1, 1] || shape.output_len() == 0 {
            return None;
        }
        let mirrored = Box::new(ForwardPass::new(mirrored(&shape)?));
        Some(Self { shape, planes: Planes::new(&shape, 1), mirrored })
    }

    /// Runs it; the slices have the lengths of their shapes.
    pub fn run(&self, executor: &Executor, from: BackwardInput<'_>, to: ConvGradients<'_>) {
        let (activation, d_output) = (self.shape.activation, from.d_output);
        let Some(d_images) = to.images else {
            return self.weight_gradient(executor, from, activation, [to.weight, to.bias]);
        };
        let is_linear = activation == Activation::Linear;
        scratch::with(if is_linear { 0 } else { d_output.len() }, |memory| {
            let delta = if is_linear {
                d_output
            } else {
                let delta = DisjointMut::new(memory);
                let kernel = Delta { activation, kept: from.kept, d_output, delta };
                executor.run(kernel.chunks(), &kernel);
                memory
            };
            let of_delta = BackwardInput { d_output: delta, ..from };
            let to = [to.weight, to.bias];
            self.weight_gradient(executor, of_delta, Activation::Linear, to);
            self.image_gradient(executor, of_delta, d_images);
        });
    }

    /// The gradients of the weight and the bias, where `activation` lies between the convolution and
    /// `from.d_output`.
    fn weight_gradient(
        &self,
        executor: &Executor,
        from: BackwardInput<'_>,
        activation: Activation,
        [d_weight, d_bias]: [&mut [f32]; 2],
    ) {
        let (shape, batch) = (&self.shape, from.batch);
        let cut = Cut::new(shape, &self.planes, batch);
        let filter_len = shape.filter_len();
        scratch::with(cut.chunks * sums_len(shape.filters, filter_len), |sums| {
            let correlate = Correlate {
                shape,
                planes: &self.planes,
                cut,
                batch,
                images: from.images,
                activation,
                kept: from.kept,
                d_output: from.d_output,
                sums: DisjointMut::new(sums),
            };
            executor.run(cut.chunks, &correlate);
            let add = AddSums {
                filter_len,
                layout: None,
                cut: FilterChunks::new(shape.filters, filter_len * cut.chunks),
                sums,
                d_weight: DisjointMut::new(d_weight),
                d_bias: DisjointMut::new(d_bias),
            };
            executor.run(add.cut.count(), &add);
        });
    }

    /// The gradient of the images, where `from.d_output` is that of the convolution.
    fn image_gradient(&self, executor: &Executor, from: BackwardInput<'_>, d_images: &mut [f32]) {
        let BackwardInput { batch, weight, d_output, .. } = from;
        let shape = &self.shape;
        scratch::with(shape.weight_len() + shape.in_channels, |memory| {
            let (turned, bias) = memory.split_at_mut(shape.weight_len());
            bias.fill(0.0);
            let mirrored = DisjointMut::new(turned);
            executor.run(shape.in_channels, &MirrorFilters { shape, weight, mirrored });
            let from = ForwardInput { batch, images: d_output, weight: turned, bias };
            let (picks, pre_activation) = (&mut [][..], &mut [][..]);
            let to = ForwardOutput { output: d_images, picks, pre_activation };
            self.mirrored.run(executor, from, to);
        });
    }
}

/// The convolution that takes gradients of the output to those of the images; `None` where an image
/// has more padding than a filter reaches over.
fn mirrored(shape: &ConvShape) -> Option<ConvShape> {
    let [rows, columns] = shape.kernel.map(|size| size - 1);
    let [height, width] = shape.conv_size();
    Some(ConvShape {
        in_channels: shape.filters,
        height,
        width,
        filters: shape.in_channels,
        padding: Padding {
            top: rows.checked_sub(shape.padding.top)?,
            left: columns.checked_sub(shape.padding.left)?,
            bottom: rows.checked_sub(shape.padding.bottom)?,
            right: columns.checked_sub(shape.padding.right)?,
        },
        activation: Activation::Linear,
        ..*shape
    })
}

/// The gradient before the activation.
struct Delta<'a> {
    activation: Activation,
    kept: &'a [f32],
    d_output: &'a [f32],
    delta: DisjointMut<'a, f32>,
}

impl Delta<'_> {
    const LEN: usize = 1 << 15;

    fn chunks(&self) -> usize {
        self.delta.len().div_ceil(Self::LEN)
    }
}

impl Kernel for Delta<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let start = chunk * Self::LEN;
        let range = start..self.delta.len().min(start + Self::LEN);
        let (kept, d_output) = (&self.kept[range.clone()], &self.d_output[range.clone()]);
        // SAFETY: chunks do not overlap.
        let delta = unsafe { self.delta.range(range) };
        for at in (0..delta.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(delta.len() - at);
            // SAFETY: the lanes end with the slices.
            unsafe {
                let slope = self.activation.derivative(s, s.load_partial(kept, at, lanes));
                let product = s.mul(slope, s.load_partial(d_output, at, lanes));
                s.store_partial(delta, at, lanes, product);
            }
        }
    }
}
