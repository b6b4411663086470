//! The passes over a channel that is pooled: window by window.
//!
//! What is normalised but not yet pooled is never written down: the backward pass computes it again from the input,
//! which costs less than moving it through memory.

use super::line::{Line, StatisticsGradient};
use super::{BatchNorm, Channel, DeltaSums};
use crate::DisjointMut;
use crate::activation::{Activation, DerivativeOf};
use crate::simd::Simd;
use crate::windows::{Picks, Windows};

/// Whether a larger number never has a smaller activation, so that the pool can go first.
const fn is_monotonic(activation: Activation) -> bool {
    !matches!(activation, Activation::Gelu | Activation::Silu)
}

/// The rows of output and the two rows of input to each, for a channel of an image.
fn row_pairs(norm: &BatchNorm) -> impl Iterator<Item = (usize, usize)> + use<> {
    let ([height, width], input_width) = (norm.output_size(), norm.width);
    (0..height).map(move |row| (row * width, 2 * row * input_width))
}

/// Fetches the windows of as many outputs as a vector has lanes.
#[inline(always)]
fn prefetch_windows<S: Simd>(s: S, memory: &[f32], width: usize, at: usize) {
    for lane in (0..2 * S::LANES).step_by(16) {
        s.prefetch(memory, at + lane);
        s.prefetch(memory, at + width + lane);
    }
}

/// Sets the channel of `y`.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    s: S,
    channel: Channel<'_>,
    line: &Line,
    x: &[f32],
    y: DisjointMut<'_, f32>,
) {
    let norm = channel.norm;
    let (scale, shift) = (s.splat(line.scale), s.splat(line.shift));
    let (width, activation) = (norm.output_size()[1], norm.activation);
    let (next, next_output) = (channel.next_input(), channel.next_output());
    for image in 0..norm.batch {
        let x = &x[channel.input(image)];
        // SAFETY: channels do not overlap.
        let y = unsafe { y.range(channel.output(image)) };
        for (row, above) in row_pairs(norm) {
            for column in (0..width).step_by(S::LANES) {
                let lanes = S::LANES.min(width - column);
                prefetch_windows(s, x, norm.width, above + 2 * column + next);
                s.prefetch(y, row + column + next_output);
                // SAFETY: pairs of rows and of columns lie inside the image, and the lanes end with the row.
                unsafe {
                    let windows = Windows::load(s, x, above, norm.width, column, lanes);
                    let z = windows.on_line(s, scale, shift);
                    let pooled = if is_monotonic(activation) {
                        activation.forward(s, z.largest(s))
                    } else {
                        z.activated(s, activation).largest(s)
                    };
                    s.store_partial(y, row + column, lanes, pooled);
                }
            }
        }
    }
}

/// The windows of some outputs and the gradients of what they picked.
struct Picked<S: Simd> {
    windows: Windows<S>,
    picks: Picks<S>,
    x: S::V,
    delta: S::V,
}

/// # Safety
/// As [`Windows::load`], and `lanes` outputs from `at` lie inside `dy`.
#[inline(always)]
unsafe fn picked<S: Simd>(
    s: S,
    norm: &BatchNorm,
    line: &Line,
    (x, above, column): (&[f32], usize, usize),
    (dy, at, lanes): (&[f32], usize, usize),
) -> Picked<S> {
    let activation = norm.activation;
    let (scale, shift) = (s.splat(line.scale), s.splat(line.shift));
    // SAFETY: as the caller promises.
    let windows = unsafe { Windows::load(s, x, above, norm.width, column, lanes) };
    let z = windows.on_line(s, scale, shift);
    let activated = if is_monotonic(activation) { z } else { z.activated(s, activation) };
    let picks = activated.picks(s);
    let x = windows.pick(s, picks);
    let z = s.fma(x, scale, shift);
    let kept = match activation.derivative_of() {
        DerivativeOf::Input => z,
        DerivativeOf::Output => activation.forward(s, z),
    };
    // SAFETY: as the caller promises. Zero in the lanes beyond.
    let dy = unsafe { s.load_partial(dy, at, lanes) };
    Picked { windows, picks, x, delta: s.mul(dy, activation.derivative(s, kept)) }
}

