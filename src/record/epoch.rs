//! One epoch, as it is recorded.

use serde::{Deserialize, Serialize};

use super::Probe;
use crate::sys::nan_if_null;

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean cross-entropy over the epoch's training batches, in nats.
    #[serde(deserialize_with = "nan_if_null")]
    pub train_loss: f64,
    /// Accuracy over the epoch's training batches, 0..=1.
    #[serde(deserialize_with = "nan_if_null")]
    pub train_accuracy: f64,
    /// Mean cross-entropy on the validation images, in nats.
    #[serde(deserialize_with = "nan_if_null")]
    pub validation_loss: f64,
    /// Accuracy on the validation images, 0..=1.
    #[serde(deserialize_with = "nan_if_null")]
    pub validation_accuracy: f64,
    /// Rate of the epoch's last step.
    #[serde(deserialize_with = "nan_if_null")]
    pub learning_rate: f64,
    /// Seconds of training, evaluation not counted.
    #[serde(deserialize_with = "nan_if_null")]
    pub seconds: f64,
    /// Training images seen in the epoch.
    #[serde(default)]
    pub images: u64,
    /// Mean training loss over each eighth of the epoch; fewer for an epoch of fewer steps.
    #[serde(default)]
    pub course: Vec<f64>,
    /// A look into the network after the epoch.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// Why the trial was given up here; its last epoch may then be cut short.
    #[serde(default)]
    pub given_up: Option<String>,
}

impl EpochRecord {
    /// Whether this epoch is better than another one.
    pub fn beats(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.validation_accuracy, other.validation_accuracy);
        mine > theirs || (mine == theirs && self.validation_loss < other.validation_loss)
    }
}
