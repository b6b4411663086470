//! The forward pass of a conv block: each chunk takes a few images from pixels to pooled
//! activations.

use super::column_lanes::{self, ColumnSource};
use super::filter_lanes::{self, FilterSource};
use super::filters::{FilterBlock, PackFilters, blocks, packed_len};
use super::planes::Planes;
use super::shape::{ConvShape, Pool};
use crate::simd::{Outlined, Simd};
use crate::{Activation, DisjointMut, Executor, Kernel, scratch};

/// Multiplications that are worth a chunk of their own.
const CHUNK_MULTIPLICATIONS: usize = 400_000;

/// The forward pass for one shape, with the tables that it needs.
#[derive(Clone, Debug)]
pub(super) struct ForwardPass {
    pub shape: ConvShape,
    planes: Planes,
    /// Blocks of filters; none where the lanes are columns.
    blocks: Vec<FilterBlock>,
}

/// What a forward pass reads.
#[derive(Clone, Copy)]
pub(super) struct ForwardInput<'a> {
    pub batch: usize,
    /// `[batch, channels, height, width]`
    pub images: &'a [f32],
    /// `[filters, channels, kernel rows, kernel columns]`
    pub weight: &'a [f32],
    /// `[filters]`
    pub bias: &'a [f32],
}

/// What it writes.
pub(super) struct ForwardOutput<'a> {
    /// `[batch, filters, height, width]`
    pub output: &'a mut [f32],
    /// For each output, which of the pool's four it is; empty if it is not needed.
    pub picks: &'a mut [u8],
    /// For each output, what went into the activation; empty if it is not needed.
    pub pre_activation: &'a mut [f32],
}

impl ForwardPass {
    pub fn new(shape: ConvShape) -> Self {
        // Before a pool that comes last, all columns are computed side by side.
        if column_lanes::suit(&shape) {
            let planes = Planes::new(&shape, shape.fused_pool().size());
            Self { shape, planes, blocks: Vec::new() }
        } else {
            Self { shape, planes: Planes::new(&shape, 1), blocks: blocks(&shape) }
        }
    }

    /// Runs it; the slices have the lengths of their shapes.
    pub fn run(&self, executor: &Executor, from: ForwardInput<'_>, to: ForwardOutput<'_>) {
        let ForwardInput { batch, images, weight, bias } = from;
        scratch::with(packed_len(&self.blocks), |packed| {
            let pack = PackFilters {
                blocks: &self.blocks,
                weight,
                bias,
                packed: DisjointMut::new(packed),
            };
            executor.run(self.blocks.len(), &pack);
            let lanes = match self.blocks.as_slice() {
                [] => Lanes::Columns { weight, bias },
                blocks => Lanes::Filters { blocks, packed },
            };
            let images_per_chunk =
                (CHUNK_MULTIPLICATIONS / self.shape.multiplications().max(1)).clamp(1, 64);
            let forward = Forward {
                shape: &self.shape,
                planes: &self.planes,
                lanes,
                batch,
                images_per_chunk,
                images,
                output: DisjointMut::new(to.output),
                picks: DisjointMut::new(to.picks),
                pre_activation: DisjointMut::new(to.pre_activation),
            };
            executor.run(batch.div_ceil(images_per_chunk), &forward);
        });
    }
}

/// What the lanes of a vector hold.
#[derive(Clone, Copy)]
enum Lanes<'a> {
    /// Filters, packed in blocks.
    Filters { blocks: &'a [FilterBlock], packed: &'a [f32] },
    /// Columns of the output. The weights are as the caller has them.
    Columns { weight: &'a [f32], bias: &'a [f32] },
}

/// The forward pass of a batch.
struct Forward<'a> {
    shape: &'a ConvShape,
    planes: &'a Planes,
    lanes: Lanes<'a>,
    batch: usize,
    images_per_chunk: usize,
    images: &'a [f32],
    output: DisjointMut<'a, f32>,
    picks: DisjointMut<'a, u8>,
    pre_activation: DisjointMut<'a, f32>,
}

/// What belongs to one image.
struct Image<'a> {
    planes: &'a [f32],
    output: &'a mut [f32],
    picks: &'a mut [u8],
    pre_activation: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let first = chunk * self.images_per_chunk;
        let images = first..self.batch.min(first + self.images_per_chunk);
        let sink_len = filter_lanes::sink_len(self.shape);
        let [planes_len, conv_len] = [self.planes.len() + Planes::SLACK, self.conv_len()];
        scratch::with(planes_len + 2 * conv_len + sink_len, |memory| {
            let (planes, memory) = memory.split_at_mut(planes_len);
            let (conv, sink) = memory.split_at_mut(2 * conv_len);
            for n in images {
                let image = &self.images[n * self.shape.image_len()..][..self.shape.image_len()];
                let planes: &[f32] = if self.reads_images() {
                    image
                } else {
                    self.planes.fill(image, &mut planes[..self.planes.len()]);
                    planes
                };
                s.outline(ForwardImage { forward: self, image: self.image(n, planes), conv, sink });
            }
        });
    }
}

