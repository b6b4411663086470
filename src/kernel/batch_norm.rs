//! Batch normalisation with an activation after it, and its gradients.
//!
//! [Ioffe and Szegedy](https://arxiv.org/abs/1502.03167): `y = act(gamma (x - mean) / sqrt(variance + epsilon) + beta)` for
//! each channel. The variance is the biased one, as in burn.
//!
//! A channel is one chunk; sums are taken for each image in lanes, and over the images in double precision.

use super::activation::{Activation, DerivativeOf};
use super::executor::{Executor, Kernel};
use super::simd::Simd;
use super::threads::DisjointMut;

/// The shape of a batch and what is done to it. Slices of it are `[batch, channels, positions]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Images.
    pub batch: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Numbers of a channel of an image.
    pub positions: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// Applied to what is normalised.
    pub activation: Activation,
}

/// Numbers for each channel.
#[derive(Clone, Copy, Debug)]
pub struct Statistics<'a> {
    /// `[channels]`
    pub mean: &'a [f32],
    /// `[channels]`, biased.
    pub variance: &'a [f32],
}

/// The gradients that a backward pass writes.
#[derive(Debug)]
pub struct BatchNormGradients<'a> {
    /// `[batch, channels, positions]`
    pub x: &'a mut [f32],
    /// `[channels]`
    pub gamma: &'a mut [f32],
    /// `[channels]`
    pub beta: &'a mut [f32],
}

impl BatchNorm {
    /// Sets `mean` and `variance`, `[channels]`, to those of the batch, and `y` to the result under them.
    ///
    /// # Panics
    /// A slice has another length than its shape says.
    #[expect(clippy::too_many_arguments, reason = "one slice for each tensor that takes part")]
    pub fn forward_train(
        &self,
        executor: &Executor,
        x: &[f32],
        gamma: &[f32],
        beta: &[f32],
        y: &mut [f32],
        mean: &mut [f32],
        variance: &mut [f32],
    ) {
        self.check(&[x, y], &[gamma, beta, mean, variance]);
        let statistics = Some((DisjointMut::new(mean), DisjointMut::new(variance)));
        let known = Statistics { mean: &[], variance: &[] };
        let kernel =
            Forward { norm: self, x, gamma, beta, y: DisjointMut::new(y), statistics, known };
        executor.run(self.channels, &kernel);
    }

    /// Sets `y` to the result under statistics that are known.
    ///
    /// # Panics
    /// A slice has another length than its shape says.
    pub fn forward_eval(
        &self,
        executor: &Executor,
        x: &[f32],
        gamma: &[f32],
        beta: &[f32],
        known: Statistics<'_>,
        y: &mut [f32],
    ) {
        self.check(&[x, y], &[gamma, beta, known.mean, known.variance]);
        let kernel =
            Forward { norm: self, x, gamma, beta, y: DisjointMut::new(y), statistics: None, known };
        executor.run(self.channels, &kernel);
    }

    /// Sets `gradients` from the output's, `dy`, and the statistics of [`BatchNorm::forward_train`].
    ///
    /// # Panics
    /// A slice has another length than its shape says.
    #[expect(clippy::too_many_arguments, reason = "one slice for each tensor that takes part")]
    pub fn backward(
        &self,
        executor: &Executor,
        x: &[f32],
        gamma: &[f32],
        beta: &[f32],
        statistics: Statistics<'_>,
        dy: &[f32],
        gradients: BatchNormGradients<'_>,
    ) {
        let BatchNormGradients { x: dx, gamma: d_gamma, beta: d_beta } = gradients;
        self.check(
            &[x, dy, dx],
            &[gamma, beta, statistics.mean, statistics.variance, d_gamma, d_beta],
        );
        let kernel = Backward {
            norm: self,
            x,
            gamma,
            beta,
            statistics,
            dy,
            dx: DisjointMut::new(dx),
            d_gamma: DisjointMut::new(d_gamma),
            d_beta: DisjointMut::new(d_beta),
        };
        executor.run(self.channels, &kernel);
    }

    fn check(&self, values: &[&[f32]], per_channel: &[&[f32]]) {
        let len = self.batch * self.channels * self.positions;
        assert!(values.iter().all(|values| values.len() == len), "values of {self:?}");
        assert!(
            per_channel.iter().all(|values| values.len() == self.channels),
            "one number a channel of {self:?}"
        );
    }

