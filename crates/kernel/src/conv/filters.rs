//! Filters as the forward pass reads them: in blocks of 8, 16 or 32, one lane each.

use super::shape::ConvShape;
use super::transpose::{Rows, transpose};
use crate::simd::Simd;
use crate::{DisjointMut, Kernel};

/// Filters that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilterBlock {
    /// The number of the first filter.
    pub first: usize,
    /// How many filters; the remaining lanes are zero.
    pub filters: usize,
    /// 8, 16 or 32.
    pub lanes: usize,
    /// Where the block starts among the packed filters.
    at: usize,
    len: usize,
}

/// Cuts filters into blocks, the same on every machine.
pub(super) fn blocks(shape: &ConvShape) -> Vec<FilterBlock> {
    let (mut blocks, mut first, mut at) = (Vec::new(), 0, 0);
    while first < shape.filters {
        let lanes = match shape.filters - first {
            25.. => 32,
            9.. => 16,
            _ => 8,
        };
        let len = lanes * (1 + shape.filter_len());
        blocks.push(FilterBlock {
            first,
            filters: lanes.min(shape.filters - first),
            lanes,
            at,
            len,
        });
        first += lanes;
        at += len;
    }
    blocks
}

impl FilterBlock {
    /// The block's part of all packed filters: the biases, then for each weight of a filter one
    /// number per lane.
    pub fn of<'a>(&self, packed: &'a [f32]) -> &'a [f32] {
        &packed[self.at..self.at + self.len]
    }
}

/// The length of all blocks, packed.
pub(super) fn packed_len(blocks: &[FilterBlock]) -> usize {
    blocks.iter().map(|block| block.len).sum()
}

/// Packs filters, a block for each chunk.
pub(super) struct PackFilters<'a> {
    pub blocks: &'a [FilterBlock],
    /// `[filters, weights of a filter]`
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub packed: DisjointMut<'a, f32>,
}

impl Kernel for PackFilters<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let block = self.blocks[chunk];
        // SAFETY: blocks do not overlap.
        let packed = unsafe { self.packed.range(block.at..block.at + block.len) };
        if block.filters < block.lanes {
            packed.fill(0.0);
        }
        let filter_len = block.len / block.lanes - 1;
        packed[..block.filters].copy_from_slice(&self.bias[block.first..][..block.filters]);
        let weight = &self.weight[block.first * filter_len..][..block.filters * filter_len];
        let from = Rows { at: 0, stride: filter_len };
        let to = Rows { at: block.lanes, stride: block.lanes };
        // SAFETY: `weight` has a row for each filter; the block has one for the biases and one for
        // each weight.
        unsafe { transpose(s, (weight, from), [block.filters, filter_len], (packed, to)) };
    }
}
