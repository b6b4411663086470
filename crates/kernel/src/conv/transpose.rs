//! Transposing matrices in memory, eight rows and eight columns at a time.

use crate::simd::{EightLanes, Outlined, Simd};

/// A matrix in memory: where it starts, and from one row to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub at: usize,
    pub stride: usize,
}

/// Sets `to[j][i] = from[i][j]` for each row `i` below `rows` and column `j` below `columns`.
///
/// # Safety
/// Both matrices lie inside their slices.
#[inline(always)]
pub(super) unsafe fn transpose<S: Simd>(
    s: S,
    (from, from_rows): (&[f32], Rows),
    [rows, columns]: [usize; 2],
    (to, to_rows): (&mut [f32], Rows),
) {
    s.outline(Transpose { from, from_rows, rows, columns, to, to_rows, padded: 0 });
}

/// As [`transpose`], and may set `to[j][i]` to zero for `i` from `rows` to `padded`.
///
/// # Safety
/// Both matrices lie inside their slices, that of `to` with rows of at least `padded`.
#[inline(always)]
pub(super) unsafe fn transpose_padded<S: Simd>(
    s: S,
    (from, from_rows): (&[f32], Rows),
    [rows, columns]: [usize; 2],
    (to, to_rows): (&mut [f32], Rows),
    padded: usize,
) {
    s.outline(Transpose { from, from_rows, rows, columns, to, to_rows, padded });
}

struct Transpose<'a> {
    from: &'a [f32],
    from_rows: Rows,
    rows: usize,
    columns: usize,
    to: &'a mut [f32],
    to_rows: Rows,
    padded: usize,
}

impl Outlined for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let s = s.eight();
        let (is, js) = ((0..self.rows).step_by(8), (0..self.columns).step_by(8));
        // Rows that are far apart tend to share a set of the first-level cache: eight of them are processed before the next.
        if self.to_rows.stride <= self.from_rows.stride {
            for i in is {
                js.clone().for_each(|j| self.block(s, i, j));
            }
        } else {
            for j in js {
                is.clone().for_each(|i| self.block(s, i, j));
            }
        }
    }
}

impl Transpose<'_> {
    #[inline(always)]
    fn block<S: EightLanes>(&mut self, s: S, i: usize, j: usize) {
        // Where there are eight, the last block overlaps the one before: partial blocks are slow.
        let [i, j] = [i.min(self.rows.saturating_sub(8)), j.min(self.columns.saturating_sub(8))];
        let size @ [rows, columns] = [(self.rows - i).min(8), (self.columns - j).min(8)];
        // SAFETY: the block lies inside both matrices.
        unsafe {
            if rows == 8 && columns == 8 {
                self.whole_block(s, i, j);
            } else {
                self.partial_block(s, i, j, size);
            }
        }
    }
}

impl Transpose<'_> {
    /// # Safety
    /// Rows `i..i + 8` and columns `j..j + 8` exist.
    #[inline(always)]
    unsafe fn whole_block<S: EightLanes>(&mut self, s: S, i: usize, j: usize) {
        let mut block = [s.zero(); 8];
        let is_read_ahead = self.to_rows.stride <= self.from_rows.stride;
        for k in 0..8 {
            if is_read_ahead {
                s.prefetch(self.from, self.source_at(i + 8 + k, j));
            } else {
                s.prefetch(self.to, self.target_at(i, j + 8 + k));
            }
        }
        for (k, row) in block.iter_mut().enumerate() {
            // SAFETY: row `i + k` exists, as the caller promises.
            *row = unsafe { s.load(self.from, self.source_at(i + k, j)) };
        }
        for (k, column) in s.transpose(block).into_iter().enumerate() {
            let at = self.target_at(i, j + k);
            // SAFETY: column `j + k` exists, as the caller promises.
            unsafe { s.store(self.to, at, column) };
        }
    }

    /// # Safety
    /// Rows `i..i + rows` and columns `j..j + columns` exist; there are at most eight of each.
    #[inline(always)]
    unsafe fn partial_block<S: EightLanes>(
        &mut self,
        s: S,
        i: usize,
        j: usize,
        [rows, columns]: [usize; 2],
    ) {
        let mut block = [s.zero(); 8];
        for (k, row) in block.iter_mut().enumerate() {
            // Conditions rather than shorter loops keep the block in registers.
            if k < rows {
                // SAFETY: row `i + k` exists, as the caller promises.
                *row = unsafe { s.load_partial(self.from, self.source_at(i + k, j), columns) };
            }
        }
        let rows = rows.max(self.padded.min(8));
        for (k, column) in s.transpose(block).into_iter().enumerate() {
            if k < columns {
                let at = self.target_at(i, j + k);
                // SAFETY: column `j + k` exists, as the caller promises.
                unsafe { s.store_partial(self.to, at, rows, column) };
            }
        }
    }

    #[inline(always)]
    fn source_at(&self, i: usize, j: usize) -> usize {
        self.from_rows.at + i * self.from_rows.stride + j
    }

    #[inline(always)]
    fn target_at(&self, i: usize, j: usize) -> usize {
        self.to_rows.at + j * self.to_rows.stride + i
    }
}