    /// Where the numbers of `channel` in `image` start.
    #[inline(always)]
    pub(super) fn start(&self, image: usize, channel: usize) -> usize {
        (image * self.channels + channel) * self.positions
    }

    pub(super) fn count(&self) -> f64 {
        (self.batch * self.positions) as f64
    }

    /// The mean and the variance of a channel.
    #[inline(always)]
    pub(super) fn statistics<S: Simd>(&self, s: S, x: &[f32], channel: usize) -> (f32, f32) {
        let mean = self.sum(s, x, channel, |_, value| value) / self.count();
        let centre = s.splat(mean as f32);
        let squares = self.sum(s, x, channel, |s, value| {
            let distance = s.sub(value, centre);
            s.mul(distance, distance)
        });
        // What rounding the mean left over counts in the squares, for every number alike.
        let rounded = mean - f64::from(mean as f32);
        (mean as f32, (squares / self.count() - rounded * rounded).max(0.0) as f32)
    }

    /// The sum of `term` over a channel.
    #[inline(always)]
    fn sum<S: Simd>(&self, s: S, x: &[f32], channel: usize, term: impl Fn(S, S::V) -> S::V) -> f64 {
        let mut total = 0.0;
        for image in 0..self.batch {
            let values = &x[self.start(image, channel)..][..self.positions];
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
}

/// Not NaN-proof by itself: a NaN in `x` makes mean and variance NaN but for the clamp at zero, which passes over NaN.
struct Forward<'a> {
    norm: &'a BatchNorm,
    x: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    y: DisjointMut<'a, f32>,
    /// Where the batch's own statistics go; without, the known ones count.
    statistics: Option<(DisjointMut<'a, f32>, DisjointMut<'a, f32>)>,
    known: Statistics<'a>,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, channel: usize) {
        let (mean, variance) = match &self.statistics {
            Some((means, variances)) => {
                let (mean, variance) = self.norm.statistics(s, self.x, channel);
                // SAFETY: each channel has its own element.
                unsafe {
                    means.range(channel..channel + 1)[0] = mean;
                    variances.range(channel..channel + 1)[0] = variance;
                }
                (mean, variance)
            }
            None => (self.known.mean[channel], self.known.variance[channel]),
        };
        let line = Line::new(self.norm, mean, variance, self.gamma[channel], self.beta[channel]);
        let (scale, shift) = (s.splat(line.scale), s.splat(line.shift));
        for image in 0..self.norm.batch {
            let start = self.norm.start(image, channel);
            let x = &self.x[start..start + self.norm.positions];
            // SAFETY: channels do not overlap.
            let y = unsafe { self.y.range(start..start + self.norm.positions) };
            for at in (0..x.len()).step_by(S::LANES) {
                let lanes = S::LANES.min(x.len() - at);
                // SAFETY: the lanes end with the slices.
                unsafe {
                    let z = s.fma(s.load_partial(x, at, lanes), scale, shift);
                    s.store_partial(y, at, lanes, self.norm.activation.forward(s, z));
                }
            }
        }
    }
}

/// A channel's normalisation as a straight line: `z = scale x + shift`.
pub(super) struct Line {
    pub inverse_deviation: f32,
    pub scale: f32,
    pub shift: f32,
}

impl Line {
    pub fn new(norm: &BatchNorm, mean: f32, variance: f32, gamma: f32, beta: f32) -> Self {
        let inverse_deviation = 1.0 / (f64::from(variance) + f64::from(norm.epsilon)).sqrt();
        let scale = f64::from(gamma) * inverse_deviation;
        Self {
            inverse_deviation: inverse_deviation as f32,
            scale: scale as f32,
            shift: (f64::from(beta) - f64::from(mean) * scale) as f32,
        }
    }
}

impl Line {
    /// The slope and level of what a number's gradient gets from all others, as a line in the number: with the mean
    /// gradients of the line and of the line weighted with the normalised numbers,
    /// `dx = scale (delta - mean_delta - normalised mean_weighted) = scale delta + slope x + level`.
    pub fn gradient(&self, mean: f32, mean_delta: f64, mean_weighted: f64) -> (f32, f32) {
        let scale = f64::from(self.scale);
        let slope = -scale * f64::from(self.inverse_deviation) * mean_weighted;
        let level = -scale * mean_delta - slope * f64::from(mean);
        (slope as f32, level as f32)
    }
}

struct Backward<'a> {
    norm: &'a BatchNorm,
    x: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    statistics: Statistics<'a>,
    dy: &'a [f32],
    dx: DisjointMut<'a, f32>,
    d_gamma: DisjointMut<'a, f32>,
    d_beta: DisjointMut<'a, f32>,
}

