//! The weights on their way into the backward pass, and their gradient on its way out.
//!
//! Each chunk of images has sums of its own: for each filter its weight gradient, as
//! [`Pixels::fill_filter`] lays it out; then the biases'. They are added in the order of chunks.

use std::ops::Range;

use super::pixels::Pixels;
use super::shape::ConvShape;
use crate::kernel::simd::Simd;
use crate::kernel::{DisjointMut, Kernel, scratch};

/// The length of a chunk's sums.
pub(super) fn sums_len(shape: &ConvShape, layout: &Pixels) -> usize {
    shape.filters * (layout.filter_len() + 1)
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

/// Adds the sums of all chunks of images.
pub(super) struct AddSums<'a> {
    pub layout: &'a Pixels,
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
        let (len, to_len) = (self.layout.filter_len(), self.layout.weights_per_filter());
        let filters = self.cut.filters;
        // SAFETY: each filter is in one chunk, and filters do not overlap.
        let (d_weight, d_bias) = unsafe {
            (
                self.d_weight.range(filter * to_len..(filter + 1) * to_len),
                self.d_bias.range(filter..filter + 1),
            )
        };
        scratch::with(len, |total| {
            total.fill(0.0);
            d_bias[0] = 0.0;
            for sums in self.sums.chunks_exact(filters * (len + 1)) {
                for (total, sum) in total.iter_mut().zip(&sums[filter * len..][..len]) {
                    *total += sum;
                }
                d_bias[0] += sums[filters * len + filter];
            }
            self.layout.extract_filter(s, total, d_weight);
        });
    }
}
