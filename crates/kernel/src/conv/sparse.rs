//! The backward pass that visits only the gradients that are not zero: each chunk takes a few images
//! from the output's gradient to the image's, and sums up their part of the weight gradient; the
//! parts are then added in order.

use std::cell::RefCell;
use std::ops::Range;

use super::gradient::{EntryList, Plane};
use super::patch::{
    GATHERED_FILTERS, add_weight_gradient, gather_image_gradient, scatter_image_gradient,
};
use super::pixels::Pixels;
use super::positions::PositionList;
use super::shape::{ConvShape, Pool};
use super::weights::{AddSums, FilterChunks, LayOutFilters, chunk_count, sums_len};
use super::{BackwardInput, ConvGradients};
use crate::simd::{Outlined, Simd};
use crate::{DisjointMut, Executor, Kernel, scratch};

/// The backward pass for one shape, with the tables that it needs.
#[derive(Clone, Debug)]
pub(super) struct SparseBackward {
    shape: ConvShape,
    pixels: Pixels,
}

impl SparseBackward {
    pub fn new(shape: ConvShape) -> Self {
        Self { shape, pixels: Pixels::new(&shape) }
    }

    /// Runs it; the slices have the lengths of their shapes.
    pub fn run(&self, executor: &Executor, from: BackwardInput<'_>, to: ConvGradients<'_>) {
        let BackwardInput { batch, images, weight, picks, kept, d_output } = from;
        let (shape, layout) = (&self.shape, &self.pixels);
        let d_images = to.images.unwrap_or_default();
        let cut = Cut::new(shape, layout, batch);
        let filter_len = layout.filter_len();
        let filters_len = if d_images.is_empty() { 0 } else { shape.filters * filter_len };
        let sums_len = cut.chunks * sums_len(shape.filters, filter_len);
        scratch::with(filters_len + sums_len, |memory| {
            let (filters, sums) = memory.split_at_mut(filters_len);
            if !d_images.is_empty() {
                let cut = FilterChunks::new(shape.filters, filter_len);
                let filters = DisjointMut::new(filters);
                executor.run(cut.count(), &LayOutFilters { layout, cut, weight, filters });
            }
            let backward = Backward {
                shape,
                layout,
                cut,
                batch,
                images,
                filters,
                picks,
                kept,
                d_output,
                d_images: DisjointMut::new(d_images),
                sums: DisjointMut::new(sums),
            };
            executor.run(cut.chunks, &backward);
            let add = AddSums {
                filter_len,
                layout: Some(layout),
                cut: FilterChunks::new(shape.filters, filter_len * cut.chunks),
                sums,
                d_weight: DisjointMut::new(to.weight),
                d_bias: DisjointMut::new(to.bias),
            };
            executor.run(add.cut.count(), &add);
        });
    }
}

thread_local! {
    static LISTS: RefCell<Lists> = RefCell::default();
}

/// The gradients of a few filters.
#[derive(Default)]
struct Lists {
    /// Filter by filter.
    entries: EntryList,
    /// For each filter the place of its weights, and the number of its first entry.
    filters: Vec<(u32, usize)>,
    /// The same gradients by position.
    positions: PositionList,
}

/// How a batch is cut up, which depends on shapes alone.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Images whose pixels are in memory at the same time: many small ones, so that there is some
    /// work for each filter whose sums go to registers and back.
    group: usize,
    /// Outputs of a plane that are processed at a time: whole rows whose pixels stay in the first
    /// cache while every filter visits them.
    band_len: usize,
    images_per_chunk: usize,
    chunks: usize,
}

