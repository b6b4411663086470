//! The record of one epoch.

use serde::{Deserialize, Serialize};

use super::{ClassRecall, Measure, Probe};
use crate::spec::GateSpec;
use crate::sys::nan_if_null;

/// The measurements of one epoch.
///
/// A trainer that does not measure everything uses defaults for the rest:
///
/// ```
/// use burgeon::record::EpochRecord;
///
/// let epoch = EpochRecord { epoch: 1, validation_accuracy: 0.9, ..EpochRecord::default() };
/// assert!(epoch.recalls.is_empty() && epoch.probe.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Learning rate of the epoch's last step.
    #[serde(deserialize_with = "nan_if_null")]
    pub learning_rate: f64,
    /// Seconds of training, without evaluation.
    #[serde(deserialize_with = "nan_if_null")]
    pub seconds: f64,
    /// Seconds of evaluating the validation images, if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_seconds: Option<f64>,
    /// Training images used in the epoch; 0 if not counted.
    #[serde(default)]
    pub images: u64,
    /// Mean training loss over each eighth of the epoch; fewer values for an epoch of fewer steps.
    #[serde(default)]
    pub course: Vec<f64>,
    /// Activations and gradients after the epoch, if measured.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// Correctly classified validation images of each class, by label; empty if the trainer does not
    /// report them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "super::measures::recalls")]
    pub recalls: Vec<ClassRecall>,
    /// Why the trial was given up in this epoch, which may then be incomplete.
    #[serde(default)]
    pub given_up: Option<String>,
}

impl EpochRecord {
    /// The best of some epochs, by [`beats`](Self::beats), the first of equal ones; `None` without epochs.
    pub fn best_of<'e>(epochs: &'e [Self], gate: &GateSpec) -> Option<&'e Self> {
        epochs.iter().reduce(|best, epoch| if epoch.beats(best, gate) { epoch } else { best })
    }

    /// Whether this epoch is better than `other`: by [`score`](Self::score), then by accuracy, then by
    /// loss.
    pub fn beats(&self, other: &Self, gate: &GateSpec) -> bool {
        let (mine, theirs) = (self.score(gate), other.score(gate));
        if mine != theirs {
            return mine > theirs;
        }
        let (mine, theirs) = (self.validation_accuracy, other.validation_accuracy);
        mine > theirs || (mine == theirs && self.validation_loss < other.validation_loss)
    }

    /// The figure by which epochs and trials are ranked under a gate. If the gate asks for accuracy
    /// alone, that; otherwise the highest floor plus the smallest margin over any floor, so that it
    /// reaches the highest floor exactly when all floors are reached. NaN if a needed figure was not
    /// measured.
    pub fn score(&self, gate: &GateSpec) -> f64 {
        if gate.is_accuracy_alone() {
            return self.validation_accuracy;
        }
        let floors = [
            (Measure::Accuracy, (gate.accuracy > 0.0).then_some(gate.accuracy)),
            (Measure::BalancedAccuracy, gate.balanced_accuracy),
            (Measure::LeastRecall, gate.least_recall),
        ];
        let margins = floors.into_iter().filter_map(|(measure, floor)| {
            let judged = match gate.confidence {
                Some(confidence) => measure.lower_bound(&self.recalls, confidence),
                None => measure.of(&self.recalls),
            };
            Some(judged - floor?)
        });
        // `f64::min` would ignore NaN.
        let worst = margins.reduce(|a, b| if b < a || b.is_nan() { b } else { a });
        gate.highest_floor() + worst.unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests;
