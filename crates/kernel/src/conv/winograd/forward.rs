//! The forward pass: each chunk takes a few blocks of tiles from pixels to activations.

use std::marker::PhantomData;
use std::ops::Range;

use super::pool::{Pooled, pooled_room};
use super::product::Product;
use super::rows::{PixelRows, stride};
use super::tiles::{Gather, Numbers, Planes, Results, Spread, TILE, TileRow, columns_room};
use super::weights::{Direction, Pack, Packed};
use super::{Side, Tiling, suits_forward};
use crate::conv::forward::{ForwardInput, ForwardOutput, activate};
use crate::conv::shape::ConvShape;
use crate::simd::{Outlined, Simd};
use crate::{Activation, DisjointMut, Executor, Kernel, scratch};

/// The forward pass for one shape.
#[derive(Clone, Debug)]
pub(in crate::conv) struct WinogradForward {
    tiling: Tiling,
}

impl WinogradForward {
    /// `None` for a shape that it does not cover, or that another method is faster for.
    pub fn new(shape: ConvShape) -> Option<Self> {
        suits_forward(&shape).then(|| Self::of(shape)).flatten()
    }

    /// `None` for a shape that it does not cover.
    pub fn of(shape: ConvShape) -> Option<Self> {
        Tiling::new(shape).map(|tiling| Self { tiling })
    }

    /// Runs it; the slices have the lengths of their shapes.
    pub fn run(&self, executor: &Executor, from: ForwardInput<'_>, to: ForwardOutput<'_>) {
        match self.tiling.kernel {
            Side::Three => self.run_points::<3, 6>(executor, from, to),
            Side::Five => self.run_points::<5, 8>(executor, from, to),
        }
    }

    /// For kernels of `K` rows and columns, at `SIDE` points along each.
    fn run_points<const K: usize, const SIDE: usize>(
        &self,
        executor: &Executor,
        from: ForwardInput<'_>,
        to: ForwardOutput<'_>,
    ) {
        let ForwardInput { batch, images, weight, bias } = from;
        let layout = Packed::new(self.tiling.kernel, &self.tiling.shape, Direction::Forward);
        let bias_len = stride(bias.len());
        scratch::with(layout.len() + bias_len, |memory| {
            let (packed, padded_bias) = memory.split_at_mut(layout.len());
            padded_bias.fill(0.0);
            padded_bias[..bias.len()].copy_from_slice(bias);
            let pack = Pack::<K, SIDE> { layout, weight, packed: DisjointMut::new(packed) };
            executor.run(layout.chunks(), &pack);
            let cut = Cut::new(&self.tiling, batch);
            let forward = Forward::<SIDE> {
                tiling: &self.tiling,
                cut,
                layout,
                images,
                packed,
                bias: padded_bias,
                output: DisjointMut::new(to.output),
                picks: DisjointMut::new(to.picks),
                pre_activation: DisjointMut::new(to.pre_activation),
            };
            executor.run(cut.chunks, &forward);
        });
    }
}

/// How the images of a batch are shared out, which depends on shapes alone.
#[derive(Clone, Copy, Debug)]
struct Cut {
    batch: usize,
    images_per_chunk: usize,
    chunks: usize,
}

impl Cut {
    fn new(tiling: &Tiling, batch: usize) -> Self {
        const CHUNKS_MAX: usize = 32;
        let images_per_block = tiling.block_rows.div_ceil(tiling.rows);
        let images_per_chunk = batch.div_ceil(CHUNKS_MAX).max(images_per_block);
        Self { batch, images_per_chunk, chunks: batch.div_ceil(images_per_chunk) }
    }

    /// The rows of tiles of a chunk.
    fn rows(&self, chunk: usize, rows_per_image: usize) -> Range<usize> {
        let first = chunk * self.images_per_chunk;
        let end = self.batch.min(first + self.images_per_chunk);
        first * rows_per_image..end * rows_per_image
    }
}

struct Forward<'a, const SIDE: usize> {
    tiling: &'a Tiling,
    cut: Cut,
    layout: Packed,
    images: &'a [f32],
    packed: &'a [f32],
    /// As long as a pixel of the results.
    bias: &'a [f32],
    output: DisjointMut<'a, f32>,
    /// Which of the pool's four each output is; empty if it is not needed.
    picks: DisjointMut<'a, u8>,
    /// Empty if it is not needed.
    pre_activation: DisjointMut<'a, f32>,
}

impl<const SIDE: usize> Kernel for Forward<'_, SIDE> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let tiling = self.tiling;
        let (image_planes, result_planes) = (tiling.image_planes(), tiling.result_planes());
        let lens = [
            image_planes.len(),
            result_planes.len(),
            PixelRows::<SIDE>::room(tiling.images),
            PixelRows::<TILE>::room(tiling.results),
            columns_room(SIDE, tiling.columns, SIDE),
            columns_room(SIDE, tiling.columns, TILE),
            pooled_room(&tiling.shape),
        ];
        scratch::with(lens.iter().sum(), |memory| {
            let [numbers, products, pixels, results, room, result_room, pooled] =
                scratch::split(memory, lens);
            room.fill(0.0);
            let mut work = Work {
                numbers,
                products,
                pixels: PixelRows::new(tiling.images, pixels),
                results: PixelRows::new(tiling.results, results),
                room,
                result_room,
                pooled: Pooled::new(&tiling.shape, pooled),
            };
            let all = self.cut.rows(chunk, tiling.rows);
            for start in all.clone().step_by(tiling.block_rows) {
                let rows = start..all.end.min(start + tiling.block_rows);
                self.block(s, rows, &mut work, image_planes, result_planes);
            }
        });
    }
}

