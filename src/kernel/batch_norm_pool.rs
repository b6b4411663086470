//! Batch normalisation, an activation and a 2×2 max-pool in one pass, and their gradients.
//!
//! What is normalised but not yet pooled is never written down: the backward pass works it out again from the input,
//! which costs less than moving it through memory.

use super::activation::{Activation, DerivativeOf};
use super::batch_norm::{BatchNorm, BatchNormGradients, Line, Statistics};
use super::executor::{Executor, Kernel};
use super::simd::Simd;
use super::threads::DisjointMut;
use super::windows::{Picks, Windows};

/// The shape of a batch and what is done to it: inputs are `[batch, channels, height, width]`, outputs
/// `[batch, channels, height / 2, width / 2]`.
///
/// An odd last row or column counts in the statistics, and is not pooled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormPool {
    /// Images.
    pub batch: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// Applied to what is normalised.
    pub activation: Activation,
}

impl BatchNormPool {
    /// Sets `mean` and `variance`, `[channels]`, to those of the batch, and `y` to the pooled result under them.
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
        self.check(&[x], &[y], &[gamma, beta, mean, variance]);
        let statistics = Some((DisjointMut::new(mean), DisjointMut::new(variance)));
        let known = Statistics { mean: &[], variance: &[] };
        let kernel =
            Forward { shape: self, x, gamma, beta, y: DisjointMut::new(y), statistics, known };
        executor.run(self.channels, &kernel);
    }

    /// Sets `y` to the pooled result under statistics that are known.
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
        self.check(&[x], &[y], &[gamma, beta, known.mean, known.variance]);
        let kernel = Forward {
            shape: self,
            x,
            gamma,
            beta,
            y: DisjointMut::new(y),
            statistics: None,
            known,
        };
        executor.run(self.channels, &kernel);
    }

    /// Sets `gradients` from the output's, `dy`, and the statistics of [`BatchNormPool::forward_train`].
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
        let per_channel = [gamma, beta, statistics.mean, statistics.variance, d_gamma, d_beta];
        self.check(&[x, dx], &[dy], &per_channel);
        let kernel = Backward {
            shape: self,
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

    /// `[height, width]` of the output.
    pub fn output_size(&self) -> [usize; 2] {
        [self.height / 2, self.width / 2]
    }

    fn check(&self, inputs: &[&[f32]], outputs: &[&[f32]], per_channel: &[&[f32]]) {
        let planes = self.batch * self.channels;
        let (len, pooled_len) =
            (planes * self.height * self.width, planes * self.pooled().positions);
        assert!(inputs.iter().all(|values| values.len() == len), "inputs of {self:?}");
        assert!(outputs.iter().all(|values| values.len() == pooled_len), "outputs of {self:?}");
        assert!(
            per_channel.iter().all(|values| values.len() == self.channels),
            "one number a channel of {self:?}"
        );
    }

    /// The normalisation without the pool.
    fn norm(&self) -> BatchNorm {
        let Self { batch, channels, height, width, epsilon, activation } = *self;
        BatchNorm { batch, channels, positions: height * width, epsilon, activation }
    }

    /// The same channels with the positions of the output.
    fn pooled(&self) -> BatchNorm {
        let [height, width] = self.output_size();
        BatchNorm { positions: height * width, ..self.norm() }
    }

    /// The rows of output and the two rows of input to each, for a channel of an image.
    fn row_pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let ([height, width], input_width) = (self.output_size(), self.width);
        (0..height).map(move |row| (row * width, 2 * row * input_width))
    }
}

/// Whether a larger number never has a smaller activation, so that the pool can go first.
const fn is_monotonic(activation: Activation) -> bool {
    !matches!(activation, Activation::Gelu | Activation::Silu)
}

