//! 2×2 windows side by side, a vector of windows at a time: two rows, their even and odd columns apart.
//!
//! There are no closures here: one that the compiler decides not to inline is compiled without the instruction set.

use super::activation::Activation;
use super::simd::Simd;

/// The four numbers of each window: upper left, upper right, lower left, lower right.
#[derive(Clone, Copy)]
pub struct Windows<S: Simd>(pub [S::V; 4]);

impl<S: Simd> Windows<S> {
    /// The windows from `column` of the output on, whose upper rows start at `above` in `x`, and whose lower ones start
    /// `width` further.
    ///
    /// # Safety
    /// Two rows from `above` on, and `2 * (column + lanes)` columns of them, lie inside `x`.
    #[inline(always)]
    pub unsafe fn load(
        s: S,
        x: &[f32],
        above: usize,
        width: usize,
        column: usize,
        lanes: usize,
    ) -> Self {
        let (first, second) = ((2 * lanes).min(S::LANES), (2 * lanes).saturating_sub(S::LANES));
        let at = above + 2 * column;
        // SAFETY: the 2 * lanes numbers from here are inside the rows, as the caller promises.
        unsafe {
            let top = (s.load_partial(x, at, first), s.load_partial(x, at + first, second));
            let at = at + width;
            let bottom = (s.load_partial(x, at, first), s.load_partial(x, at + first, second));
            let ((a, b), (c, d)) =
                (s.deinterleave(top.0, top.1), s.deinterleave(bottom.0, bottom.1));
            Self([a, b, c, d])
        }
    }

    /// Puts the four numbers of each window where [`Windows::load`] found them.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub unsafe fn store(
        self,
        s: S,
        x: &mut [f32],
        above: usize,
        width: usize,
        column: usize,
        lanes: usize,
    ) {
        let (first, second) = ((2 * lanes).min(S::LANES), (2 * lanes).saturating_sub(S::LANES));
        let at = above + 2 * column;
        let [a, b, c, d] = self.0;
        let (top, bottom) = (s.interleave(a, b), s.interleave(c, d));
        // SAFETY: as in `load`.
        unsafe {
            s.store_partial(x, at, first, top.0);
            s.store_partial(x, at + first, second, top.1);
            s.store_partial(x, at + width, first, bottom.0);
            s.store_partial(x, at + width + first, second, bottom.1);
        }
    }

    /// `value` where the windows picked, zero elsewhere.
    #[inline(always)]
    pub fn picked(s: S, picks: Picks<S>, value: S::V) -> Self {
        let zero = s.zero();
        let (above, below) =
            (s.select(picks.below, zero, value), s.select(picks.below, value, zero));
        let top =
            (s.select(picks.above_right, zero, above), s.select(picks.above_right, above, zero));
        let bottom =
            (s.select(picks.below_right, zero, below), s.select(picks.below_right, below, zero));
        Self([top.0, top.1, bottom.0, bottom.1])
    }

    /// The number that each window picked.
    #[inline(always)]
    pub fn pick(self, s: S, picks: Picks<S>) -> S::V {
        let [a, b, c, d] = self.0;
        let (above, below) = (s.select(picks.above_right, b, a), s.select(picks.below_right, d, c));
        s.select(picks.below, below, above)
    }

    /// `scale` times each number, plus `shift`.
    #[inline(always)]
    pub fn on_line(self, s: S, scale: S::V, shift: S::V) -> Self {
        let [a, b, c, d] = self.0;
        Self([
            s.fma(a, scale, shift),
            s.fma(b, scale, shift),
            s.fma(c, scale, shift),
            s.fma(d, scale, shift),
        ])
    }

    /// The activation of each number.
    #[inline(always)]
    pub fn activated(self, s: S, activation: Activation) -> Self {
        let [a, b, c, d] = self.0;
        let top = (activation.forward(s, a), activation.forward(s, b));
        let bottom = (activation.forward(s, c), activation.forward(s, d));
        Self([top.0, top.1, bottom.0, bottom.1])
    }

    /// The sums with the numbers in the same places.
    #[inline(always)]
    pub fn plus(self, s: S, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([s.add(a, e), s.add(b, f), s.add(c, g), s.add(d, h)])
    }

    /// The sum of each window.
    #[inline(always)]
    pub fn sum(self, s: S) -> S::V {
        let [a, b, c, d] = self.0;
        s.add(s.add(a, b), s.add(c, d))
    }

    /// The largest of each window; NaN if any is NaN.
    #[inline(always)]
    pub fn largest(self, s: S) -> S::V {
        let [a, b, c, d] = self.0;
        largest(s, largest(s, a, b), largest(s, c, d))
    }

    /// Which of the four is the first to be its window's largest.
    #[inline(always)]
    pub fn picks(self, s: S) -> Picks<S> {
        let [a, b, c, d] = self.0;
        Picks {
            below: s.gt(s.max(c, d), s.max(a, b)),
            above_right: s.gt(b, a),
            below_right: s.gt(d, c),
        }
    }
}

/// A number of each window: in the lower row or the upper, and on the right of the two or on the left.
#[derive(Clone, Copy)]
pub struct Picks<S: Simd> {
    below: S::M,
    above_right: S::M,
    below_right: S::M,
}

impl<S: Simd> Picks<S> {
    /// From numbers: 0 and 1 in the upper row, 2 and 3 in the lower.
    #[inline(always)]
    pub fn of_numbers(s: S, numbers: S::V) -> Self {
        let below = s.gt(numbers, s.splat(1.5));
        let column = s.sub(numbers, s.select(below, s.splat(2.0), s.zero()));
        let right = s.gt(column, s.splat(0.5));
        Self { below, above_right: right, below_right: right }
    }
}

#[inline(always)]
fn largest<S: Simd>(s: S, a: S::V, b: S::V) -> S::V {
    s.select(s.either_nan(a, b), s.add(a, b), s.max(a, b))
}
