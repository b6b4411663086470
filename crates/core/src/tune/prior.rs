//! The prior: what is expected of a data set before anything was trained on it.
//!
//! Every figure comes from the tables in `docs/growth-prior.md`, which `examples/growth_prior.rs` makes.

use super::law::Law;
use crate::spec::InputShape;

/// Mean and standard deviation of α: how fast errors fall with compute differs from data to data.
pub(super) const ALPHA: [f64; 2] = [0.21, 0.13];

/// Standard deviation of the logarithm of an error around the law, not counting the sampling error that follows from
/// the number of validation images: that of the tasks with enough of them to tell.
pub(super) const LAW_DEVIATION: f64 = 0.06;

/// The same of a sample, which is further from the members than these are from one another.
pub(super) const SAMPLE_DEVIATION: f64 = 0.16;

/// Networks of other forms make more errors with the same compute: mean and deviation of the logarithm of the ratio.
/// The deviation is twice that of one LeNet over all data, because the networks that people write differ more than that.
pub(super) const OTHER_ARCHITECTURES: [f64; 2] = [0.32, 0.44];

/// ln of the error at C₀ = b₀ + b₁·\[colour\] + b₂·ln(images / 10,000) + b₃·ln(classes / 10).
const INTERCEPT_WEIGHTS: [f64; 4] = [-3.23, 1.11, -0.39, 0.96];
/// Standard deviation of that rule's residuals on data that it was not fitted to.
const INTERCEPT_DEVIATION: f64 = 1.31;

/// Mean of α where the narrowest member of the family makes an error e after three hundred steps, as b₀ + b₁·ln e.
const ALPHA_WEIGHTS: [f64; 2] = [0.08, -0.067];
/// Standard deviation of that rule's residuals on data that it was not fitted to.
const ALPHA_DEVIATION: f64 = 0.13;
/// Nothing is known of the error at C₀ beforehand that the measured error does not say better.
const INTERCEPT_UNKNOWN: [f64; 2] = [-2.0, 5.0];

/// The law for data on which the narrowest member of the family made this error after three hundred steps; that error
/// itself has still to be [observed](Law::observe).
pub(super) fn law_after_sample(error: f64) -> Law {
    let alpha = ALPHA_WEIGHTS[0] + ALPHA_WEIGHTS[1] * error.max(1e-4).ln();
    Law::new(INTERCEPT_UNKNOWN, [alpha.clamp(0.05, 0.5), ALPHA_DEVIATION])
}

/// The law for data of which only the input shape and the number of training images are known.
pub(super) fn law(input: InputShape, images: usize) -> Law {
    let known = [
        1.0,
        f64::from(u8::from(input.channels > 1)),
        (images.max(1) as f64 / 10_000.0).ln(),
        (input.classes as f64 / 10.0).ln(),
    ];
    let a: f64 = known.iter().zip(INTERCEPT_WEIGHTS).map(|(known, weight)| known * weight).sum();
    // However many classes there are, such a network is expected to get at least half of the images right.
    Law::new([a.min(0.5_f64.ln()), INTERCEPT_DEVIATION], ALPHA)
}