impl Backward<'_> {
    /// Leaves the gradient of the line in `dx` and returns its sum, and its sum weighted with the normalised numbers.
    #[inline(always)]
    fn deltas<S: Simd>(&self, s: S, channel: usize, line: &Line) -> (f64, f64) {
        let norm = self.norm;
        let (scale, shift) = (s.splat(line.scale), s.splat(line.shift));
        let (mean, inverse) =
            (s.splat(self.statistics.mean[channel]), s.splat(line.inverse_deviation));
        let (mut sum, mut weighted) = (0.0, 0.0);
        for image in 0..norm.batch {
            let start = norm.start(image, channel);
            let range = start..start + norm.positions;
            let (x, dy) = (&self.x[range.clone()], &self.dy[range.clone()]);
            // SAFETY: channels do not overlap.
            let dx = unsafe { self.dx.range(range) };
            let (mut image_sum, mut image_weighted) = (s.zero(), s.zero());
            for at in (0..x.len()).step_by(S::LANES) {
                let lanes = S::LANES.min(x.len() - at);
                // SAFETY: the lanes end with the slices.
                unsafe {
                    let value = s.load_partial(x, at, lanes);
                    let z = s.fma(value, scale, shift);
                    let kept = match norm.activation.derivative_of() {
                        DerivativeOf::Input => z,
                        DerivativeOf::Output => norm.activation.forward(s, z),
                    };
                    // Zero in the lanes beyond the end, since `dy` is.
                    let delta =
                        s.mul(s.load_partial(dy, at, lanes), norm.activation.derivative(s, kept));
                    s.store_partial(dx, at, lanes, delta);
                    image_sum = s.add(image_sum, delta);
                    let normalised = s.mul(s.sub(value, mean), inverse);
                    image_weighted = s.fma(delta, normalised, image_weighted);
                }
            }
            sum += f64::from(s.sum(image_sum));
            weighted += f64::from(s.sum(image_weighted));
        }
        (sum, weighted)
    }
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, channel: usize) {
        let norm = self.norm;
        let (mean, variance) = (self.statistics.mean[channel], self.statistics.variance[channel]);
        let line = Line::new(norm, mean, variance, self.gamma[channel], self.beta[channel]);
        let (sum, weighted) = self.deltas(s, channel, &line);
        // SAFETY: each channel has its own element.
        unsafe {
            self.d_beta.range(channel..channel + 1)[0] = sum as f32;
            self.d_gamma.range(channel..channel + 1)[0] = weighted as f32;
        }
        let (slope, level) = line.gradient(mean, sum / norm.count(), weighted / norm.count());
        let (scale, slope, level) = (s.splat(line.scale), s.splat(slope), s.splat(level));
        for image in 0..norm.batch {
            let start = norm.start(image, channel);
            let range = start..start + norm.positions;
            let x = &self.x[range.clone()];
            // SAFETY: channels do not overlap.
            let dx = unsafe { self.dx.range(range) };
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Cpu;
    use crate::kernel::testing::{assert_close_beside, random};
    use proptest::prelude::*;

    struct Case {
        norm: BatchNorm,
        x: Vec<f32>,
        gamma: Vec<f32>,
        beta: Vec<f32>,
        dy: Vec<f32>,
    }

    const NAMES: [&str; 6] = ["y", "mean", "variance", "dx", "d_gamma", "d_beta"];

    impl Case {
        fn new(norm: BatchNorm, seed: u64) -> Self {
            let len = norm.batch * norm.channels * norm.positions;
            Self {
                norm,
                // Off centre, so that the variance is small beside the mean.
                x: random(len, seed).iter().map(|x| x * 2.0 + 3.0).collect(),
                gamma: random(norm.channels, seed + 1).iter().map(|gamma| gamma + 1.5).collect(),
                beta: random(norm.channels, seed + 2),
                dy: random(len, seed + 3),
            }
        }

        fn run(&self, executor: &Executor) -> [Vec<f32>; 6] {
            let (mut y, mut dx) = (vec![f32::NAN; self.x.len()], vec![f32::NAN; self.x.len()]);
            let [mut mean, mut variance, mut d_gamma, mut d_beta] =
                std::array::from_fn(|_| vec![f32::NAN; self.norm.channels]);
            let (x, gamma, beta) = (&self.x, &self.gamma, &self.beta);
            self.norm.forward_train(executor, x, gamma, beta, &mut y, &mut mean, &mut variance);
            let statistics = Statistics { mean: &mean, variance: &variance };
            let gradients =
                BatchNormGradients { x: &mut dx, gamma: &mut d_gamma, beta: &mut d_beta };
            self.norm.backward(executor, x, gamma, beta, statistics, &self.dy, gradients);
            let mut eval = vec![f32::NAN; self.x.len()];
            self.norm.forward_eval(executor, x, gamma, beta, statistics, &mut eval);
            assert_eq!(eval, y, "the same statistics give the same result");
            [y, mean, variance, dx, d_gamma, d_beta]
        }

        fn reference(&self) -> [Vec<f64>; 6] {
            let BatchNorm { batch, channels, positions, epsilon, activation } = self.norm;
            let (mut y, mut dx) = (vec![0.0; self.x.len()], vec![0.0; self.x.len()]);
            let [mut means, mut variances, mut d_gamma, mut d_beta] =
                std::array::from_fn(|_| vec![0.0; channels]);
            let count = (batch * positions) as f64;
            for c in 0..channels {
                let places: Vec<usize> = (0..batch)
                    .flat_map(|n| (0..positions).map(move |p| (n * channels + c) * positions + p))
                    .collect();
                let x = |at: &usize| f64::from(self.x[*at]);
                let mean = places.iter().map(x).sum::<f64>() / count;
                let variance = places.iter().map(|at| (x(at) - mean).powi(2)).sum::<f64>() / count;
                let inverse = 1.0 / (variance + f64::from(epsilon)).sqrt();
                let (gamma, beta) = (f64::from(self.gamma[c]), f64::from(self.beta[c]));
                let normalised = |at: &usize| (x(at) - mean) * inverse;
                let delta = |at: &usize| {
                    f64::from(self.dy[*at])
                        * activation.reference_slope(gamma * normalised(at) + beta)
                };
                (means[c], variances[c]) = (mean, variance);
                d_beta[c] = places.iter().map(delta).sum();
                d_gamma[c] = places.iter().map(|at| delta(at) * normalised(at)).sum();
                for at in &places {
                    y[*at] = activation.reference(gamma * normalised(at) + beta);
                    let rest = (d_beta[c] + normalised(at) * d_gamma[c]) / count;
                    dx[*at] = gamma * inverse * (delta(at) - rest);
                }
            }
            [y, means, variances, dx, d_gamma, d_beta]
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 32 }))]
        #[test]
        fn values_and_gradients_match_double_precision(
            batch in 2..20_usize, channels in 1..9_usize, positions in 1..120_usize,
            activation in prop::sample::select(Activation::ALL.to_vec()), seed in any::<u32>()
        ) {
            let norm = BatchNorm { batch, channels, positions, epsilon: 1e-5, activation };
            let case = Case::new(norm, seed.into());
            let expected = case.reference();
            for cpu in Cpu::available() {
                let found = case.run(&Executor::new(cpu, 1));
                for (i, name) in NAMES.into_iter().enumerate() {
                    // With few numbers the gradient of x is the small rest of large terms.
                    let tolerance = if i == 3 && batch * positions < 16 { 1e-2 } else { 1e-4 };
                    let what = format!("{cpu} {activation:?} {name}");
                    assert_close_beside(&found[i], &expected[i], tolerance, 0.1, &what);
                }
                prop_assert_eq!(&found, &case.run(&Executor::new(cpu, 2)));
                prop_assert_eq!(&found, &case.run(&Executor::new(cpu, 4)));
            }
        }
    }

    #[test]
    fn nan_in_a_channel_stays_in_the_channel() {
        let norm = BatchNorm {
            batch: 2,
            channels: 2,
            positions: 9,
            epsilon: 1e-5,
            activation: Activation::Relu,
        };
        let mut case = Case::new(norm, 1);
        case.x[3] = f32::NAN;
        for cpu in Cpu::available() {
            let (mut y, mut mean, mut variance) = (vec![0.0; 36], vec![0.0; 2], vec![0.0; 2]);
            let executor = Executor::new(cpu, 1);
            norm.forward_train(
                &executor,
                &case.x,
                &case.gamma,
                &case.beta,
                &mut y,
                &mut mean,
                &mut variance,
            );
            assert!(mean[0].is_nan() && y[..9].iter().all(|y| y.is_nan()));
            assert!(!mean[1].is_nan() && y[9..18].iter().all(|y| !y.is_nan()));
        }
    }
}
