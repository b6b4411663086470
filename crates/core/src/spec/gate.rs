//! `[gate]`: what a trial has to reach to be accepted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[gate]` of a study file. Every minimum that is given must be reached, on the validation images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "GateFile", rename_all = "kebab-case")]
pub struct GateSpec {
    /// Minimum accuracy, as a fraction in 0..=1. Default: 0.8, or 0 (no requirement) where another
    /// minimum is given.
    pub accuracy: f64,
    /// Minimum balanced accuracy, as a fraction in 0..=1: the mean of the classes' recalls, so that every
    /// class counts the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<f64>,
    /// Minimum recall of every class, as a fraction in 0..=1: the share of a class's images that is
    /// classified correctly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_recall: Option<f64>,
    /// Judge by the lower bound of the Wilson interval at this confidence, such as 0.95, instead of by
    /// the measured value, so that luck on few images does not pass the gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Judge by cross-validation over this many folds, 2 to 20, where images are few: those that are not
    /// test images are divided into folds of about the same size, the network is trained once for each fold
    /// on the images of the others, and the gate judges what all of these networks get right, each on the
    /// fold that it was not trained on. A trial takes that many trainings; no further ones are made once
    /// the gate is out of reach. The first fold is the validation split, so that `[data] validation` cannot
    /// be set; `[data] train` limits the images of all folds together. A trial that a time limit ends before
    /// all folds are measured does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// Allow a gate that a model would pass by always predicting the same class; such a study is
    /// refused otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_majority: bool,
}

/// `[gate]` as it stands in a study file.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct GateFile {
    /// Minimum accuracy, as a fraction in 0..=1. Default: 0.8, or 0 (no requirement) where another
    /// minimum is given.
    accuracy: Option<f64>,
    /// Minimum balanced accuracy, as a fraction in 0..=1: the mean of the classes' recalls, so that every
    /// class counts the same.
    balanced_accuracy: Option<f64>,
    /// Minimum recall of every class, as a fraction in 0..=1: the share of a class's images that is
    /// classified correctly.
    least_recall: Option<f64>,
    /// Judge by the lower bound of the Wilson interval at this confidence, such as 0.95, instead of by
    /// the measured value, so that luck on few images does not pass the gate.
    confidence: Option<f64>,
    /// Judge by cross-validation over this many folds, 2 to 20, where images are few: those that are not
    /// test images are divided into folds of about the same size, the network is trained once for each fold
    /// on the images of the others, and the gate judges what all of these networks get right, each on the
    /// fold that it was not trained on. A trial takes that many trainings; no further ones are made once
    /// the gate is out of reach. The first fold is the validation split, so that `[data] validation` cannot
    /// be set; `[data] train` limits the images of all folds together. A trial that a time limit ends before
    /// all folds are measured does not pass.
    #[schemars(range(min = 2, max = 20))]
    folds: Option<usize>,
    /// Allow a gate that a model would pass by always predicting the same class; such a study is
    /// refused otherwise.
    allow_majority: bool,
}

impl From<GateFile> for GateSpec {
    fn from(file: GateFile) -> Self {
        let has_other_minimums = file.balanced_accuracy.is_some() || file.least_recall.is_some();
        let default = if has_other_minimums { 0.0 } else { Self::default().accuracy };
        Self {
            accuracy: file.accuracy.unwrap_or(default),
            balanced_accuracy: file.balanced_accuracy,
            least_recall: file.least_recall,
            confidence: file.confidence,
            folds: file.folds,
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
            folds: None,
            allow_majority: false,
        }
    }
}

impl GateSpec {
    /// The highest of the minimums, in 0..=1: how demanding the gate is, whatever it measures.
    pub fn highest_floor(&self) -> f64 {
        let others = [self.balanced_accuracy, self.least_recall];
        others.into_iter().flatten().fold(self.accuracy, f64::max)
    }

    /// Whether the gate asks for accuracy only.
    pub fn is_accuracy_alone(&self) -> bool {
        self.balanced_accuracy.is_none() && self.least_recall.is_none()
    }
}