/// The sums of the line's gradient.
#[inline(always)]
pub(super) fn delta_sums<S: Simd>(
    s: S,
    channel: Channel<'_>,
    line: &Line,
    x: &[f32],
    dy: &[f32],
) -> DeltaSums {
    let norm = channel.norm;
    let (mean, inverse) = (s.splat(line.mean), s.splat(line.inverse_deviation));
    let width = norm.output_size()[1];
    let (next, next_output) = (channel.next_input(), channel.next_output());
    let mut sums = DeltaSums { plain: 0.0, weighted: 0.0 };
    for image in 0..norm.batch {
        let (x, dy) = (&x[channel.input(image)], &dy[channel.output(image)]);
        let (mut image_sum, mut image_weighted) = (s.zero(), s.zero());
        for (row, above) in row_pairs(norm) {
            for column in (0..width).step_by(S::LANES) {
                let lanes = S::LANES.min(width - column);
                prefetch_windows(s, x, norm.width, above + 2 * column + next);
                s.prefetch(dy, row + column + next_output);
                // SAFETY: pairs of rows and of columns lie inside the image, and the lanes end with the row.
                let picked =
                    unsafe { picked(s, norm, line, (x, above, column), (dy, row + column, lanes)) };
                let normalised = s.mul(s.sub(picked.x, mean), inverse);
                image_sum = s.add(image_sum, picked.delta);
                image_weighted = s.fma(picked.delta, normalised, image_weighted);
            }
        }
        sums.plain += f64::from(s.sum(image_sum));
        sums.weighted += f64::from(s.sum(image_weighted));
    }
    sums
}

/// Sets the channel of `dx` to `slope x + level`, and `scale delta` more where the pool picked.
#[inline(always)]
pub(super) fn gradient<S: Simd>(
    s: S,
    channel: Channel<'_>,
    line: &Line,
    rest: StatisticsGradient,
    x: &[f32],
    dy: &[f32],
    dx: DisjointMut<'_, f32>,
) {
    let norm = channel.norm;
    let (scale, slopes, levels) = (s.splat(line.scale), s.splat(rest.slope), s.splat(rest.level));
    let [height, width] = norm.output_size();
    let (next, next_output) = (channel.next_input(), channel.next_output());
    for image in 0..norm.batch {
        let (x, dy) = (&x[channel.input(image)], &dy[channel.output(image)]);
        // SAFETY: channels do not overlap.
        let dx = unsafe { dx.range(channel.input(image)) };
        for (row, above) in row_pairs(norm) {
            for column in (0..width).step_by(S::LANES) {
                let lanes = S::LANES.min(width - column);
                prefetch_windows(s, x, norm.width, above + 2 * column + next);
                prefetch_windows(s, dx, norm.width, above + 2 * column + next);
                s.prefetch(dy, row + column + next_output);
                // SAFETY: pairs of rows and of columns lie inside the image, and the lanes end with the row.
                unsafe {
                    let picked =
                        picked(s, norm, line, (x, above, column), (dy, row + column, lanes));
                    let own = s.mul(picked.delta, scale);
                    let rest = picked.windows.on_line(s, slopes, levels);
                    let own = Windows::picked(s, picked.picks, own);
                    rest.plus(s, own).store(s, dx, above, norm.width, column, lanes);
                }
            }
        }
        let unpooled_column = (norm.width > 2 * width).then_some(2 * width);
        let last_of_rows = unpooled_column
            .into_iter()
            .flat_map(|column| (0..2 * height).map(move |row| row * norm.width + column));
        for at in last_of_rows.chain(2 * height * norm.width..norm.positions()) {
            dx[at] = x[at] * rest.slope + rest.level;
        }
    }
}
