//! The backward pass: each chunk takes blocks of tiles from the output's gradient to the images', and adds up its part
//! of the weights' gradient at the points.

use std::marker::PhantomData;
use std::ops::Range;

use super::product::{Product, panel_vectors};
use super::rows::PixelRows;
use super::tiles::{Gather, Numbers, Planes, Results, Spread, TILE, TileRow, columns_room};
use super::unpool::unpool;
use super::weights::{AddSums, Direction, Pack, Packed, Sums};
use super::{Side, Tiling, suits_backward};
use crate::activation::Activation;
use crate::conv::shape::{ConvShape, Pool};
use crate::conv::weights::chunk_count;
use crate::conv::{BackwardInput, ConvGradients};
use crate::simd::{Outlined, Simd};
use crate::{DisjointMut, Executor, Kernel, scratch};

/// The backward pass for one shape.
#[derive(Clone, Debug)]
pub(in crate::conv) struct WinogradBackward {
    tiling: Tiling,
    sums: Sums,
}

impl WinogradBackward {
    /// `None` for a shape that it does not cover, or that another method is faster for.
    pub fn new(shape: ConvShape) -> Option<Self> {
        suits_backward(&shape).then(|| Self::of(shape)).flatten()
    }

    /// `None` for a shape that it does not cover.
    pub fn of(shape: ConvShape) -> Option<Self> {
        let tiling = Tiling::new(shape)?;
        let points = tiling.kernel.points();
        let sums = Sums { points, filters: shape.filters, channels: shape.in_channels };
        Some(Self { tiling, sums })
    }

    /// Runs it; the slices have the lengths of their shapes.
    pub fn run(&self, executor: &Executor, from: BackwardInput<'_>, to: ConvGradients<'_>) {
        match self.tiling.kernel {
            Side::Three => self.run_points::<3, 6>(executor, from, to),
            Side::Five => self.run_points::<5, 8>(executor, from, to),
        }
    }

