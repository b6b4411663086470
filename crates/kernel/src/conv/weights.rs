//! The weights on their way into the backward pass, and their gradient on its way out.
//!
//! Each chunk of images has sums of its own: for each filter its weight gradient, laid out as suits
//! the pass; then the biases'. They are added in the order of chunks.

use std::ops::Range;

use super::pixels::Pixels;
use super::shape::ConvShape;
use crate::simd::Simd;
use crate::{DisjointMut, Kernel, scratch};

/// The length of a chunk's sums, of filters of `filter_len` numbers.
pub(super) fn sums_len(filters: usize, filter_len: usize) -> usize {
    filters * (filter_len + 1)
}

/// How many chunks a batch is cut into.
///
/// Every chunk has its own sums for all filters; they should not crowd out the caches. A power of two
/// divides evenly among common thread counts.
pub(super) fn chunk_count(sums_len: usize) -> usize {
    match (1 << 19) / sums_len.max(1) {
        16.. => 16,
        8.. => 8,
        _ => 4,
    }
}

/// The filters of a block, cut into chunks that are worth handing out.
#[derive(Clone, Copy, Debug)]
pub(super) struct FilterChunks {
    filters: usize,
    per_chunk: usize,
}

impl FilterChunks {
    /// Chunks of filters for each of which so many floats are read.
    pub fn new(filters: usize, floats_per_filter: usize) -> Self {
        const FLOATS_MIN: usize = 1 << 14;
        Self { filters, per_chunk: (FLOATS_MIN / floats_per_filter.max(1)).max(1) }
    }

    /// How many chunks.
    pub fn count(self) -> usize {
        self.filters.div_ceil(self.per_chunk)
    }

    fn filters_of(self, chunk: usize) -> Range<usize> {
        let first = chunk * self.per_chunk;
        first..self.filters.min(first + self.per_chunk)
    }
}

/// Lays out filters for the backward pass.
pub(super) struct LayOutFilters<'a> {
    pub layout: &'a Pixels,
    pub cut: FilterChunks,
    pub weight: &'a [f32],
    pub filters: DisjointMut<'a, f32>,
}

impl Kernel for LayOutFilters<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let (from_len, to_len) = (self.layout.weights_per_filter(), self.layout.filter_len());
        for filter in self.cut.filters_of(chunk) {
            let from = &self.weight[filter * from_len..][..from_len];
            // SAFETY: each filter is in one chunk, and filters do not overlap.
            let to = unsafe { self.filters.range(filter * to_len..(filter + 1) * to_len) };
            self.layout.fill_filter(s, from, to);
        }
    }
}

/// Sets `mirrored`, `[channels, filters, rows, columns]`, to the filters rotated by 180°: the
/// convolution with these is the gradient of the one with those.
pub(super) struct MirrorFilters<'a> {
    pub shape: &'a ConvShape,
    pub weight: &'a [f32],
    pub mirrored: DisjointMut<'a, f32>,
}

impl Kernel for MirrorFilters<'_> {
    /// A chunk is a channel.
    #[inline(always)]
    fn run<S: Simd>(&self, _: S, channel: usize) {
        let ConvShape { in_channels, filters, kernel: [rows, columns], .. } = *self.shape;
        let area = rows * columns;
        let range = channel * filters * area..(channel + 1) * filters * area;
        // SAFETY: channels do not overlap.
        let mirrored = unsafe { self.mirrored.range(range) };
        for (filter, to) in mirrored.chunks_exact_mut(area).enumerate() {
            let from = &self.weight[(filter * in_channels + channel) * area..][..area];
            for (to, from) in to.iter_mut().zip(from.iter().rev()) {
                *to = *from;
            }
        }
    }
}

/// Adds the sums of all chunks of images.
pub(super) struct AddSums<'a> {
    /// The length of a filter's sums.
    pub filter_len: usize,
    /// How they are laid out; as the weights themselves where there is none.
    pub layout: Option<&'a Pixels>,
    pub cut: FilterChunks,
    pub sums: &'a [f32],
    pub d_weight: DisjointMut<'a, f32>,
    pub d_bias: DisjointMut<'a, f32>,
}

impl Kernel for AddSums<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        for filter in self.cut.filters_of(chunk) {
            self.add(s, filter);
        }
    }
}

impl AddSums<'_> {
    #[inline(always)]
    fn add<S: Simd>(&self, s: S, filter: usize) {
        let (len, filters) = (self.filter_len, self.cut.filters);
        let to_len = self.layout.map_or(len, Pixels::weights_per_filter);
        // SAFETY: each filter is in one chunk, and filters do not overlap.
        let (d_weight, d_bias) = unsafe {
            (
                self.d_weight.range(filter * to_len..(filter + 1) * to_len),
                self.d_bias.range(filter..filter + 1),
            )
        };
        let chunks = || self.sums.chunks_exact(sums_len(filters, len));
        d_bias[0] = chunks().map(|sums| sums[filters * len + filter]).sum();
        let add = |total: &mut [f32]| {
            total.fill(0.0);
            for sums in chunks() {
                for (total, sum) in total.iter_mut().zip(&sums[filter * len..][..len]) {
                    *total += sum;
                }
            }
        };
        let Some(layout) = self.layout else {
            return add(d_weight);
        };
        scratch::with(len, |total| {
            add(total);
            layout.extract_filter(s, total, d_weight);
        });
    }
}
