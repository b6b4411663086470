//! The passes over a channel that is not pooled: number by number.

use super::line::{Line, Rest};
use super::{Channel, DeltaSums};
use crate::DisjointMut;
use crate::activation::DerivativeOf;
use crate::simd::Simd;

/// Sets the channel of `y`.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    s: S,
    channel: Channel<'_>,
    line: &Line,
    x: &[f32],
    y: DisjointMut<'_, f32>,
) {
    let (scale, shift) = (s.splat(line.scale), s.splat(line.shift));
    for image in 0..channel.norm.batch {
        let range = channel.input(image);
        let x = &x[range.clone()];
        // SAFETY: channels do not overlap.
        let y = unsafe { y.range(range) };
        for at in (0..x.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(x.len() - at);
            // SAFETY: the lanes end with the slices.
            unsafe {
                let z = s.fma(s.load_partial(x, at, lanes), scale, shift);
                s.store_partial(y, at, lanes, channel.norm.activation.forward(s, z));
            }
        }
    }
}

/// Leaves the gradient of the line in `dx`, and returns its sums.
#[inline(always)]
pub(super) fn deltas<S: Simd>(
    s: S,
    channel: Channel<'_>,
    line: &Line,
    x: &[f32],
    dy: &[f32],
    dx: DisjointMut<'_, f32>,
) -> DeltaSums {
    let activation = channel.norm.activation;
    let (scale, shift) = (s.splat(line.scale), s.splat(line.shift));
    let (mean, inverse) = (s.splat(line.mean), s.splat(line.inverse_deviation));
    let mut sums = DeltaSums { plain: 0.0, weighted: 0.0 };
    for image in 0..channel.norm.batch {
        let range = channel.input(image);
        let (x, dy) = (&x[range.clone()], &dy[range.clone()]);
        // SAFETY: channels do not overlap.
        let dx = unsafe { dx.range(range) };
        let (mut image_sum, mut image_weighted) = (s.zero(), s.zero());
        for at in (0..x.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(x.len() - at);
            // SAFETY: the lanes end with the slices.
            unsafe {
                let value = s.load_partial(x, at, lanes);
                let z = s.fma(value, scale, shift);
                let kept = match activation.derivative_of() {
                    DerivativeOf::Input => z,
                    DerivativeOf::Output => activation.forward(s, z),
                };
                // Zero in the lanes beyond the end, since `dy` is.
                let delta = s.mul(s.load_partial(dy, at, lanes), activation.derivative(s, kept));
                s.store_partial(dx, at, lanes, delta);
                image_sum = s.add(image_sum, delta);
                let normalised = s.mul(s.sub(value, mean), inverse);
                image_weighted = s.fma(delta, normalised, image_weighted);
            }
        }
        sums.plain += f64::from(s.sum(image_sum));
        sums.weighted += f64::from(s.sum(image_weighted));
    }
    sums
}

/// Sets the channel of `dx`, in which [`deltas`] left the gradient of the line.
#[inline(always)]
pub(super) fn gradient<S: Simd>(
    s: S,
    channel: Channel<'_>,
    line: &Line,
    rest: Rest,
    x: &[f32],
    dx: DisjointMut<'_, f32>,
) {
    let (scale, slope, level) = (s.splat(line.scale), s.splat(rest.slope), s.splat(rest.level));
    for image in 0..channel.norm.batch {
        let range = channel.input(image);
        let x = &x[range.clone()];
        // SAFETY: channels do not overlap.
        let dx = unsafe { dx.range(range) };
        for at in (0..x.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(x.len() - at);
            // SAFETY: the lanes end with the slices.
            unsafe {
                let delta = s.load_partial(dx, at, lanes);
                let rest = s.fma(s.load_partial(x, at, lanes), slope, level);
                s.store_partial(dx, at, lanes, s.fma(delta, scale, rest));
            }
        }
    }
}
