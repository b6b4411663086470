//! How validation error falls with compute, as a power law with uncertainty.
//!
//! ln e = a − α·ln(C / C₀) + noise, where e is the share of validation images that are wrong, C the floating-point
//! operations of the training, and C₀ those of the smallest sensible member of the [plain family](super::family) on
//! the same images. Errors of networks that are neither starved of width nor of steps fall so over many orders of
//! magnitude (Hestness et al. 2017, "Deep learning scaling is predictable, empirically"; Rosenfeld et al. 2020, "A
//! constructive prediction of the generalization error across scales"). Extrapolating from a study's own points with
//! their uncertainty follows Domhan et al. 2015. a and α have the normal priors of [`prior`](super::prior); each trial
//! is an observation, and the posterior is that of Bayesian linear regression in closed form.

use statrs::distribution::{ContinuousCDF, Normal};

/// A normal distribution of the logarithm of an error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LogError {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

/// The standard normal quantile that leaves a tenth on either side.
const TENTH: f64 = 1.281_551_565_544_6;

impl LogError {
    /// The median error and the ends of the interval that holds 80 %, at most `guess`.
    pub(super) fn interval(&self, guess: f64) -> [f64; 3] {
        [-TENTH, 0.0, TENTH].map(|z| (self.mean + z * self.deviation).exp().min(guess))
    }

    /// Probability that the error is at most `allowed`.
    pub(super) fn at_most(&self, allowed: f64) -> f64 {
        let z = (allowed.max(1e-12).ln() - self.mean) / self.deviation.max(1e-9);
        Normal::standard().cdf(z)
    }
}

/// The posterior distribution of a and α.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Law {
    /// a, and α.
    mean: [f64; 2],
    /// Their variances and covariance: Var(a), Cov(a, α), Var(α).
    covariance: [f64; 3],
}

/// The smallest exponent that is considered: below it, more compute would not help within any budget.
const ALPHA_LEAST: f64 = 0.03;

impl Law {
    /// The prior, before any observation: mean and standard deviation of `a` and of `alpha`.
    pub(super) fn new(a: [f64; 2], alpha: [f64; 2]) -> Self {
        Self { mean: [a[0], alpha[0]], covariance: [a[1].powi(2), 0.0, alpha[1].powi(2)] }
    }

    /// Updates the posterior with a training of `compute` times C₀ that ended with an error whose logarithm is
    /// `log_error`, measured with the standard deviation `deviation`.
    pub(super) fn observe(&mut self, compute: f64, log_error: f64, deviation: f64) {
        let x = [1.0, -compute.ln()];
        let [aa, ab, bb] = self.covariance;
        let gain = [aa * x[0] + ab * x[1], ab * x[0] + bb * x[1]];
        let variance = x[0] * gain[0] + x[1] * gain[1] + deviation.powi(2);
        let residual = log_error - (x[0] * self.mean[0] + x[1] * self.mean[1]);
        self.mean[0] += gain[0] / variance * residual;
        self.mean[1] = (self.mean[1] + gain[1] / variance * residual).max(ALPHA_LEAST);
        self.covariance = [
            aa - gain[0] * gain[0] / variance,
            ab - gain[0] * gain[1] / variance,
            bb - gain[1] * gain[1] / variance,
        ];
    }

    /// The predicted error of a training of `compute` times C₀, whose noise has the standard deviation `noise`.
    pub(super) fn at(&self, compute: f64, noise: f64) -> LogError {
        let x = -compute.ln();
        let [aa, ab, bb] = self.covariance;
        let variance = (aa + 2.0 * x * ab + x * x * bb).max(0.0) + noise.powi(2);
        LogError { mean: self.mean[0] + x * self.mean[1], deviation: variance.sqrt() }
    }

    /// Mean and standard deviation of the exponent α.
    pub(super) fn alpha(&self) -> [f64; 2] {
        [self.mean[1], self.covariance[2].max(0.0).sqrt()]
    }
}

#[cfg(test)]
mod tests;
