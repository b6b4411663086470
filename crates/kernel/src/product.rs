//! Matrix products of `f32`, cut into bands of rows and columns.
//!
//! Invariant: an element of the result is one chain of fused multiply-adds over the depth in ascending order, whatever
//! band it falls in; so how the bands are shared out has no influence on it.

use std::ops::Range;

use super::simd::{Outlined, Simd, opaque_index};
use super::threads::DisjointMut;

/// Rows of a band are a multiple of this, where there are enough: tiles have 8, 6 or 4 rows.
const ROW_STEP: usize = 24;
/// Columns of a band are a multiple of this, where there are enough: three of the largest vectors.
const COLUMN_STEP: usize = 48;
/// Depth after which the tiles of a band are started over, so that the columns in use stay in the second-level cache.
const DEPTH_STEP: usize = 2048;

/// `out[r][c] = start + Σ_d left[r][d] · right[d][c]`, with any strides between rows.
#[derive(Clone, Copy)]
pub struct Product<'a> {
    /// The left factor; element `[r][d]` is at `r * left_row + d * left_depth`.
    pub left: &'a [f32],
    /// Distance between rows of the left factor.
    pub left_row: usize,
    /// Distance between columns of the left factor.
    pub left_depth: usize,
    /// The right factor; element `[d][c]` is at `d * right_depth + c`.
    pub right: &'a [f32],
    /// Distance between rows of the right factor.
    pub right_depth: usize,
    /// The number of terms of each sum.
    pub depth: usize,
    /// What the sums of each column start from; zero if none.
    pub start: Option<&'a [f32]>,
}

/// How a product of `rows` by `columns` is cut into bands.
#[derive(Clone, Copy, Debug)]
pub struct Bands {
    rows: usize,
    columns: usize,
    row_band: usize,
    column_band: usize,
}

impl Bands {
    /// Bands of a size that is worth handing to a thread, decided by shape alone.
    pub fn new(rows: usize, columns: usize, depth: usize) -> Self {
        const MULTIPLY_ADDS_PER_BAND: usize = 200_000;
        const BANDS_MAX: usize = 16;
        let wanted = (rows * columns * depth / MULTIPLY_ADDS_PER_BAND).clamp(1, BANDS_MAX);
        let (row_steps, column_steps) =
            (rows.div_ceil(ROW_STEP).max(1), columns.div_ceil(COLUMN_STEP).max(1));
        let row_bands = wanted.min(row_steps);
        let column_bands = (wanted / row_bands).min(column_steps);
        Self {
            rows,
            columns,
            row_band: row_steps.div_ceil(row_bands) * ROW_STEP,
            column_band: column_steps.div_ceil(column_bands) * COLUMN_STEP,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.rows.div_ceil(self.row_band) * self.columns.div_ceil(self.column_band)
    }

    /// The rows and columns of band `band`.
    pub fn get(&self, band: usize) -> (Range<usize>, Range<usize>) {
        let row_bands = self.rows.div_ceil(self.row_band);
        let row = band % row_bands * self.row_band;
        let column = band / row_bands * self.column_band;
        (
            row..self.rows.min(row + self.row_band),
            column..self.columns.min(column + self.column_band),
        )
    }
}

impl Product<'_> {
    /// Writes `rows` by `columns` of the result; element `[r][c]` goes to `out[r * out_row + c]`.
    ///
    /// # Panics
    /// The rows and columns exceed a factor.
    ///
    /// # Safety
    /// Nothing else accesses these elements of `out` at the same time.
    #[inline(always)]
    pub unsafe fn write<S: Simd>(
        &self,
        simd: S,
        rows: Range<usize>,
        columns: Range<usize>,
        out: DisjointMut<'_, f32>,
        out_row: usize,
    ) {
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        if let Some(last) = self.depth.checked_sub(1) {
            assert!(
                (rows.end - 1) * self.left_row + last * self.left_depth < self.left.len(),
                "the left factor is too short"
            );
            assert!(
                last * self.right_depth + columns.end <= self.right.len(),
                "the right factor is too short"
            );
        }
        assert!(
            self.start.is_none_or(|start| columns.end <= start.len()),
            "too few starting values"
        );
        simd.outline(Band { product: *self, rows, columns, out, out_row });
    }
}

/// Invariant: rows and columns lie inside the factors.
struct Band<'a, 'b> {
    product: Product<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    out: DisjointMut<'b, f32>,
    out_row: usize,
}

impl Outlined for Band<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for depth in (0..self.product.depth.max(1)).step_by(DEPTH_STEP) {
            let depth = depth..self.product.depth.min(depth + DEPTH_STEP);
            let mut column = self.columns.start;
            while column < self.columns.end {
                let vectors = panel_vectors::<S>(self.columns.end - column);
                let width = (vectors * S::LANES).min(self.columns.end - column);
                let tiles = Tiles { band: &self, depth: depth.clone(), column, width };
                match vectors {
                    3 if most_vectors::<S>() == 3 => tiles.of_width::<S, 3>(s),
                    2 if most_vectors::<S>() >= 2 => tiles.of_width::<S, 2>(s),
                    _ => tiles.of_width::<S, 1>(s),
                }
                column += width;
            }
        }
    }
}

/// How many vectors the next panel of columns takes, so that panels come out even.
#[inline(always)]
fn panel_vectors<S: Simd>(columns: usize) -> usize {
    let most = most_vectors::<S>();
    let vectors = columns.div_ceil(S::LANES);
    vectors.div_ceil(vectors.div_ceil(most))
}