struct Forward<'a> {
    shape: &'a BatchNormPool,
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
        let (norm, pooled) = (self.shape.norm(), self.shape.pooled());
        let (mean, variance) = match &self.statistics {
            Some((means, variances)) => {
                let (mean, variance) = norm.statistics(s, self.x, channel);
                // SAFETY: each channel has its own element.
                unsafe {
                    means.range(channel..channel + 1)[0] = mean;
                    variances.range(channel..channel + 1)[0] = variance;
                }
                (mean, variance)
            }
            None => (self.known.mean[channel], self.known.variance[channel]),
        };
        let line = Line::new(&norm, mean, variance, self.gamma[channel], self.beta[channel]);
        let (scale, shift) = (s.splat(line.scale), s.splat(line.shift));
        let (width, activation) = (self.shape.output_size()[1], self.shape.activation);
        for image in 0..norm.batch {
            let x = &self.x[norm.start(image, channel)..][..norm.positions];
            let start = pooled.start(image, channel);
            // SAFETY: channels do not overlap.
            let y = unsafe { self.y.range(start..start + pooled.positions) };
            for (row, above) in self.shape.row_pairs() {
                for column in (0..width).step_by(S::LANES) {
                    let lanes = S::LANES.min(width - column);
                    // SAFETY: pairs of rows and of columns lie inside the image, and the lanes end with the row.
                    unsafe {
                        let windows = Windows::load(s, x, above, self.shape.width, column, lanes);
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
}

struct Backward<'a> {
    shape: &'a BatchNormPool,
    x: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    statistics: Statistics<'a>,
    dy: &'a [f32],
    dx: DisjointMut<'a, f32>,
    d_gamma: DisjointMut<'a, f32>,
    d_beta: DisjointMut<'a, f32>,
}

/// The windows of some outputs and the gradients of what they picked.
struct Picked<S: Simd> {
    windows: Windows<S>,
    picks: Picks<S>,
    x: S::V,
    delta: S::V,
}

impl Backward<'_> {
    /// # Safety
    /// As [`Windows::load`], and `lanes` outputs from `at` lie inside `dy`.
    #[inline(always)]
    unsafe fn picked<S: Simd>(
        &self,
        s: S,
        line: &Line,
        (x, above, column): (&[f32], usize, usize),
        (dy, at, lanes): (&[f32], usize, usize),
    ) -> Picked<S> {
        let activation = self.shape.activation;
        let (scale, shift) = (s.splat(line.scale), s.splat(line.shift));
        // SAFETY: as the caller promises.
        let windows = unsafe { Windows::load(s, x, above, self.shape.width, column, lanes) };
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

    /// The sum of the line's gradients, and the sum weighted with the normalised numbers.
    #[inline(always)]
    fn sums<S: Simd>(&self, s: S, channel: usize, line: &Line) -> (f64, f64) {
        let (norm, pooled) = (self.shape.norm(), self.shape.pooled());
        let (mean, inverse) =
            (s.splat(self.statistics.mean[channel]), s.splat(line.inverse_deviation));
        let width = self.shape.output_size()[1];
        let (mut sum, mut weighted) = (0.0, 0.0);
        for image in 0..norm.batch {
            let x = &self.x[norm.start(image, channel)..][..norm.positions];
            let dy = &self.dy[pooled.start(image, channel)..][..pooled.positions];
            let (mut image_sum, mut image_weighted) = (s.zero(), s.zero());
            for (row, above) in self.shape.row_pairs() {
                for column in (0..width).step_by(S::LANES) {
                    let lanes = S::LANES.min(width - column);
                    // SAFETY: pairs of rows and of columns lie inside the image, and the lanes end with the row.
                    let picked = unsafe {
                        self.picked(s, line, (x, above, column), (dy, row + column, lanes))
                    };
                    let normalised = s.mul(s.sub(picked.x, mean), inverse);
                    image_sum = s.add(image_sum, picked.delta);
                    image_weighted = s.fma(picked.delta, normalised, image_weighted);
                }
            }
            sum += f64::from(s.sum(image_sum));
            weighted += f64::from(s.sum(image_weighted));
        }
        (sum, weighted)
    }

    /// `dx = slope x + level`, and `scale delta` more where the pool picked.
    #[inline(always)]
    fn input<S: Simd>(&self, s: S, channel: usize, line: &Line, (slope, level): (f32, f32)) {
        let (norm, pooled) = (self.shape.norm(), self.shape.pooled());
        let (scale, slopes, levels) = (s.splat(line.scale), s.splat(slope), s.splat(level));
        let [height, width] = self.shape.output_size();
        for image in 0..norm.batch {
            let start = norm.start(image, channel);
            let x = &self.x[start..start + norm.positions];
            let dy = &self.dy[pooled.start(image, channel)..][..pooled.positions];
            // SAFETY: channels do not overlap.
            let dx = unsafe { self.dx.range(start..start + norm.positions) };
            for (row, above) in self.shape.row_pairs() {
                for column in (0..width).step_by(S::LANES) {
                    let lanes = S::LANES.min(width - column);
                    // SAFETY: pairs of rows and of columns lie inside the image, and the lanes end with the row.
                    unsafe {
                        let picked =
                            self.picked(s, line, (x, above, column), (dy, row + column, lanes));
                        let own = s.mul(picked.delta, scale);
                        let rest = picked.windows.on_line(s, slopes, levels);
                        let own = Windows::picked(s, picked.picks, own);
                        rest.plus(s, own).store(s, dx, above, self.shape.width, column, lanes);
                    }
                }
            }
            let unpooled_column = (self.shape.width > 2 * width).then_some(2 * width);
            let last_of_rows = unpooled_column
                .into_iter()
                .flat_map(|column| (0..2 * height).map(move |row| row * self.shape.width + column));
            for at in last_of_rows.chain(2 * height * self.shape.width..norm.positions) {
                dx[at] = x[at] * slope + level;
            }
        }
    }
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, channel: usize) {
        let norm = self.shape.norm();
        let (mean, variance) = (self.statistics.mean[channel], self.statistics.variance[channel]);
        let line = Line::new(&norm, mean, variance, self.gamma[channel], self.beta[channel]);
        let (sum, weighted) = self.sums(s, channel, &line);
        // SAFETY: each channel has its own element.
        unsafe {
            self.d_beta.range(channel..channel + 1)[0] = sum as f32;
            self.d_gamma.range(channel..channel + 1)[0] = weighted as f32;
        }
        let rest = line.gradient(mean, sum / norm.count(), weighted / norm.count());
        self.input(s, channel, &line, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Cpu;
    use crate::kernel::pool::{PoolKind, PoolShape};
    use crate::kernel::testing::{assert_close_beside, random};
    use proptest::prelude::*;

    struct Case {
        shape: BatchNormPool,
        x: Vec<f32>,
        gamma: Vec<f32>,
        beta: Vec<f32>,
        dy: Vec<f32>,
    }

    impl Case {
        fn new(shape: BatchNormPool, seed: u64) -> Self {
            let planes = shape.batch * shape.channels;
            Self {
                shape,
                x: random(planes * shape.height * shape.width, seed)
                    .iter()
                    .map(|x| x * 2.0 + 1.0)
                    .collect(),
                // Both signs: a negative one makes the smallest the largest.
                gamma: random(shape.channels, seed + 1),
                beta: random(shape.channels, seed + 2),
                dy: random(planes * shape.pooled().positions, seed + 3),
            }
        }

        fn run(&self, executor: &Executor) -> [Vec<f32>; 6] {
            let (mut y, mut dx) = (vec![f32::NAN; self.dy.len()], vec![f32::NAN; self.x.len()]);
            let [mut mean, mut variance, mut d_gamma, mut d_beta] =
                std::array::from_fn(|_| vec![f32::NAN; self.shape.channels]);
            let (x, gamma, beta) = (&self.x, &self.gamma, &self.beta);
            self.shape.forward_train(executor, x, gamma, beta, &mut y, &mut mean, &mut variance);
            let statistics = Statistics { mean: &mean, variance: &variance };
            let gradients =
                BatchNormGradients { x: &mut dx, gamma: &mut d_gamma, beta: &mut d_beta };
            self.shape.backward(executor, x, gamma, beta, statistics, &self.dy, gradients);
            let mut eval = vec![f32::NAN; self.dy.len()];
            self.shape.forward_eval(executor, x, gamma, beta, statistics, &mut eval);
            assert_eq!(eval, y, "the same statistics give the same result");
            [y, mean, variance, dx, d_gamma, d_beta]
        }

        /// The two operations one after the other; each has a reference in double precision of its own.
        fn apart(&self, executor: &Executor) -> [Vec<f32>; 6] {
            let (norm, BatchNormPool { batch, channels, height, width, .. }) =
                (self.shape.norm(), self.shape);
            let pool = PoolShape {
                planes: batch * channels,
                height,
                width,
                size: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                kind: PoolKind::Max,
            };
            let (mut normalised, mut y) = (vec![0.0; self.x.len()], vec![0.0; self.dy.len()]);
            let (mut d_normalised, mut dx) = (normalised.clone(), normalised.clone());
            let [mut mean, mut variance, mut d_gamma, mut d_beta] =
                std::array::from_fn(|_| vec![0.0; channels]);
            let (x, gamma, beta) = (&self.x, &self.gamma, &self.beta);
            norm.forward_train(executor, x, gamma, beta, &mut normalised, &mut mean, &mut variance);
            pool.forward(executor, &normalised, &mut y);
            pool.backward(executor, &normalised, &y, &self.dy, &mut d_normalised);
            let statistics = Statistics { mean: &mean, variance: &variance };
            let gradients =
                BatchNormGradients { x: &mut dx, gamma: &mut d_gamma, beta: &mut d_beta };
            norm.backward(executor, x, gamma, beta, statistics, &d_normalised, gradients);
            [y, mean, variance, dx, d_gamma, d_beta]
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 48 }))]
        #[test]
        fn one_pass_equals_the_operations_apart(
            batch in 1..6_usize, channels in 1..5_usize, height in 2..15_usize, width in 2..75_usize,
            activation in prop::sample::select(Activation::ALL.to_vec()), seed in any::<u32>()
        ) {
            let shape = BatchNormPool { batch, channels, height, width, epsilon: 1e-5, activation };
            let case = Case::new(shape, seed.into());
            for cpu in Cpu::available() {
                let executor = Executor::new(cpu, 1);
                let (found, expected) = (case.run(&executor), case.apart(&executor));
                // Where relu makes zeros of a whole window its gradient is zero, whichever of them is picked.
                for (i, name) in ["y", "mean", "variance", "dx", "d_gamma", "d_beta"].into_iter().enumerate() {
                    let expected: Vec<f64> = expected[i].iter().map(|value| f64::from(*value)).collect();
                    let what = format!("{cpu} {activation:?} {name}");
                    assert_close_beside(&found[i], &expected, 1e-4, 0.1, &what);
                }
                prop_assert_eq!(&found, &case.run(&Executor::new(cpu, 2)));
            }
        }
    }

    #[test]
    fn nan_comes_out_of_its_channel_alone() {
        let shape = BatchNormPool {
            batch: 1,
            channels: 2,
            height: 4,
            width: 4,
            epsilon: 1e-5,
            activation: Activation::Relu,
        };
        let mut case = Case::new(shape, 1);
        case.x[3] = f32::NAN;
        for cpu in Cpu::available() {
            let (mut y, mut mean, mut variance) = (vec![0.0; 8], vec![0.0; 2], vec![0.0; 2]);
            let (executor, x) = (Executor::new(cpu, 1), &case.x);
            shape.forward_train(
                &executor,
                x,
                &case.gamma,
                &case.beta,
                &mut y,
                &mut mean,
                &mut variance,
            );
            assert!(y[..4].iter().all(|y| y.is_nan()), "{cpu}");
            assert!(y[4..].iter().all(|y| !y.is_nan()), "{cpu}");
        }
    }
}
