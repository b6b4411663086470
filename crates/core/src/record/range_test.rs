//! The result of a learning rate range test (Smith 2017).

use serde::{Deserialize, Serialize};

/// The result of a learning rate range test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeTest {
    /// The learning rate of each step, ascending.
    pub rates: Vec<f64>,
    /// The smoothed loss before each step.
    pub losses: Vec<f64>,
}

impl RangeTest {
    /// The learning rate to use: a quarter of the rate at which the loss was lowest. `None` if the loss
    /// fell at no rate, so that the rate is not the cause.
    pub fn suggestion(&self) -> Option<f64> {
        // The mean of several batches, since a single one may be harder than most.
        let first = self.losses.get(..self.losses.len().div_ceil(10))?;
        let first = first.iter().sum::<f64>() / first.len() as f64;
        let pairs = self.rates.iter().zip(&self.losses);
        let (rate, lowest) =
            pairs.reduce(|best, next| if next.1 < best.1 { next } else { best })?;
        (*lowest < 0.93 * first).then_some(rate / 4.0)
    }
}

#[cfg(test)]
mod tests;