impl<'a> Forward<'a> {
    /// Whether images can be read where they are.
    fn reads_images(&self) -> bool {
        matches!(self.lanes, Lanes::Filters { .. }) && self.planes.is_image()
    }

    /// Numbers of an image before the pool, if they have to be kept until after the activation.
    fn conv_len(&self) -> usize {
        if self.shape.fused_pool() != self.shape.pool {
            self.shape.filters * self.shape.conv_size().iter().product::<usize>()
        } else {
            0
        }
    }

    #[inline(always)]
    fn image<'b>(&'b self, n: usize, planes: &'b [f32]) -> Image<'b> {
        let len = self.shape.output_len();
        let range = |whole: usize| {
            if whole == 0 { 0..0 } else { n * len..(n + 1) * len }
        };
        // SAFETY: each image is in one chunk, and images do not overlap.
        unsafe {
            Image {
                planes,
                output: self.output.range(range(self.output.len())),
                picks: self.picks.range(range(self.picks.len())),
                pre_activation: self.pre_activation.range(range(self.pre_activation.len())),
            }
        }
    }
}

struct ForwardImage<'a, 'b> {
    forward: &'a Forward<'a>,
    image: Image<'b>,
    /// Buffers for the values before the pool, and for their activations.
    conv: &'b mut [f32],
    /// A buffer for results that have yet to be transposed.
    sink: &'b mut [f32],
}

impl Outlined for ForwardImage<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { forward, image, conv, sink } = self;
        let shape = forward.shape;
        if !conv.is_empty() {
            return forward.pool_after_activation(s, image, conv, sink);
        }
        forward.convolve(s, image.planes, shape.pool, image.output, image.picks, sink);
        if !image.pre_activation.is_empty() {
            image.pre_activation.copy_from_slice(image.output);
        }
        activate(s, shape.activation, image.output);
    }
}

impl Forward<'_> {
    /// Convolution, bias and pool of one image. `picks` may be empty.
    #[inline(always)]
    fn convolve<S: Simd>(
        &self,
        s: S,
        planes: &[f32],
        pool: Pool,
        output: &mut [f32],
        picks: &mut [u8],
        sink: &mut [f32],
    ) {
        let size = self.shape.conv_size().map(|size| size / pool.size());
        if output.is_empty() {
            return;
        }
        match self.lanes {
            Lanes::Filters { blocks, packed } => {
                let source =
                    FilterSource { layout: self.planes, planes, blocks, packed, size, pool };
                filter_lanes::convolve(s, &source, output, picks, sink);
            }
            Lanes::Columns { weight, bias } => {
                let source = ColumnSource { layout: self.planes, planes, weight, bias, size, pool };
                column_lanes::convolve(s, &source, output, picks);
            }
        }
    }

    /// The whole block for an activation that may prefer a smaller number: it comes before the
    /// pool.
    #[inline(always)]
    fn pool_after_activation<S: Simd>(
        &self,
        s: S,
        image: Image<'_>,
        conv: &mut [f32],
        sink: &mut [f32],
    ) {
        let [rows, columns] = self.shape.conv_size();
        let (before, after) = conv.split_at_mut(conv.len() / 2);
        self.convolve(s, image.planes, Pool::None, before, &mut [], sink);
        after.copy_from_slice(before);
        activate(s, self.shape.activation, after);
        let (out_rows, out_columns) = (rows / 2, columns / 2);
        for i in 0..image.output.len() {
            let (plane, place) = (i / (out_rows * out_columns), i % (out_rows * out_columns));
            let corner =
                (plane * rows + place / out_columns * 2) * columns + place % out_columns * 2;
            let square = [corner, corner + 1, corner + columns, corner + columns + 1];
            let pick = largest(square.map(|at| after[at]));
            image.output[i] = after[square[pick]];
            if !image.picks.is_empty() {
                image.picks[i] = pick as u8;
            }
            if !image.pre_activation.is_empty() {
                image.pre_activation[i] = before[square[pick]];
            }
        }
    }
}

/// Which of four is the largest: the first of equals, and the first NaN before all others.
fn largest(square: [f32; 4]) -> usize {
    let mut best = 0;
    for next in 1..4 {
        if square[next] > square[best] || (square[next].is_nan() && !square[best].is_nan()) {
            best = next;
        }
    }
    best
}

/// Applies the activation to all of `values`.
#[inline(always)]
pub(super) fn activate<S: Simd>(s: S, activation: Activation, values: &mut [f32]) {
    if activation == Activation::Linear {
        return;
    }
    for at in (0..values.len()).step_by(S::LANES) {
        let lanes = S::LANES.min(values.len() - at);
        // SAFETY: `at + lanes` is at most the length.
        unsafe {
            let before = s.load_partial(values, at, lanes);
            s.store_partial(values, at, lanes, activation.forward(s, before));
        }
    }
}
