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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recalls: Vec<ClassRecall>,
    /// Why the trial was given up in this epoch, which may then be incomplete.
    #[serde(default)]
    pub given_up: Option<String>,
}

impl EpochRecord {
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
mod tests {
    use super::*;

    /// An epoch with these shares of the images of each class classified correctly, in percent.
    fn epoch(recalls: &[(u64, u64)]) -> EpochRecord {
        let recalls: Vec<ClassRecall> =
            recalls.iter().map(|&(right, images)| ClassRecall { right, images }).collect();
        EpochRecord {
            epoch: 1,
            train_loss: 0.1,
            train_accuracy: 0.9,
            validation_loss: 0.1,
            validation_accuracy: Measure::Accuracy.of(&recalls),
            learning_rate: 0.1,
            seconds: 1.0,
            images: 10,
            course: Vec::new(),
            probe: None,
            recalls,
            given_up: None,
        }
    }

    #[test]
    fn the_best_epoch_is_the_one_that_the_gate_asks_for() {
        let constant = epoch(&[(990, 990), (0, 10)]);
        let balanced = epoch(&[(960, 990), (9, 10)]);
        let by_accuracy = GateSpec::default();
        assert!(constant.beats(&balanced, &by_accuracy));
        let others = [
            GateSpec { accuracy: 0.0, least_recall: Some(0.5), ..by_accuracy },
            GateSpec { accuracy: 0.0, balanced_accuracy: Some(0.5), ..by_accuracy },
            GateSpec { accuracy: 0.9, least_recall: Some(0.5), ..by_accuracy },
            GateSpec {
                accuracy: 0.9,
                least_recall: Some(0.5),
                confidence: Some(0.95),
                ..by_accuracy
            },
        ];
        for gate in others {
            assert!(balanced.beats(&constant, &gate) && !constant.beats(&balanced, &gate));
        }
    }

    #[test]
    fn an_epoch_of_which_a_floor_was_not_measured_beats_none() {
        let gate = GateSpec { least_recall: Some(0.5), ..GateSpec::default() };
        let untold = EpochRecord { validation_accuracy: 1.0, ..epoch(&[]) };
        assert!(!untold.beats(&epoch(&[(1, 2), (1, 2)]), &gate));
        assert!(untold.score(&gate).is_nan());
    }
}