    /// For kernels of `K` rows and columns, at `SIDE` points along each.
    fn run_points<const K: usize, const SIDE: usize>(
        &self,
        executor: &Executor,
        from: BackwardInput<'_>,
        to: ConvGradients<'_>,
    ) {
        let shape = &self.tiling.shape;
        let cut = Cut::new(&self.tiling, &self.sums, from.batch);
        let layout = Packed::new(self.tiling.kernel, shape, Direction::Backward);
        let is_pooled = shape.pool != Pool::None;
        let is_given = shape.activation == Activation::Linear && !is_pooled;
        let lens = [
            cut.chunks * self.sums.len(),
            if to.images.is_some() { layout.len() } else { 0 },
            if is_given { 0 } else { from.batch * self.tiling.results.image_len() },
        ];
        scratch::with(lens.iter().sum(), |memory| {
            let [sums, packed, delta] = scratch::split(memory, lens);
            if !packed.is_empty() {
                let packed = DisjointMut::new(packed);
                let pack = Pack::<K, SIDE> { layout, weight: from.weight, packed };
                executor.run(layout.chunks(), &pack);
            }
            let delta = if is_given {
                from.d_output
            } else if is_pooled {
                unpool(executor, shape, from, delta);
                delta
            } else {
                crate::sum::gradient(executor, shape.activation, from.kept, from.d_output, delta);
                delta
            };
            let backward = Backward::<SIDE> {
                tiling: &self.tiling,
                layout: self.sums,
                cut,
                packing: layout,
                images: from.images,
                delta,
                packed,
                d_images: DisjointMut::new(to.images.unwrap_or_default()),
                sums: DisjointMut::new(sums),
            };
            executor.run(cut.chunks, &backward);
            let add = AddSums::<K, SIDE> {
                layout: self.sums,
                sums,
                d_weight: DisjointMut::new(to.weight),
                d_bias: DisjointMut::new(to.bias),
            };
            executor.run(add.chunks(), &add);
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
    fn new(tiling: &Tiling, sums: &Sums, batch: usize) -> Self {
        let images_per_block = tiling.block_rows.div_ceil(tiling.rows);
        let wanted = batch.div_ceil(chunk_count(sums.len()));
        let images_per_chunk =
            wanted.next_multiple_of(images_per_block).min(batch.div_ceil(4)).max(1);
        Self { batch, images_per_chunk, chunks: batch.div_ceil(images_per_chunk) }
    }

    /// The rows of tiles of a chunk.
    fn rows(&self, chunk: usize, rows_per_image: usize) -> Range<usize> {
        let first = chunk * self.images_per_chunk;
        let end = self.batch.min(first + self.images_per_chunk);
        first * rows_per_image..end * rows_per_image
    }
}

struct Backward<'a, const SIDE: usize> {
    tiling: &'a Tiling,
    layout: Sums,
    cut: Cut,
    packing: Packed,
    images: &'a [f32],
    /// The gradient before the activation.
    delta: &'a [f32],
    /// Empty if it is not needed.
    packed: &'a [f32],
    d_images: DisjointMut<'a, f32>,
    /// For each chunk its sums.
    sums: DisjointMut<'a, f32>,
}

/// Memory for a block.
struct Work<'a, const SIDE: usize> {
    /// The images at the points, and then their gradient.
    numbers: &'a mut [f32],
    deltas: &'a mut [f32],
    pixels: PixelRows<'a, SIDE>,
    delta_rows: PixelRows<'a, TILE>,
    d_pixels: PixelRows<'a, SIDE>,
    room: &'a mut [f32],
    delta_room: &'a mut [f32],
    d_room: &'a mut [f32],
    sums: &'a mut [f32],
}

impl<const SIDE: usize> Kernel for Backward<'_, SIDE> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let tiling = self.tiling;
        let (image_planes, result_planes) = (tiling.image_planes(), tiling.result_planes());
        let wants_images = !self.packed.is_empty();
        let lens = [
            image_planes.len(),
            result_planes.len(),
            PixelRows::<SIDE>::room(tiling.images),
            PixelRows::<TILE>::room(tiling.results),
            if wants_images { PixelRows::<SIDE>::room(tiling.images) } else { 0 },
            columns_room(SIDE, tiling.columns, SIDE),
            columns_room(SIDE, tiling.columns, TILE),
            columns_room(SIDE, tiling.columns, SIDE),
        ];
        let sums_len = self.layout.len();
        // SAFETY: every chunk has its own range.
        let sums = unsafe { self.sums.range(chunk * sums_len..(chunk + 1) * sums_len) };
        sums[self.layout.bias_at()..].fill(0.0);
        scratch::with(lens.iter().sum(), |memory| {
            let [numbers, deltas, pixels, delta_rows, d_pixels, room, delta_room, d_room] =
                scratch::split(memory, lens);
            room.fill(0.0);
            delta_room.fill(0.0);
            let mut work = Work {
                numbers,
                deltas,
                pixels: PixelRows::new(tiling.images, pixels),
                delta_rows: PixelRows::new(tiling.results, delta_rows),
                d_pixels: PixelRows::new(tiling.images, d_pixels),
                room,
                delta_room,
                d_room,
                sums,
            };
            let all = self.cut.rows(chunk, tiling.rows);
            for start in all.clone().step_by(tiling.block_rows) {
                let rows = start..all.end.min(start + tiling.block_rows);
                self.spread(s, rows.clone(), &mut work, image_planes, result_planes);
                s.outline(Multiply {
                    backward: self,
                    tiles: rows.len() * tiling.columns,
                    numbers: (&mut *work.numbers, image_planes),
                    deltas: (&*work.deltas, result_planes),
                    sums: &mut *work.sums,
                    add: start > all.start,
                });
                if wants_images {
                    self.gather(s, rows, &mut work, image_planes);
                }
            }
        });
    }
}

