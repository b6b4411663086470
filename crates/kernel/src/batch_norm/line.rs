//! A channel's normalisation as a straight line, from the channel's statistics.

use super::{BatchNorm, Channel, DeltaSums};
use crate::simd::Simd;

/// `z = scale x + shift`.
pub(super) struct Line {
    pub mean: f32,
    pub inverse_deviation: f32,
    pub scale: f32,
    pub shift: f32,
}

/// The part of the gradient that flows through the mean and the variance: linear in the input.
#[derive(Clone, Copy)]
pub(super) struct StatisticsGradient {
    pub slope: f32,
    pub level: f32,
}

impl Line {
    pub fn new(norm: &BatchNorm, mean: f32, variance: f32, gamma: f32, beta: f32) -> Self {
        let inverse_deviation = 1.0 / (f64::from(variance) + f64::from(norm.epsilon)).sqrt();
        let scale = f64::from(gamma) * inverse_deviation;
        Self {
            mean,
            inverse_deviation: inverse_deviation as f32,
            scale: scale as f32,
            shift: (f64::from(beta) - f64::from(mean) * scale) as f32,
        }
    }

    /// With the mean gradients of the line, and of the line weighted with the normalised numbers,
    /// `dx = scale (delta - mean_delta - normalised mean_weighted) = scale delta + slope x + level`.
    pub fn rest(&self, sums: &DeltaSums, count: f64) -> StatisticsGradient {
        let (mean_delta, mean_weighted) = (sums.plain / count, sums.weighted / count);
        let scale = f64::from(self.scale);
        let slope = -scale * f64::from(self.inverse_deviation) * mean_weighted;
        let level = -scale * mean_delta - slope * f64::from(self.mean);
        StatisticsGradient { slope: slope as f32, level: level as f32 }
    }
}

/// The mean and the variance of a channel of `x`.
///
/// In one pass, about the mean of the first image: with `d` from there to the mean of all, the variance is the mean square
/// about it less `d²`. The first image alone makes for a variance of `d² / batch`, so that what cancels is at most `batch`
/// times the variance.
#[inline(always)]
pub(super) fn statistics<S: Simd>(s: S, channel: Channel<'_>, x: &[f32]) -> (f32, f32) {
    let batch = channel.norm.batch;
    if batch == 0 {
        return (f32::NAN, f32::NAN);
    }
    let next = channel.next_input();
    let first = Moments::of(s, &x[channel.input(0)], 0.0, 0).sum / channel.norm.positions() as f64;
    let centre = first as f32;
    let mut total = Moments { sum: 0.0, squares: 0.0 };
    for image in 0..batch {
        let Moments { sum, squares } = Moments::of(s, &x[channel.input(image)], centre, next);
        total.sum += sum;
        total.squares += squares;
    }
    let count = channel.norm.count();
    let distance = total.sum / count;
    let variance = (total.squares / count - distance * distance).max(0.0);
    ((f64::from(centre) + distance) as f32, variance as f32)
}

/// The sum of some numbers' distances from a centre, and that of their squares.
struct Moments {
    sum: f64,
    squares: f64,
}

impl Moments {
    /// Fetches what lies `next` elements further on.
    #[inline(always)]
    fn of<S: Simd>(s: S, values: &[f32], centre: f32, next: usize) -> Self {
        let centre = s.splat(centre);
        let whole = values.len() - values.len() % S::LANES;
        let [mut sums, mut squares] = [[s.zero(); 2]; 2];
        for (i, at) in (0..whole).step_by(S::LANES).enumerate() {
            s.prefetch(values, at + next);
            // SAFETY: a vector from here ends inside the slice.
            let distance = s.sub(unsafe { s.load(values, at) }, centre);
            sums[i % 2] = s.add(sums[i % 2], distance);
            squares[i % 2] = s.fma(distance, distance, squares[i % 2]);
        }
        if whole < values.len() {
            let lanes = values.len() - whole;
            // SAFETY: the lanes end with the slice.
            let distance = s.sub(unsafe { s.load_partial(values, whole, lanes) }, centre);
            let inside = s.mask_from_bits((1_u32 << lanes) - 1);
            let distance = s.select(inside, distance, s.zero());
            sums[0] = s.add(sums[0], distance);
            squares[0] = s.fma(distance, distance, squares[0]);
        }
        Self {
            sum: f64::from(s.sum(s.add(sums[0], sums[1]))),
            squares: f64::from(s.sum(s.add(squares[0], squares[1]))),
        }
    }
}
