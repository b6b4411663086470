//! What is believed of a data set before anything was trained on it.
//!
//! Where each figure comes from, and which are estimates, is in `docs/growth-prior.md`; `examples/growth_prior.rs`
//! measures them.

use super::law::Law;
use crate::spec::InputShape;

/// Mean and standard deviation of α: how fast errors fall with compute differs from data to data.
pub(super) const ALPHA: [f64; 2] = [0.35, 0.18];

/// How far an error lies off the law, as a standard deviation of its logarithm, besides what the number of
/// validation images leaves to luck.
pub(super) const SPREAD: f64 = 0.12;

/// Networks of other forms make more errors with the same compute: mean and deviation of the logarithm of the ratio.
pub(super) const OTHER_FORMS: [f64; 2] = [0.4, 0.5];

/// The law for data of which only this is known.
pub(super) fn law(input: InputShape, images: usize) -> Law {
    let median: f64 = if input.channels > 1 { 0.4 } else { 0.07 };
    let a = median.ln() - 0.3 * (images as f64 / 10_000.0).ln();
    Law::new([a, 0.9], ALPHA)
}
