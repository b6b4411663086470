//! The inner kernel of the forward pass where filters are few or small: each lane is a column of
//! the output.
//!
//! A tile is a vector of outputs for a few filters. Four sums stand behind each output: the four
//! that a pool picks from, or those of four rows. Their pixels are loaded once for all filters, and
//! results go where they belong as they are.

use super::planes::Planes;
use super::shape::{ConvShape, Pool};
use super::tile::largest_of;
use crate::simd::{InEight, Outlined, Simd};

/// Whether columns make better lanes than filters for this shape.
pub(super) fn suit(shape: &ConvShape) -> bool {
    let [rows, columns] = shape.conv_size().map(|size| size / shape.fused_pool().size());
    // Results of filter lanes have to be transposed, which few weights do not make up for.
    let bonus = if shape.filter_len() <= 64 { 1.3 } else { 0.95 };
    let used = |lanes: usize| lanes as f32 / lanes.next_multiple_of(8).max(1) as f32;
    rows >= rows_per_tile(shape.fused_pool()) && used(columns) * bonus > used(shape.filters)
}

/// Rows of the output behind which a tile has four sums for each column.
const fn rows_per_tile(pool: Pool) -> usize {
    match pool {
        Pool::None => 4,
        Pool::Max2x2 => 1,
    }
}

/// What all tiles of an image have in common.
pub(super) struct ColumnSource<'a> {
    pub layout: &'a Planes,
    /// The padded planes of the image, with [`Planes::SLACK`] floats after them.
    pub planes: &'a [f32],
    /// `[filters, weights of a filter]`
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    /// Rows and columns of the output.
    pub size: [usize; 2],
    pub pool: Pool,
}

/// Convolution, bias and pool of one image, whose `output` is `[filters, rows, columns]`; `picks`
/// may be empty.
#[inline(always)]
pub(super) fn convolve<S: Simd>(
    s: S,
    source: &ColumnSource<'_>,
    output: &mut [f32],
    picks: &mut [u8],
) {
    let [rows, columns] = source.size;
    let filters = source.bias.len();
    let rows_per_tile = rows_per_tile(source.pool);
    assert!(output.len() == filters * rows * columns && rows >= rows_per_tile);
    assert!(source.planes.len() >= source.layout.len() + Planes::SLACK);
    let groups = filters.div_ceil(const { filters_max::<S>() });
    for row in (0..rows).step_by(rows_per_tile) {
        // The last rows may be computed twice.
        let row = row.min(rows - rows_per_tile);
        let mut column = 0;
        while column < columns {
            let eight = columns - column <= 8;
            let lanes = (columns - column).min(if eight { 8 } else { S::LANES });
            let mut filter = 0;
            for group in 0..groups {
                let count = (filters - filter).div_ceil(groups - group);
                let place = Place { row, column, lanes, filter };
                // SAFETY: the filters, the rows and the lanes' columns exist.
                unsafe {
                    match (source.pool, eight) {
                        (Pool::Max2x2, true) => {
                            run_tile::<S, true, true>(s, count, source, place, output, picks)
                        }
                        (Pool::Max2x2, false) => {
                            run_tile::<S, false, true>(s, count, source, place, output, picks)
                        }
                        (Pool::None, true) => {
                            run_tile::<S, true, false>(s, count, source, place, output, picks)
                        }
                        (Pool::None, false) => {
                            run_tile::<S, false, false>(s, count, source, place, output, picks)
                        }
                    }
                }
                filter += count;
            }
            column += lanes;
        }
    }
}

/// Filters whose sums leave registers for four vectors of pixels and a weight.
const fn filters_max<S: Simd>() -> usize {
    match S::REGISTERS {
        32.. => 6,
        16.. => 2,
        _ => 1,
    }
}

/// The first output of a tile, and how many lanes are in use.
#[derive(Clone, Copy)]
struct Place {
    row: usize,
    column: usize,
    lanes: usize,
    filter: usize,
}

/// # Safety
/// The filters, the rows and the lanes' columns exist.
#[inline(always)]
unsafe fn run_tile<S: Simd, const EIGHT: bool, const POOL: bool>(
    s: S,
    filters: usize,
    source: &ColumnSource<'_>,
    place: Place,
    output: &mut [f32],
    picks: &mut [u8],
) {
    macro_rules! dispatch {
        ($($f:literal)*) => {
            match filters {
                $($f if const { $f <= filters_max::<S>() } => {
                    let tile = Tile::<'_, '_, $f, POOL> { source, place, output, picks };
                    if EIGHT { s.outline(InEight(tile)) } else { s.outline(tile) }
                })*
                _ => unreachable!("no tile of {filters} filters"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6);
}

/// A vector of outputs for `F` filters, with a 2×2 pool if `POOL`.
struct Tile<'a, 'b, const F: usize, const POOL: bool> {
    source: &'a ColumnSource<'b>,
    place: Place,
    output: &'a mut [f32],
    picks: &'a mut [u8],
}

impl<const F: usize, const POOL: bool> Outlined for Tile<'_, '_, F, POOL> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // SAFETY: as `run_tile` demands of its caller.
        let sums = unsafe { self.convolve(s) };
        let ([rows, columns], Place { row, column, lanes, filter }) =
            (self.source.size, self.place);
        for (f, sums) in sums.into_iter().enumerate() {
            let at = ((filter + f) * rows + row) * columns + column;
            // SAFETY: the places of outputs that exist.
            unsafe {
                if POOL {
                    let (largest, pick) = largest_of(s, sums);
                    s.store_partial(self.output, at, lanes, largest);
                    if !self.picks.is_empty() {
                        s.store_u8_partial(self.picks, at, lanes, pick);
                    }
                } else {
                    for (r, sum) in sums.into_iter().enumerate() {
                        s.store_partial(self.output, at + r * columns, lanes, sum);
                    }
                }
            }
        }
    }
}

impl<const F: usize, const POOL: bool> Tile<'_, '_, F, POOL> {
    /// # Safety
    /// As for [`run_tile`].
    #[inline(always)]
    unsafe fn convolve<S: Simd>(&self, s: S) -> [[S::V; 4]; F] {
        let ColumnSource { layout, planes, weight, bias, .. } = *self.source;
        let Place { row, column, filter, .. } = self.place;
        let [left, right] = layout.taps();
        let taps = left.len();
        let at = layout.row_at(row * if POOL { 2 } else { 1 }) + column;
        let mut sums = [[s.zero(); 4]; F];
        for (f, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the filter exists.
            *sums = [unsafe { s.load_splat(bias, filter + f) }; 4];
        }
        for (tap, (left, right)) in left.iter().zip(right).enumerate() {
            let (left, right) = (at + *left as usize, at + *right as usize);
            let below = layout.row_step();
            let places = if POOL {
                [left, right, left + below, right + below]
            } else {
                [left, left + below, left + 2 * below, left + 3 * below]
            };
            // SAFETY: the first lanes' pixels are inside the planes, the others at most a vector
            // beyond, in the slack.
            let pixels = places.map(|at| unsafe { s.load(planes, at) });
            for (f, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the filter has a weight for each tap.
                let weight = unsafe { s.load_splat(weight, (filter + f) * taps + tap) };
                for (sum, pixels) in sums.iter_mut().zip(pixels) {
                    *sum = s.fma(weight, pixels, *sum);
                }
            }
        }
        sums
    }
}
