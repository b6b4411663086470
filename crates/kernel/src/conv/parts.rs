//! Filters cut into parts that fit into registers: some rows, and some vectors of each.

use super::pixels::Pixels;
use crate::simd::{InEight, Outlined, Simd};

/// A part of all patches that fits into registers.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Floats of a pixel.
    pub pixel_len: usize,
    /// Where the part starts in a patch.
    pub offset: usize,
    pub row_len: usize,
    /// Where the part starts in the filter.
    pub filter_at: usize,
    pub run_len: usize,
}

/// What is done with a part: `R` rows of `M` vectors.
pub(super) trait PartKernel {
    /// Vectors that a part may have in all its rows, where registers would hold more.
    const VECTORS_MAX: usize = usize::MAX;

    /// # Safety
    /// The part lies inside the filter and the pixels.
    unsafe fn run<S: Simd, const R: usize, const M: usize>(&mut self, s: S, part: Part);
}

/// Vectors of a row that a part has at most.
const ROW_VECTORS_MAX: usize = 7;

/// Registers that a part may fill.
const fn part_registers<S: Simd>() -> usize {
    // One holds the gradient, one the pixels, and two are spare.
    S::REGISTERS - 4
}

/// Vectors that a part of this kernel has at most.
const fn vectors_max<S: Simd, K: PartKernel>() -> usize {
    if K::VECTORS_MAX < part_registers::<S>() { K::VECTORS_MAX } else { part_registers::<S>() }
}

/// Runs the kernel for one part after another.
///
/// # Safety
/// As for the callers.
#[inline(always)]
pub(super) unsafe fn for_each_part<S: Simd, K: PartKernel>(s: S, layout: &Pixels, kernel: &mut K) {
    let eight = !layout.is_wide();
    let lanes = if eight { 8 } else { S::LANES };
    let part_max = const { vectors_max::<S, K>() };
    let (rows, vectors) = (layout.filter_len() / layout.run_len(), layout.run_len() / lanes);
    let vector_parts = vectors.div_ceil(ROW_VECTORS_MAX.min(part_max));
    let mut vector = 0;
    for vector_part in 0..vector_parts {
        let m = (vectors - vector).div_ceil(vector_parts - vector_part);
        let row_parts = rows.div_ceil((part_max / m).min(7));
        let mut row = 0;
        for row_part in 0..row_parts {
            let r = (rows - row).div_ceil(row_parts - row_part);
            let part = Part {
                pixel_len: layout.pixel_len(),
                offset: row * layout.row_len() + vector * lanes,
                row_len: layout.row_len(),
                filter_at: row * layout.run_len() + vector * lanes,
                run_len: layout.run_len(),
            };
            // SAFETY: rows from `row` to `row + r` and vectors from `vector` to `vector + m` are
            // the filter's.
            unsafe {
                if eight {
                    run_part::<S, K, true>(s, [r, m], part, kernel);
                } else {
                    run_part::<S, K, false>(s, [r, m], part, kernel);
                }
            }
            row += r;
        }
        vector += m;
    }
}

/// # Safety
/// As for [`PartKernel::run`].
#[inline(always)]
unsafe fn run_part<S: Simd, K: PartKernel, const EIGHT: bool>(
    s: S,
    [r, m]: [usize; 2],
    part: Part,
    kernel: &mut K,
) {
    macro_rules! dispatch {
        ($($r:literal: $($m:literal)*;)*) => {
            match (r, m) {
                $($(($r, $m) if const { $r * $m <= vectors_max::<S, K>() } => {
                    let part = RunPart::<'_, K, $r, $m> { kernel, part };
                    if EIGHT { s.outline(InEight(part)) } else { s.outline(part) }
                })*)*
                _ => unreachable!("no part of {r} rows and {m} vectors"),
            }
        };
    }
    dispatch!(
        1: 1 2 3 4 5 6 7;
        2: 1 2 3 4 5 6 7;
        3: 1 2 3 4 5 6 7;
        4: 1 2 3 4 5 6 7;
        5: 1 2 3 4 5;
        6: 1 2 3 4;
        7: 1 2 3 4;
    );
}

struct RunPart<'a, K, const R: usize, const M: usize> {
    kernel: &'a mut K,
    part: Part,
}

impl<K: PartKernel, const R: usize, const M: usize> Outlined for RunPart<'_, K, R, M> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // SAFETY: as `run_part` demands of its caller.
        unsafe { self.kernel.run::<S, R, M>(s, self.part) };
    }
}

/// # Safety
/// The part lies inside the filter.
#[inline(always)]
pub(super) unsafe fn load_part<S: Simd, const R: usize, const M: usize>(
    s: S,
    filter: &[f32],
    part: Part,
) -> [[S::V; M]; R] {
    let mut loaded = [[s.zero(); M]; R];
    for (r, row) in loaded.iter_mut().enumerate() {
        for (m, vector) in row.iter_mut().enumerate() {
            // SAFETY: as the caller promises.
            *vector = unsafe { s.load(filter, part.filter_at + r * part.run_len + m * S::LANES) };
        }
    }
    loaded
}