impl<const SIDE: usize> Backward<'_, SIDE> {
    /// Takes images and gradients of a block to the points, and adds up the biases'.
    #[inline(always)]
    fn spread<S: Simd>(
        &self,
        s: S,
        rows: Range<usize>,
        work: &mut Work<'_, SIDE>,
        image_planes: Planes,
        result_planes: Planes,
    ) {
        let tiling = self.tiling;
        let (image_len, delta_len) = (tiling.images.image_len(), tiling.results.image_len());
        for (i, row) in rows.enumerate() {
            let (n, y) = (row / tiling.rows, row % tiling.rows);
            let first = tiling.image_row(y);
            let kept = if i == 0 || y == 0 {
                work.pixels.start_at(first);
                0
            } else {
                work.pixels.move_to(first)
            };
            work.pixels.read(s, &self.images[n * image_len..][..image_len], kept);
            let tiles = i * tiling.columns;
            s.outline(Spread::<Numbers, SIDE, SIDE> {
                row: TileRow {
                    tiles: tiling.columns,
                    left: tiling.shape.padding.left,
                    planes: image_planes,
                    first: tiles,
                },
                pixels: &work.pixels,
                room: work.room,
                planes: work.numbers,
                transform: PhantomData,
            });
            work.delta_rows.start_at((y * TILE) as isize);
            work.delta_rows.read(s, &self.delta[n * delta_len..][..delta_len], 0);
            let d_bias = &mut work.sums[self.layout.bias_at()..];
            work.delta_rows.add_up(s, d_bias);
            s.outline(Spread::<Results, TILE, SIDE> {
                row: TileRow {
                    tiles: tiling.columns,
                    left: 0,
                    planes: result_planes,
                    first: tiles,
                },
                pixels: &work.delta_rows,
                room: work.delta_room,
                planes: work.deltas,
                transform: PhantomData,
            });
        }
    }

    /// Takes the images' gradient from the points to where it belongs.
    #[inline(always)]
    fn gather<S: Simd>(
        &self,
        s: S,
        rows: Range<usize>,
        work: &mut Work<'_, SIDE>,
        image_planes: Planes,
    ) {
        let tiling = self.tiling;
        let image_len = tiling.images.image_len();
        for (i, row) in rows.enumerate() {
            let (n, y) = (row / tiling.rows, row % tiling.rows);
            let first = tiling.image_row(y);
            if y == 0 {
                work.d_pixels.start_at(first);
                work.d_pixels.clear(SIDE - TILE);
            } else {
                work.d_pixels.move_to(first);
            }
            s.outline(Gather::<Numbers, SIDE, SIDE> {
                row: TileRow {
                    tiles: tiling.columns,
                    left: tiling.shape.padding.left,
                    planes: image_planes,
                    first: i * tiling.columns,
                },
                planes: work.numbers,
                room: work.d_room,
                bias: &[],
                pixels: &mut work.d_pixels,
                transform: PhantomData,
            });
            let is_last = y + 1 == tiling.rows;
            // SAFETY: images do not overlap, and each is in one chunk.
            let image = unsafe { self.d_images.range(n * image_len..(n + 1) * image_len) };
            work.d_pixels.write(s, if is_last { SIDE } else { TILE }, image);
        }
    }
}

/// The products of a block.
struct Multiply<'a, const SIDE: usize> {
    backward: &'a Backward<'a, SIDE>,
    tiles: usize,
    numbers: (&'a mut [f32], Planes),
    deltas: (&'a [f32], Planes),
    sums: &'a mut [f32],
    /// Whether there are sums of blocks before.
    add: bool,
}

impl<const SIDE: usize> Outlined for Multiply<'_, SIDE> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            backward,
            tiles,
            numbers: (numbers, of_images),
            deltas: (deltas, of_results),
            sums,
            add,
        } = self;
        let ConvShape { in_channels, filters, .. } = backward.tiling.shape;
        let (sums_layout, packing) = (backward.layout, &backward.packing);
        for point in 0..SIDE * SIDE {
            let (numbers, deltas) =
                (of_images.plane_mut(numbers, point), of_results.plane(deltas, point));
            let of_weights = Product {
                left: deltas,
                left_steps: [1, of_results.stride],
                right: numbers,
                right_steps: [const { panel_vectors::<S>() } * S::LANES, of_images.stride],
                rows: filters,
                vectors: in_channels.div_ceil(S::LANES),
                depth: tiles,
            };
            let sums = &mut sums[point * sums_layout.step()..(point + 1) * sums_layout.step()];
            of_weights.write(s, sums, sums_layout.row(), add);
            if backward.packed.is_empty() {
                continue;
            }
            // The images themselves are not needed any more.
            let of_images_gradient = Product {
                left: deltas,
                left_steps: [of_results.stride, 1],
                right: &backward.packed[point * packing.step()..(point + 1) * packing.step()],
                right_steps: packing.steps::<S>(),
                rows: tiles,
                vectors: packing.vectors::<S>(),
                depth: filters,
            };
            of_images_gradient.write(s, numbers, of_images.stride, false);
        }
    }
}
