//! The diagnosis of a trial.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Ending;

/// What is wrong with a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diagnosis {
    /// Nothing is wrong: it passes the gate.
    Healthy,
    /// The loss or the weights became infinite or NaN.
    Diverged,
    /// Steps are too long: nothing is learned, or accuracy keeps collapsing.
    LearningRateTooHigh,
    /// The loss falls steadily, but far too slowly.
    LearningRateTooLow,
    /// Units are dead or saturated, or gradients vanish.
    Stalled,
    /// Accuracy was still rising when the epochs ran out.
    StillImproving,
    /// The network is too small: accuracy is low on training images too.
    Underfit,
    /// Dropout, weight decay, label smoothing or augmentation prevent learning.
    OverRegularized,
    /// Accuracy is high on training images, but low on validation images.
    Overfit,
    /// Something is wrong with the images or labels.
    DataSuspicious,
}

/// A diagnosis with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Why the trial misses its gate.
    pub diagnosis: Diagnosis,
    /// The measurements that the diagnosis rests on, as a clause.
    pub evidence: String,
}

impl Finding {
    /// A diagnosis with its evidence.
    pub fn new(diagnosis: Diagnosis, evidence: impl Into<String>) -> Self {
        Self { diagnosis, evidence: evidence.into() }
    }
}

impl Diagnosis {
    /// Whether the learning rate may be the cause, so that a range test is worth its steps.
    pub fn suspects_the_rate(self) -> bool {
        matches!(
            self,
            Self::Diverged | Self::LearningRateTooHigh | Self::LearningRateTooLow | Self::Stalled
        )
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Diverged => "diverged",
            Self::LearningRateTooHigh => "learning rate too high",
            Self::LearningRateTooLow => "learning rate too low",
            Self::Stalled => "stalled",
            Self::StillImproving => "still improving",
            Self::Underfit => "underfit",
            Self::OverRegularized => "over-regularized",
            Self::Overfit => "overfit",
            Self::DataSuspicious => "data suspicious",
        })
    }
}

/// How a trial ended, and its diagnosis: the `diagnosis` of a `trial_finished` event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conclusion {
    /// Why the trial misses its gate.
    pub diagnosis: Diagnosis,
    /// Why the training ended.
    pub ending: Ending,
    /// The measurements that the diagnosis rests on, as a clause.
    pub evidence: String,
    /// The time limit that ended the trial, as a clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_time: Option<String>,
}

impl Conclusion {
    /// The conclusion from a finding and an ending.
    pub fn new(finding: Finding, ending: Ending) -> Self {
        Self { diagnosis: finding.diagnosis, ending, evidence: finding.evidence, out_of_time: None }
    }

    /// The diagnosis with its evidence.
    pub fn finding(&self) -> Finding {
        Finding::new(self.diagnosis, self.evidence.clone())
    }
}
