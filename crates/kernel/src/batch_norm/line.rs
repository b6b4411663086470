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

/// What a number's gradient gets from all others, as a line in the number.
#[derive(Clone, Copy)]
pub(super) struct Rest {
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
    pub fn rest(&self, sums: &DeltaSums, count: f64) -> Rest {
        let (mean_delta, mean_weighted) = (sums.plain / count, sums.weighted / count);
        let scale = f64::from(self.scale);
        let slope = -scale * f64::from(self.inverse_deviation) * mean_weighted;
        let level = -scale * mean_delta - slope * f64::from(self.mean);
        Rest { slope: slope as f32, level: level as f32 }
    }
}

/// The mean and the variance of a channel of `x`.
#[inline(always)]
pub(super) fn statistics<S: Simd>(s: S, channel: Channel<'_>, x: &[f32]) -> (f32, f32) {
    let count = channel.norm.count();
    let mean = sum(s, channel, x, |_, value| value) / count;
    let centre = s.splat(mean as f32);
    let squares = sum(s, channel, x, |s, value| {
        let distance = s.sub(value, centre);
        s.mul(distance, distance)
    });
    // What rounding the mean left over counts in the squares, for every number alike.
    let rounded = mean - f64::from(mean as f32);
    (mean as f32, (squares / count - rounded * rounded).max(0.0) as f32)
}

/// The sum of `term` over a channel.
#[inline(always)]
fn sum<S: Simd>(s: S, channel: Channel<'_>, x: &[f32], term: impl Fn(S, S::V) -> S::V) -> f64 {
    let mut total = 0.0;
    for image in 0..channel.norm.batch {
        let values = &x[channel.input(image)];
        let whole = values.len() - values.len() % S::LANES;
        let mut sums = [s.zero(); 2];
        for (i, at) in (0..whole).step_by(S::LANES).enumerate() {
            // SAFETY: a vector from here ends inside the slice.
            sums[i % 2] = s.add(sums[i % 2], term(s, unsafe { s.load(values, at) }));
        }
        if whole < values.len() {
            let lanes = values.len() - whole;
            // SAFETY: the lanes end with the slice.
            let last = term(s, unsafe { s.load_partial(values, whole, lanes) });
            let inside = s.mask_from_bits((1_u32 << lanes) - 1);
            sums[0] = s.add(sums[0], s.select(inside, last, s.zero()));
        }
        total += f64::from(s.sum(s.add(sums[0], sums[1])));
    }
    total
}
