//! Batch normalisation, an activation, and a 2×2 max-pool after it where wanted, and their gradients.
//!
//! [Ioffe and Szegedy](https://arxiv.org/abs/1502.03167): `y = act(gamma (x - mean) / sqrt(variance + epsilon) + beta)` for
//! each channel. The variance is the biased one, as in burn. An odd last row or column counts in the statistics, and is
//! not pooled.
//!
//! A channel is one chunk; sums are taken for each image in lanes, and over the images in double precision.

mod line;
mod plain;
mod pooled;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::line::Line;
use super::activation::Activation;
use super::conv::Pool;
use super::executor::{Executor, Kernel};
use super::simd::Simd;
use super::threads::DisjointMut;

/// The shape of a batch and what is done to it: inputs are `[batch, channels, height, width]`, outputs the same, or
/// `[batch, channels, height / 2, width / 2]` where they are pooled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
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
    /// What follows the activation.
    pub pool: Pool,
}

/// The statistics of each channel.
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
    /// `[batch, channels, height, width]`
    pub x: &'a mut [f32],
    /// `[channels]`
    pub gamma: &'a mut [f32],
    /// `[channels]`
    pub beta: &'a mut [f32],
}

impl BatchNorm {
    /// `[height, width]` of the output.
    pub fn output_size(&self) -> [usize; 2] {
        [self.height, self.width].map(|size| size / self.pool.size())
    }

    /// Sets `mean` and `variance`, `[channels]`, to those of the batch, and `y` to the result under them.
    ///
    /// # Panics
    /// The length of a slice does not match its shape.
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
            Forward { norm: self, x, gamma, beta, y: DisjointMut::new(y), statistics, known };
        executor.run(self.channels, &kernel);
    }

    /// Sets `y` to the result under statistics that are known.
    ///
    /// # Panics
    /// The length of a slice does not match its shape.
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
        let kernel =
            Forward { norm: self, x, gamma, beta, y: DisjointMut::new(y), statistics: None, known };
        executor.run(self.channels, &kernel);
    }

    /// Sets `gradients` from the output's, `dy`, and the statistics of [`BatchNorm::forward_train`].
    ///
    /// # Panics
    /// The length of a slice does not match its shape.
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

    fn check(&self, inputs: &[&[f32]], outputs: &[&[f32]], per_channel: &[&[f32]]) {
        let planes = self.batch * self.channels;
        let (len, output_len) = (planes * self.positions(), planes * self.output_positions());
        assert!(
            inputs.iter().all(|values| values.len() == len),
            "length of the inputs of {self:?}"
        );
        assert!(
            outputs.iter().all(|values| values.len() == output_len),
            "length of the outputs of {self:?}"
        );
        assert!(
            per_channel.iter().all(|values| values.len() == self.channels),
            "one value for each channel of {self:?}"
        );
    }

    /// Elements of a channel of an image.
    fn positions(&self) -> usize {
        self.height * self.width
    }

    fn output_positions(&self) -> usize {
        self.output_size().iter().product()
    }

    /// Elements of a channel of the batch.
    fn count(&self) -> f64 {
        (self.batch * self.positions()) as f64
    }
}

/// A channel of a batch, and where each image's elements of it are.
#[derive(Clone, Copy)]
struct Channel<'a> {
    norm: &'a BatchNorm,
    number: usize,
}

impl Channel<'_> {
    #[inline(always)]
    fn input(&self, image: usize) -> Range<usize> {
        self.plane(image, self.norm.positions())
    }

    #[inline(always)]
    fn output(&self, image: usize) -> Range<usize> {
        self.plane(image, self.norm.output_positions())
    }

    #[inline(always)]
    fn plane(&self, image: usize, positions: usize) -> Range<usize> {
        let start = (image * self.norm.channels + self.number) * positions;
        start..start + positions
    }

    /// From an element of an image's input to that of the next image, which is fetched meanwhile: a channel's planes lie too
    /// far apart for the machine to foresee.
    #[inline(always)]
    fn next_input(&self) -> usize {
        self.norm.channels * self.norm.positions()
    }

    /// As [`Channel::next_input`], of the output.
    #[inline(always)]
    fn next_output(&self) -> usize {
        self.norm.channels * self.norm.output_positions()
    }

    /// Whether vectors of eight hold all columns that are pooled to a row.
    fn is_narrow(&self) -> bool {
        self.norm.output_size()[1] <= 8
    }
}

/// NaN needs care: a NaN in `x` makes mean and variance NaN but for the clamp at zero, which passes over NaN.
struct Forward<'a> {
    norm: &'a BatchNorm,
    x: &'a [f32],
    gamma: &'a [f32],
    beta: &'a [f32],
    y: DisjointMut<'a, f32>,
    /// Where the batch's own statistics go; if `None`, the known ones are used.
    statistics: Option<(DisjointMut<'a, f32>, DisjointMut<'a, f32>)>,
    known: Statistics<'a>,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, number: usize) {
        let channel = Channel { norm: self.norm, number };
        let (mean, variance) = match &self.statistics {
            Some((means, variances)) => {
                let (mean, variance) = line::statistics(s, channel, self.x);
                // SAFETY: each channel has its own element.
                unsafe {
                    means.range(number..number + 1)[0] = mean;
                    variances.range(number..number + 1)[0] = variance;
                }
                (mean, variance)
            }
            None => (self.known.mean[number], self.known.variance[number]),
        };
        let line = Line::new(self.norm, mean, variance, self.gamma[number], self.beta[number]);
        match self.norm.pool {
            Pool::None => plain::forward(s, channel, &line, self.x, self.y),
            Pool::Max2x2 if channel.is_narrow() => {
                pooled::forward(s.eight(), channel, &line, self.x, self.y)
            }
            Pool::Max2x2 => pooled::forward(s, channel, &line, self.x, self.y),
        }
    }
}

/// The gradient of the line, summed over a channel: as it is, and weighted with the normalised numbers.
struct DeltaSums {
    plain: f64,
    weighted: f64,
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

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, number: usize) {
        let channel = Channel { norm: self.norm, number };
        let (mean, variance) = (self.statistics.mean[number], self.statistics.variance[number]);
        let line = Line::new(self.norm, mean, variance, self.gamma[number], self.beta[number]);
        let sums = match self.norm.pool {
            Pool::None => plain::deltas(s, channel, &line, self.x, self.dy, self.dx),
            Pool::Max2x2 if channel.is_narrow() => {
                pooled::delta_sums(s.eight(), channel, &line, self.x, self.dy)
            }
            Pool::Max2x2 => pooled::delta_sums(s, channel, &line, self.x, self.dy),
        };
        // SAFETY: each channel has its own element.
        unsafe {
            self.d_beta.range(number..number + 1)[0] = sums.plain as f32;
            self.d_gamma.range(number..number + 1)[0] = sums.weighted as f32;
        }
        let rest = line.rest(&sums, self.norm.count());
        match self.norm.pool {
            Pool::None => plain::gradient(s, channel, &line, rest, (self.x, self.dy), self.dx),
            Pool::Max2x2 if channel.is_narrow() => {
                pooled::gradient(s.eight(), channel, &line, rest, self.x, self.dy, self.dx)
            }
            Pool::Max2x2 => pooled::gradient(s, channel, &line, rest, self.x, self.dy, self.dx),
        }
    }
}