impl Cut {
    fn new(shape: &ConvShape, layout: &Pixels, batch: usize) -> Self {
        const BAND_FLOATS: usize = 8192;
        const BAND_LEN_MIN: usize = 64;
        let plane_len = layout.cell_count().max(1);
        let group = 64_usize.div_ceil(plane_len).next_power_of_two().min(8);
        let columns = shape.output_shape()[2].max(1);
        let step = layout.row_len() * shape.stride[0] * shape.pool.size();
        let rows = (BAND_FLOATS / step.max(1)).max(BAND_LEN_MIN.div_ceil(columns));
        let chunks = chunk_count(sums_len(shape.filters, layout.filter_len()));
        let images_per_chunk =
            batch.div_ceil(chunks).next_multiple_of(group).min(batch.div_ceil(4)).max(1);
        let chunks = batch.div_ceil(images_per_chunk);
        Self { group, band_len: rows * columns, images_per_chunk, chunks }
    }
}

/// The backward pass of a batch.
struct Backward<'a> {
    shape: &'a ConvShape,
    layout: &'a Pixels,
    cut: Cut,
    batch: usize,
    /// `[batch, channels, height, width]`
    images: &'a [f32],
    /// The filters as [`Pixels::fill_filter`] lays them out; empty if nobody wants the image
    /// gradient.
    filters: &'a [f32],
    /// Which of the pool's four each output is, and [`Pixels::SLACK`] more; empty where there is no
    /// pool.
    picks: &'a [u8],
    /// What the activation's derivative is computed from.
    kept: &'a [f32],
    d_output: &'a [f32],
    /// `[batch, channels, height, width]`; empty if it is not needed.
    d_images: DisjointMut<'a, f32>,
    /// For each chunk, its [`sums_len`] sums.
    sums: DisjointMut<'a, f32>,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        self.chunk(s, chunk);
    }
}

impl Backward<'_> {
    #[inline(always)]
    fn chunk<S: Simd>(&self, s: S, chunk: usize) {
        let Cut { group, images_per_chunk, .. } = self.cut;
        let sums_len = sums_len(self.shape.filters, self.layout.filter_len());
        // SAFETY: every chunk has its own range.
        let sums = unsafe { self.sums.range(chunk * sums_len..(chunk + 1) * sums_len) };
        sums.fill(0.0);
        let first = chunk * images_per_chunk;
        let images = first..self.batch.min(first + images_per_chunk);
        let pixels_len = group * self.layout.image_len() + Pixels::SLACK;
        let d_pixels_len = if self.d_images.is_empty() { 0 } else { pixels_len };
        let mut lists = LISTS.take();
        lists
            .entries
            .reserve(GATHERED_FILTERS * group * self.layout.cell_count().min(self.cut.band_len));
        scratch::with(pixels_len + d_pixels_len, |memory| {
            memory.fill(0.0);
            let (pixels, d_pixels) = memory.split_at_mut(pixels_len);
            for start in images.clone().step_by(group) {
                let images = start..images.end.min(start + group);
                let mut work = GroupWork { pixels, d_pixels, lists: &mut lists, sums };
                s.outline(BackwardGroup { backward: self, images, work: &mut work });
            }
        });
        LISTS.set(lists);
    }
}

/// Memory for a group of images.
struct GroupWork<'a> {
    pixels: &'a mut [f32],
    d_pixels: &'a mut [f32],
    lists: &'a mut Lists,
    sums: &'a mut [f32],
}

struct BackwardGroup<'a, 'b> {
    backward: &'a Backward<'a>,
    images: Range<usize>,
    work: &'a mut GroupWork<'b>,
}

impl Outlined for BackwardGroup<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { backward, images, work } = self;
        backward.group(s, images, work);
    }
}

