//! The result of a study.

use serde::{Deserialize, Serialize};

use crate::sys::nan_if_null;

/// How a study ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A model passed the gate.
    Accepted,
    /// No model passed, and the budget is used up.
    Rejected,
}

impl Outcome {
    /// `accepted` or `rejected`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

/// The result of a finished study: the content of its `study_finished` event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyResult {
    /// Whether a model passed the gate.
    pub outcome: Outcome,
    /// The trial of the best model; `None` if no trial finished an epoch.
    pub best_trial: Option<u32>,
    /// The best model's accuracy on the validation images, 0..=1; with `[gate] folds`, that over all measured folds of
    /// its trial.
    #[serde(deserialize_with = "nan_if_null")]
    pub validation_accuracy: f64,
    /// The accepted model's accuracy on the test images, 0..=1.
    pub test_accuracy: Option<f64>,
    /// How often the study has read the test images so far; not in records of version 0.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_readings: Option<u32>,
    /// The best model's trainable parameters.
    pub parameters: u64,
    /// Number of judged trials.
    pub trials: u32,
    /// Seconds of work, without the time in which the study was stopped.
    #[serde(deserialize_with = "nan_if_null")]
    pub seconds: f64,
    /// Path of the run folder.
    pub run: String,
}

impl StudyResult {
    /// How often the study has read the test images, also for records that lack the count.
    pub fn test_readings(&self) -> u32 {
        self.test_readings.unwrap_or_else(|| self.test_accuracy.is_some().into())
    }
}
