//! The passes over a channel that is not pooled: number by number.

use super::line::{Line, StatisticsGradient};
use super::{Channel, DeltaSums};
use crate::DisjointMut;
use crate::activation::{Activation, DerivativeOf};
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
    let next = channel.next_input();
    for image in 0..channel.norm.batch {
        let range = channel.input(image);
        let x = &x[range.clone()];
        // SAFETY: channels do not overlap.
        let y = unsafe { y.range(range) };
        for at in (0..x.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(x.len() - at);
            s.prefetch(x, at + next);
            s.prefetch(y, at + next);
            // SAFETY: the lanes end with the slices.
            unsafe {
                let z = s.fma(s.load_partial(x, at, lanes), scale, shift);
                s.store_partial(y, at, lanes, channel.norm.activation.forward(s, z));
            }
        }
    }
}

/// The gradient of the line at `value`; zero where `dy` is.
#[inline(always)]
fn delta_at<S: Simd>(
    s: S,
    activation: Activation,
    value: S::V,
    dy: S::V,
    [scale, shift]: [S::V; 2],
) -> S::V {
    let z = s.fma(value, scale, shift);
    let kept = match activation.derivative_of() {
        DerivativeOf::Input => z,
        DerivativeOf::Output => activation.forward(s, z),
    };
    s.mul(dy, activation.derivative(s, kept))
}

/// Whether the gradient of the line is computed twice, which takes less time than keeping it.
const fn is_computed_twice(activation: Activation) -> bool {
    matches!(activation, Activation::Linear | Activation::Relu | Activation::LeakyRelu)
}

/// The sums of the line's gradient, which is left in `dx` unless it [is computed twice](is_computed_twice).
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
    let keeps = !is_computed_twice(activation);
    let on_line = [s.splat(line.scale), s.splat(line.shift)];
    let (mean, inverse) = (s.splat(line.mean), s.splat(line.inverse_deviation));
    let next = channel.next_input();
    let mut sums = DeltaSums { plain: 0.0, weighted: 0.0 };
    for image in 0..channel.norm.batch {
        let range = channel.input(image);
        let (x, dy) = (&x[range.clone()], &dy[range.clone()]);
        // SAFETY: channels do not overlap.
        let dx = unsafe { dx.range(range) };
        let (mut image_sum, mut image_weighted) = (s.zero(), s.zero());
        for at in (0..x.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(x.len() - at);
            s.prefetch(x, at + next);
            s.prefetch(dy, at + next);
            // SAFETY: the lanes end with the slices.
            unsafe {
                let value = s.load_partial(x, at, lanes);
                // Zero in the lanes beyond the end, since `dy` is.
                let delta = delta_at(s, activation, value, s.load_partial(dy, at, lanes), on_line);
                if keeps {
                    s.store_partial(dx, at, lanes, delta);
                }
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

/// Sets the channel of `dx`, in which [`deltas`] may have left the gradient of the line.
#[inline(always)]
pub(super) fn gradient<S: Simd>(
    s: S,
    channel: Channel<'_>,
    line: &Line,
    rest: StatisticsGradient,
    (x, dy): (&[f32], &[f32]),
    dx: DisjointMut<'_, f32>,
) {
    let activation = channel.norm.activation;
    let kept = !is_computed_twice(activation);
    let on_line @ [scale, _] = [s.splat(line.scale), s.splat(line.shift)];
    let (slope, level) = (s.splat(rest.slope), s.splat(rest.level));
    let next = channel.next_input();
    for image in 0..channel.norm.batch {
        let range = channel.input(image);
        let (x, dy) = (&x[range.clone()], &dy[range.clone()]);
        // SAFETY: channels do not overlap.
        let dx = unsafe { dx.range(range) };
        for at in (0..x.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(x.len() - at);
            for memory in [x, dy, dx] {
                s.prefetch(memory, at + next);
            }
            // SAFETY: the lanes end with the slices.
            unsafe {
                let value = s.load_partial(x, at, lanes);
                let delta = if kept {
                    s.load_partial(dx, at, lanes)
                } else {
                    delta_at(s, activation, value, s.load_partial(dy, at, lanes), on_line)
                };
                s.store_partial(dx, at, lanes, s.fma(delta, scale, s.fma(value, slope, level)));
            }
        }
    }
}