impl Backward<'_> {
    #[inline(always)]
    fn group<S: Simd>(&self, s: S, images: Range<usize>, work: &mut GroupWork<'_>) {
        let (image_len, pixels_len) = (self.shape.image_len(), self.layout.image_len());
        for (i, n) in images.clone().enumerate() {
            let pixels = &mut work.pixels[i * pixels_len..][..pixels_len];
            self.layout.fill(s, &self.images[n * image_len..][..image_len], pixels);
        }
        work.d_pixels.fill(0.0);
        let plane_len = self.layout.cell_count();
        for start in (0..plane_len).step_by(self.cut.band_len) {
            let band = start..plane_len.min(start + self.cut.band_len);
            for first in (0..self.shape.filters).step_by(GATHERED_FILTERS) {
                let filters = first..self.shape.filters.min(first + GATHERED_FILTERS);
                self.filters(s, filters, images.clone(), band.clone(), work);
            }
        }
        if self.d_images.is_empty() {
            return;
        }
        for (i, n) in images.enumerate() {
            // SAFETY: each image is in one chunk, and images do not overlap.
            let d_image = unsafe { self.d_images.range(n * image_len..(n + 1) * image_len) };
            self.layout.extract(s, &work.d_pixels[i * pixels_len..][..pixels_len], d_image);
        }
    }

    /// What the gradients of a few filters do, of a band of a group of images.
    #[inline(always)]
    fn filters<S: Simd>(
        &self,
        s: S,
        filters: Range<usize>,
        images: Range<usize>,
        band: Range<usize>,
        work: &mut GroupWork<'_>,
    ) {
        let filter_len = self.layout.filter_len();
        let (d_filters, d_biases) = work.sums.split_at_mut(self.shape.filters * filter_len);
        let Lists { entries, filters: starts, positions } = &mut *work.lists;
        let gather = self.gathers();
        entries.clear();
        starts.clear();
        for filter in filters {
            let (start, weights) = (entries.len(), filter * filter_len..(filter + 1) * filter_len);
            starts.push((weights.start as u32, start));
            for (i, n) in images.clone().enumerate() {
                d_biases[filter] += entries.append(s, self.plane(filter, [n, i], band.clone()));
            }
            // SAFETY: the pixels of a layout's cells, and of the four of their pools, have all of
            // their patches inside an image, and there is room for every image of a group.
            unsafe {
                let entries = entries.since(start);
                add_weight_gradient(
                    s,
                    self.layout,
                    entries,
                    work.pixels,
                    &mut d_filters[weights.clone()],
                );
                if !self.d_images.is_empty() && !gather {
                    scatter_image_gradient(
                        s,
                        self.layout,
                        entries,
                        &self.filters[weights],
                        work.d_pixels,
                    );
                }
            }
        }
        if !self.d_images.is_empty() && gather {
            positions.sort(entries.since(0), starts, self.pixels_of(band, images.len()));
            // SAFETY: as above.
            unsafe {
                gather_image_gradient(s, self.layout, positions, self.filters, work.d_pixels)
            };
        }
    }

    /// Whether the image gradient is gathered by position, which pays for sorting where patches are
    /// large.
    fn gathers(&self) -> bool {
        self.layout.is_wide() && self.shape.filters * self.layout.filter_len() >= 4096
    }

    /// The pixels at which filters start in a band of each of `images` images.
    fn pixels_of(&self, band: Range<usize>, images: usize) -> Range<usize> {
        let cells = &self.layout.cells()[band];
        let [first, last] =
            [cells.first(), cells.last()].map(|cell| cell.map_or(0, |cell| *cell as usize));
        let last_pick = match self.shape.pool {
            Pool::None => 0,
            Pool::Max2x2 => self.layout.pick_steps().iter().sum::<u32>() as usize,
        };
        first..(images - 1) * self.layout.pixel_count() + last + last_pick + 1
    }

    /// A band of the plane of `filter` in image `n` of the batch, which is image `i` of the group.
    #[inline(always)]
    fn plane(&self, filter: usize, [n, i]: [usize; 2], band: Range<usize>) -> Plane<'_> {
        let at = (n * self.shape.filters + filter) * self.layout.cell_count();
        let range = at + band.start..at + band.end;
        Plane {
            activation: self.shape.activation,
            kept: &self.kept[range.clone()],
            d_output: &self.d_output[range.clone()],
            picks: if self.picks.is_empty() { &[] } else { &self.picks[range.start..] },
            cells: &self.layout.cells()[band.start..],
            pick_steps: self.layout.pick_steps(),
            image_at: (i * self.layout.pixel_count()) as u32,
        }
    }
}