/// With the rows of a tile, this fills the registers with sums, but for a few.
#[inline(always)]
const fn most_vectors<S: Simd>() -> usize {
    match S::REGISTERS {
        32.. => 3,
        16.. => 2,
        _ => 1,
    }
}

/// Tiles on top of each other, as many rows each as the registers hold.
struct Tiles<'a, 'b, 'c> {
    band: &'c Band<'a, 'b>,
    depth: Range<usize>,
    column: usize,
    width: usize,
}

impl Tiles<'_, '_, '_> {
    #[inline(always)]
    fn of_width<S: Simd, const V: usize>(&self, s: S) {
        if self.width == V * S::LANES {
            self.all_rows::<S, V, false>(s);
        } else {
            self.all_rows::<S, V, true>(s);
        }
    }

    #[inline(always)]
    fn all_rows<S: Simd, const V: usize, const PARTIAL: bool>(&self, s: S) {
        let mut row = self.band.rows.start;
        let end = self.band.rows.end;
        if S::REGISTERS >= 32 {
            while row + 8 <= end {
                self.tile::<S, 8, V, PARTIAL>(s, row);
                row += 8;
            }
        } else if S::REGISTERS >= 16 {
            while row + 6 <= end {
                self.tile::<S, 6, V, PARTIAL>(s, row);
                row += 6;
            }
        }
        while row + 4 <= end {
            self.tile::<S, 4, V, PARTIAL>(s, row);
            row += 4;
        }
        while row < end {
            self.tile::<S, 1, V, PARTIAL>(s, row);
            row += 1;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const PARTIAL: bool>(&self, s: S, row: usize) {
        let product = &self.band.product;
        let lanes_of = |v: usize| {
            if PARTIAL && v == V - 1 { self.width - v * S::LANES } else { S::LANES }
        };
        let out_at = |r: usize| (row + r) * self.band.out_row + self.column;
        let mut sums = [[s.zero(); V]; R];
        for (r, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                let lanes = lanes_of(v);
                // SAFETY: the starting values and the result are as wide as the band; of the result, this band's
                // elements are its own to read and write.
                unsafe {
                    if self.depth.start > 0 {
                        let at = out_at(r) + v * S::LANES;
                        *sum = s.load_partial(self.band.out.range(at..at + lanes), 0, lanes);
                    } else if let Some(start) = product.start {
                        *sum = s.load_partial(start, self.column + v * S::LANES, lanes);
                    }
                }
            }
        }
        let (left_row, left_depth, right_depth) =
            (product.left_row, product.left_depth, product.right_depth);
        let mut left_at = row * left_row + self.depth.start * left_depth;
        let mut right_at = self.depth.start * right_depth + self.column;
        for _ in self.depth.clone() {
            let mut right = [s.zero(); V];
            for (v, right) in right.iter_mut().enumerate() {
                let at = right_at + v * S::LANES;
                // SAFETY: inside the right factor, by the band's invariant.
                *right = unsafe {
                    if PARTIAL && v == V - 1 {
                        s.load_partial(product.right, at, lanes_of(v))
                    } else {
                        s.load(product.right, at)
                    }
                };
            }
            let mut left_row_at = left_at;
            for sums in &mut sums {
                // SAFETY: inside the left factor, by the band's invariant.
                let left = unsafe { s.load_splat(product.left, left_row_at) };
                for (sum, right) in sums.iter_mut().zip(&right) {
                    *sum = s.fma(left, *right, *sum);
                }
                // Or the compiler loads all rows at once, and has no registers left for the sums.
                left_row_at = opaque_index(left_row_at + left_row);
            }
            left_at += left_depth;
            right_at += right_depth;
        }
        for (r, sums) in sums.iter().enumerate() {
            // SAFETY: this band's elements are its own to write.
            let out = unsafe { self.band.out.range(out_at(r)..out_at(r) + self.width) };
            for (v, sum) in sums.iter().enumerate() {
                // SAFETY: the lanes of all vectors together are the width.
                unsafe { s.store_partial(out, v * S::LANES, lanes_of(v), *sum) };
            }
        }
    }
}

/// Transposes `rows` of `from` (each `columns` long) into `to`, whose rows are `to_row` apart.
///
/// # Panics
/// A slice is too short.
#[inline(always)]
pub fn transpose<S: Simd>(
    simd: S,
    from: &[f32],
    rows: usize,
    columns: usize,
    to: &mut [f32],
    to_row: usize,
) {
    assert!(
        rows * columns <= from.len() && (columns == 0 || (columns - 1) * to_row + rows <= to.len())
    );
    simd.outline(Transpose { from, rows, columns, to, to_row });
}

struct Transpose<'a> {
    from: &'a [f32],
    rows: usize,
    columns: usize,
    to: &'a mut [f32],
    to_row: usize,
}

impl Outlined for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        use super::simd::EightLanes as _;
        let s = s.eight();
        let Self { from, rows, columns, to, to_row } = self;
        let (whole_rows, whole_columns) = (rows & !7, columns & !7);
        for row in (0..whole_rows).step_by(8) {
            for column in (0..whole_columns).step_by(8) {
                // SAFETY: eight rows and columns from here are inside both, by the check in `transpose`.
                unsafe {
                    let block = std::array::from_fn(|i| s.load(from, (row + i) * columns + column));
                    for (i, line) in s.transpose(block).into_iter().enumerate() {
                        s.store(to, (column + i) * to_row + row, line);
                    }
                }
            }
        }
        for row in 0..rows {
            let rest = if row < whole_rows { whole_columns } else { 0 };
            for column in rest..columns {
                to[column * to_row + row] = from[row * columns + column];
            }
        }
    }
}