/// Memory for a block.
struct Work<'a, const SIDE: usize> {
    numbers: &'a mut [f32],
    products: &'a mut [f32],
    pixels: PixelRows<'a, SIDE>,
    results: PixelRows<'a, TILE>,
    room: &'a mut [f32],
    result_room: &'a mut [f32],
    /// `None` where there is no pool.
    pooled: Option<Pooled<'a>>,
}

impl<const SIDE: usize> Forward<'_, SIDE> {
    #[inline(always)]
    fn block<S: Simd>(
        &self,
        s: S,
        rows: Range<usize>,
        work: &mut Work<'_, SIDE>,
        image_planes: Planes,
        result_planes: Planes,
    ) {
        let tiling = self.tiling;
        let image_len = tiling.images.image_len();
        for (i, row) in rows.clone().enumerate() {
            let (n, y) = (row / tiling.rows, row % tiling.rows);
            let first = tiling.image_row(y);
            let kept = if i == 0 || y == 0 {
                work.pixels.start_at(first);
                0
            } else {
                work.pixels.move_to(first)
            };
            work.pixels.read(s, &self.images[n * image_len..][..image_len], kept);
            s.outline(Spread::<Numbers, SIDE, SIDE> {
                row: TileRow {
                    tiles: tiling.columns,
                    left: tiling.shape.padding.left,
                    planes: image_planes,
                    first: i * tiling.columns,
                },
                pixels: &work.pixels,
                room: work.room,
                planes: work.numbers,
                transform: PhantomData,
            });
        }
        s.outline(Multiply {
            forward: self,
            tiles: rows.len() * tiling.columns,
            numbers: (work.numbers, image_planes),
            products: (work.products, result_planes),
        });
        for (i, row) in rows.enumerate() {
            let (n, y) = (row / tiling.rows, row % tiling.rows);
            work.results.start_at((y * TILE) as isize);
            s.outline(Gather::<Results, TILE, SIDE> {
                row: TileRow {
                    tiles: tiling.columns,
                    left: 0,
                    planes: result_planes,
                    first: i * tiling.columns,
                },
                planes: work.products,
                room: work.result_room,
                bias: self.bias,
                pixels: &mut work.results,
                transform: PhantomData,
            });
            match &mut work.pooled {
                Some(pooled) => self.emit_pooled(s, n, y, &work.results, pooled),
                None => self.emit(s, n, &mut work.results),
            }
        }
    }

    /// Writes a row of tiles of image `n` to the output.
    #[inline(always)]
    fn emit<S: Simd>(&self, s: S, n: usize, results: &mut PixelRows<'_, TILE>) {
        let len = self.tiling.results.image_len();
        let image = n * len..(n + 1) * len;
        if !self.pre_activation.is_empty() {
            // SAFETY: images do not overlap, and each is in one chunk.
            results.write(s, TILE, unsafe { self.pre_activation.range(image.clone()) });
        }
        let rows = results.slot(0);
        let values = &mut results.memory_mut()[rows..];
        s.outline(Activate { activation: self.tiling.shape.activation, values });
        // SAFETY: as above.
        results.write(s, TILE, unsafe { self.output.range(image) });
    }
}

impl<const SIDE: usize> Forward<'_, SIDE> {
    /// Pools row `y` of tiles of image `n`, and writes what is left of it to the output.
    #[inline(always)]
    fn emit_pooled<S: Simd>(
        &self,
        s: S,
        n: usize,
        y: usize,
        results: &PixelRows<'_, TILE>,
        pooled: &mut Pooled<'_>,
    ) {
        let len = self.tiling.shape.output_len();
        let image = n * len..(n + 1) * len;
        pooled.take(s, y, results);
        if !self.picks.is_empty() {
            // SAFETY: images do not overlap, and each is in one chunk.
            pooled.write_picks(s, unsafe { self.picks.range(image.clone()) });
        }
        let values = pooled.values_mut();
        s.outline(Activate { activation: self.tiling.shape.activation, values });
        // SAFETY: as above.
        pooled.write(s, unsafe { self.output.range(image) });
    }
}

struct Activate<'a> {
    activation: Activation,
    values: &'a mut [f32],
}

impl Outlined for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        activate(s, self.activation, self.values);
    }
}

/// The products of a block.
struct Multiply<'a, const SIDE: usize> {
    forward: &'a Forward<'a, SIDE>,
    tiles: usize,
    numbers: (&'a [f32], Planes),
    products: (&'a mut [f32], Planes),
}

impl<const SIDE: usize> Outlined for Multiply<'_, SIDE> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { forward, tiles, numbers: (numbers, from), products: (products, to) } = self;
        let layout = &forward.layout;
        for point in 0..SIDE * SIDE {
            let product = Product {
                left: from.plane(numbers, point),
                left_steps: [from.stride, 1],
                right: &forward.packed[point * layout.step()..(point + 1) * layout.step()],
                right_steps: layout.steps::<S>(),
                rows: tiles,
                vectors: layout.vectors::<S>(),
                depth: forward.tiling.shape.in_channels,
            };
            product.write(s, to.plane_mut(products, point), to.stride, false);
        }
    }
}
