//! What is wrong with a trial, as it is recorded.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Ending;

/// What is wrong with a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diagnosis {
    /// Nothing: the gate is open.
    Healthy,
    /// Numbers overflowed.
    Diverged,
    /// Steps are so long that nothing is learned, or what was learned is lost again.
    LearningRateTooHigh,
    /// Learning goes on steadily, but far too slowly.
    LearningRateTooLow,
    /// Nothing gets through: dead or saturated units, or gradients that vanish.
    Stalled,
    /// Accuracy was still rising when the epochs ran out.
    StillImproving,
    /// The network is too small for what it is shown: it fails on training images too.
    Underfit,
    /// What should keep the network from learning by heart keeps it from learning.
    OverRegularized,
    /// The network does well on training images only.
    Overfit,
    /// The images or labels are not what they should be.
    DataSuspicious,
}

/// A diagnosis with the figures behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub diagnosis: Diagnosis,
    /// The figures that say so, in words.
    pub evidence: String,
}

impl Finding {
    /// A diagnosis and the figures that say so.
    pub fn new(diagnosis: Diagnosis, evidence: impl Into<String>) -> Self {
        Self { diagnosis, evidence: evidence.into() }
    }
}

impl Diagnosis {
    /// Whether the learning rate may be what is wrong, so that a range test is worth its steps.
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
            Self::OverRegularized => "held back",
            Self::Overfit => "overfit",
            Self::DataSuspicious => "data suspicious",
        })
    }
}

/// How a trial ended and what its curves say: the `diagnosis` of a `trial_finished` event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conclusion {
    /// What is wrong.
    pub diagnosis: Diagnosis,
    /// How the trial ended.
    pub ending: Ending,
    /// The figures that say so, in words.
    pub evidence: String,
    /// Which bound on its time ended the trial, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_time: Option<String>,
}

impl Conclusion {
    /// What a trial came to that ended so.
    pub fn new(finding: Finding, ending: Ending) -> Self {
        Self { diagnosis: finding.diagnosis, ending, evidence: finding.evidence, out_of_time: None }
    }

    /// What its curves say.
    pub fn finding(&self) -> Finding {
        Finding::new(self.diagnosis, self.evidence.clone())
    }
}
