//! `[gate]`: what a trial has to reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[gate]` of a study file. Every floor that is given must be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "GateFile", rename_all = "kebab-case")]
pub struct GateSpec {
    /// Accuracy on the validation images that opens the gate, as a fraction in 0..=1. 0 asks for
    /// none, which is the default where another floor is given.
    pub accuracy: f64,
    /// Mean over the classes of the share of their validation images that is classified correctly, as a
    /// fraction in 0..=1: an accuracy in which every class counts the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<f64>,
    /// The same share of the class that has the lowest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_recall: Option<f64>,
    /// Judge by the lower bound of the Wilson interval at this confidence (0.95, say) instead of
    /// the figure itself, so that luck on few images does not open the gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Lets a gate stand that a model would pass by always naming the same class.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_majority: bool,
}

/// `[gate]` as it is written.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct GateFile {
    /// Accuracy on the validation images that opens the gate, as a fraction in 0..=1; 0.8 unless
    /// said, and none where only other floors are given.
    accuracy: Option<f64>,
    /// Mean over the classes of the share of their validation images that is classified correctly, as a
    /// fraction in 0..=1: an accuracy in which every class counts the same.
    balanced_accuracy: Option<f64>,
    /// The share of its validation images that is classified correctly, of the class that has the lowest,
    /// as a fraction in 0..=1.
    least_recall: Option<f64>,
    /// Judge by the lower bound of the Wilson interval at this confidence (0.95, say) instead of
    /// the figure itself, so that luck on few images does not open the gate.
    confidence: Option<f64>,
    /// Lets a gate stand that a model would pass by always naming the same class.
    allow_majority: bool,
}

impl From<GateFile> for GateSpec {
    fn from(file: GateFile) -> Self {
        let has_other_floors = file.balanced_accuracy.is_some() || file.least_recall.is_some();
        let usual = if has_other_floors { 0.0 } else { Self::default().accuracy };
        Self {
            accuracy: file.accuracy.unwrap_or(usual),
            balanced_accuracy: file.balanced_accuracy,
            least_recall: file.least_recall,
            confidence: file.confidence,
            allow_majority: file.allow_majority,
        }
    }
}

impl Default for GateSpec {
    fn default() -> Self {
        Self {
            accuracy: 0.80,
            balanced_accuracy: None,
            least_recall: None,
            confidence: None,
            allow_majority: false,
        }
    }
}

impl GateSpec {
    /// The highest floor, 0..=1: how demanding the gate is, whatever it measures.
    pub fn highest_floor(&self) -> f64 {
        let others = [self.balanced_accuracy, self.least_recall];
        others.into_iter().flatten().fold(self.accuracy, f64::max)
    }

    /// Whether accuracy alone decides.
    pub fn is_accuracy_alone(&self) -> bool {
        self.balanced_accuracy.is_none() && self.least_recall.is_none()
    }
}
