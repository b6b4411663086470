//! What a policy expects of a trial before it is trained.

use serde::{Deserialize, Serialize};

/// The prediction of a trial's outcome and cost, recorded with its proposal so that it can be compared with the
/// actual result. Accuracies are fractions, 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Median of the score by which the gate ranks the trial: its validation accuracy where the gate asks for
    /// nothing else.
    pub accuracy: f64,
    /// Lower end of the interval that holds the score with a probability of 80 %.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// Probability that the trial passes its gate, 0..=1.
    pub passes: f64,
    /// Floating-point operations of its training, forward and backward, not counting the training that it inherits.
    pub training_flops: f64,
    /// Images that it will be trained on, counted as often as they are seen.
    pub images: u64,
    /// Why no trial that the budget allows is likely to pass, the best that can be expected, and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_reach: Option<String>,
}

impl Forecast {
    /// Whether the score `reached` lies within the 80 % interval.
    pub fn holds(&self, reached: f64) -> bool {
        (self.low..=self.high).contains(&reached)
    }
}
