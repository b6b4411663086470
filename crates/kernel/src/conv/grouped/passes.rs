//! The loops of a convolution in groups.

use crate::activation::{Activation, DerivativeOf};
use crate::simd::{Outlined, Simd};

/// Applies the activation, and keeps its input where that is needed.
pub(super) struct ApplyActivation<'a> {
    pub activation: Activation,
    pub output: &'a mut [f32],
    pub pre: Option<&'a mut [f32]>,
}

impl Outlined for ApplyActivation<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        if let (DerivativeOf::Input, Some(pre)) = (self.activation.derivative_of(), self.pre) {
            pre.copy_from_slice(self.output);
        }
        for at in (0..self.output.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(self.output.len() - at);
            // SAFETY: the lanes end with the slice.
            unsafe {
                let bent = self.activation.forward(s, s.load_partial(self.output, at, lanes));
                s.store_partial(self.output, at, lanes, bent);
            }
        }
    }
}

/// For each of a few filters, the sum over its taps at every place.
pub(super) struct Correlated<'a, 'b> {
    /// With [`Planes::SLACK`] numbers behind them.
    pub planes: &'a [f32],
    /// From one row of places to the next.
    pub row_step: usize,
    /// For each weight of a filter, the offset of its number from the place's first.
    pub taps: &'a [u32],
    /// `[filters, taps]`
    pub weight: &'a [f32],
    /// `[filters]`; zero where it is empty.
    pub bias: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    /// `[filters, rows, columns]`
    pub output: &'b mut [f32],
}

impl Outlined for Correlated<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let plane = (self.rows * self.columns).max(1);
        for (filter, output) in self.output.chunks_exact_mut(plane).enumerate() {
            let weight = &self.weight[filter * self.taps.len()..][..self.taps.len()];
            let start = s.splat(self.bias.get(filter).copied().unwrap_or(0.0));
            for row in 0..self.rows {
                let from = row * self.row_step;
                let to = &mut output[row * self.columns..][..self.columns];
                let mut column = 0;
                while column < self.columns {
                    let left = self.columns - column;
                    // SAFETY: the last vector of a run begins within the row, and behind the planes
                    // there are as many numbers as a vector has lanes, which are not stored.
                    column += unsafe {
                        if left > 2 * S::LANES {
                            tile::<S, 4>(s, self.planes, from, self.taps, weight, start, to, column)
                        } else if left > S::LANES {
                            tile::<S, 2>(s, self.planes, from, self.taps, weight, start, to, column)
                        } else {
                            tile::<S, 1>(s, self.planes, from, self.taps, weight, start, to, column)
                        }
                    };
                }
            }
        }
    }
}

/// `N` vectors of a row from `column` on, or as many as it has; returns its columns.
///
/// # Safety
/// `planes` has `from + column` plus the largest tap plus `N` vectors, less those that lie behind
/// the row.
#[expect(clippy::too_many_arguments, reason = "a tile's parts, each in its own register")]
#[inline(always)]
unsafe fn tile<S: Simd, const N: usize>(
    s: S,
    planes: &[f32],
    from: usize,
    taps: &[u32],
    weight: &[f32],
    start: S::V,
    to: &mut [f32],
    column: usize,
) -> usize {
    let vectors = (to.len() - column).div_ceil(S::LANES).min(N);
    let mut sums = [start; N];
    for (tap, weight) in taps.iter().zip(weight) {
        let (at, weight) = (from + column + *tap as usize, s.splat(*weight));
        for (vector, sum) in sums.iter_mut().enumerate() {
            // The vectors that lie behind the row repeat its last one.
            let at = at + vector.min(vectors - 1) * S::LANES;
            // SAFETY: as the caller promises.
            *sum = s.fma(weight, unsafe { s.load(planes, at) }, *sum);
        }
    }
    for (vector, sum) in sums.iter().enumerate().take(vectors) {
        let at = column + vector * S::LANES;
        // SAFETY: the lanes end with the row.
        unsafe { s.store_partial(to, at, S::LANES.min(to.len() - at), *sum) };
    }
    (vectors * S::LANES).min(to.len() - column)
}

/// Adds one image's part of the gradients of a filter.
pub(super) struct Products<'a, 'b> {
    pub planes: &'a [f32],
    pub row_step: usize,
    pub taps: &'a [u32],
    /// `[rows, columns]`
    pub delta: &'a [f32],
    pub columns: usize,
    pub d_weight: &'b mut [f32],
    pub d_bias: &'b mut [f32],
}

impl Outlined for Products<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        const TAPS: usize = 4;
        let mut bias = s.zero();
        for at in (0..self.delta.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(self.delta.len() - at);
            // SAFETY: the lanes end with the plane.
            bias = s.add(bias, unsafe { s.load_partial(self.delta, at, lanes) });
        }
        self.d_bias[0] += s.sum(bias);
        for (taps, d_weight) in self.taps.chunks(TAPS).zip(self.d_weight.chunks_mut(TAPS)) {
            let mut sums = [s.zero(); TAPS];
            for (row, delta) in self.delta.chunks_exact(self.columns.max(1)).enumerate() {
                for column in (0..self.columns).step_by(S::LANES) {
                    let lanes = S::LANES.min(self.columns - column);
                    let from = row * self.row_step + column;
                    // SAFETY: the lanes end with the row, and so do those of the pixels under it.
                    unsafe {
                        let delta = s.load_partial(delta, column, lanes);
                        for (sum, tap) in sums.iter_mut().zip(taps) {
                            let pixels = s.load_partial(self.planes, from + *tap as usize, lanes);
                            *sum = s.fma(delta, pixels, *sum);
                        }
                    }
                }
            }
            for (d_weight, sum) in d_weight.iter_mut().zip(sums) {
                *d_weight += s.sum(sum);
            }
        }
    }
}
