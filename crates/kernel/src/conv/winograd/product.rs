//! The products at one point: small matrices whose columns are whole vectors.
//!
//! Invariant: an element of the result is one chain of fused multiply-adds over the depth in ascending order.

use crate::simd::{Outlined, Simd, opaque};

/// Vectors of columns that a tile has where there are enough.
pub(super) const fn panel_vectors<S: Simd>() -> usize {
    if S::REGISTERS >= 16 { 2 } else { 1 }
}

/// Rows that a tile has where there are enough: its sums fill the registers, but for a few.
const fn rows_max<S: Simd>() -> usize {
    match S::REGISTERS {
        32.. => 12,
        16.. => 6,
        _ => 3,
    }
}

/// Rows whose numbers are loaded relative to one address, as far as the machine can add multiples of a register to it. The
/// compiler does not know where the next group is, or it would load all rows at once, and have no registers left for the sums.
const GROUP: usize = 3;

/// How many terms of the right factor are fetched ahead of their use.
const AHEAD: usize = 12;

/// `[r][c] = Σ_d left[r][d] · right[d][c]`
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub left: &'a [f32],
    /// From one row to the next, and from one term to the next.
    pub left_steps: [usize; 2],
    pub right: &'a [f32],
    /// From one panel of columns to the next, and from one term to the next.
    pub right_steps: [usize; 2],
    pub rows: usize,
    /// Columns, in vectors.
    pub vectors: usize,
    pub depth: usize,
}

impl Product<'_> {
    /// Sets rows of `out`, which are `out_row` apart, to the product, or adds it to them.
    ///
    /// # Panics
    /// A slice is too short.
    #[inline(always)]
    pub fn write<S: Simd>(&self, s: S, out: &mut [f32], out_row: usize, add: bool) {
        let width = const { panel_vectors::<S>() } * S::LANES;
        let Some(last_row) = self.rows.checked_sub(1).filter(|_| self.vectors > 0) else {
            return;
        };
        let last_panel = (self.vectors * S::LANES - 1) / width;
        let panel_end = self.vectors * S::LANES - last_panel * width;
        if let Some(last) = self.depth.checked_sub(1) {
            let left = last_row * self.left_steps[0] + last * self.left_steps[1];
            assert!(left < self.left.len(), "the left factor is too short");
            let right = last_panel * self.right_steps[0] + last * self.right_steps[1] + panel_end;
            assert!(right <= self.right.len(), "the right factor is too short");
        }
        assert!(
            last_row * out_row + self.vectors * S::LANES <= out.len(),
            "the result is too short"
        );
        let groups = self.rows.div_ceil(const { rows_max::<S>() });
        for panel in 0..=last_panel {
            let mut row = 0;
            for group in 0..groups {
                let rows = (self.rows - row).div_ceil(groups - group);
                let place = Place {
                    left: row * self.left_steps[0],
                    right: panel * self.right_steps[0],
                    out: row * out_row + panel * width,
                };
                let vectors = if panel < last_panel { width } else { panel_end } / S::LANES;
                // SAFETY: the rows, columns and terms lie inside all three, as checked.
                unsafe { run_tile(s, self, [rows, vectors], place, (out, out_row), add) };
                row += rows;
            }
        }
    }
}

/// Where a tile starts in each matrix.
#[derive(Clone, Copy)]
struct Place {
    left: usize,
    right: usize,
    out: usize,
}

/// # Safety
/// The tile lies inside all three matrices.
#[inline(always)]
unsafe fn run_tile<S: Simd>(
    s: S,
    product: &Product<'_>,
    [rows, vectors]: [usize; 2],
    place: Place,
    (out, out_row): (&mut [f32], usize),
    add: bool,
) {
    macro_rules! dispatch {
        ($($r:literal)*) => {
            match (rows, vectors) {
                $(($r, 1) if const { $r <= rows_max::<S>() } => {
                    s.outline(Tile::<'_, '_, $r, 1> { product, place, out, out_row, add });
                }
                ($r, 2) if const { $r <= rows_max::<S>() && panel_vectors::<S>() == 2 } => {
                    s.outline(Tile::<'_, '_, $r, 2> { product, place, out, out_row, add });
                })*
                _ => unreachable!("no tile of {rows} rows and {vectors} vectors"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6 7 8 9 10 11 12);
}

struct Tile<'a, 'b, const R: usize, const V: usize> {
    product: &'b Product<'a>,
    place: Place,
    out: &'b mut [f32],
    out_row: usize,
    add: bool,
}

impl<const R: usize, const V: usize> Outlined for Tile<'_, '_, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { product, place, out, out_row, add } = self;
        let Product { left, right, depth, .. } = *product;
        let [left_row, left_step] = product.left_steps;
        let right_step = product.right_steps[1];
        let out_at = |r: usize, v: usize| place.out + r * out_row + v * S::LANES;
        // It is needed last, and comes from the second-level cache meanwhile.
        for r in 0..R {
            for v in 0..V {
                s.prefetch(out, out_at(r, v));
            }
        }
        let mut sums = [[s.zero(); V]; R];
        let (mut left_at, mut right_at) = (place.left, place.right);
        for _ in 0..depth {
            let mut columns = [s.zero(); V];
            for (v, columns) in columns.iter_mut().enumerate() {
                // SAFETY: inside the right factor, as `run_tile` demands of its caller.
                *columns = unsafe { s.load(right, right_at + v * S::LANES) };
                s.prefetch(right, right_at + AHEAD * right_step + v * S::LANES);
            }
            let mut row_at = left_at;
            for group in sums.chunks_mut(GROUP) {
                // SAFETY: inside the left factor, as `run_tile` demands of its caller.
                let rows = opaque(unsafe { left.get_unchecked(row_at..) });
                for (r, sums) in group.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let number = unsafe { s.load_splat(rows, r * left_row) };
                    for (sum, columns) in sums.iter_mut().zip(columns) {
                        *sum = s.fma(number, columns, *sum);
                    }
                }
                row_at += GROUP * left_row;
            }
            left_at += left_step;
            right_at += right_step;
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let at = out_at(r, v);
                // SAFETY: inside the result, as `run_tile` demands of its caller.
                unsafe {
                    let sum = if add { s.add(s.load(out, at), *sum) } else { *sum };
                    s.store(out, at, sum);
                }
            }
        }
    }
}
