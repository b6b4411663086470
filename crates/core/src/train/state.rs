//! The state of a training, complete enough to continue with the same bits.

use serde::{Deserialize, Serialize};

use crate::model::Weights;
use crate::record::EpochRecord;
use crate::spec::GateSpec;
use crate::sys::nan_if_null;

/// The complete state of a training between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    /// The weights of the network.
    pub weights: Weights,
    /// The optimizer's state as burn records it; empty before the first step.
    pub optimizer: Vec<u8>,
    /// The position within the training.
    pub position: Position,
    /// Sums over the current epoch.
    pub sums: RunningSums,
    /// Finished epochs, in order.
    pub curve: Vec<EpochRecord>,
    /// The best epoch so far.
    pub best: Option<BestEpoch>,
    /// The moving average of the weights, if the study has `weight-average`. It is then what is evaluated
    /// and kept as the best epoch.
    pub average: Option<Weights>,
}

/// A position within a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished steps of the current epoch.
    pub step: usize,
}

/// Sums over the training batches of the current epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RunningSums {
    /// Sum over images of the loss.
    #[serde(deserialize_with = "nan_if_null")]
    pub loss: f64,
    /// Images classified correctly.
    pub correct: u64,
    /// Images used.
    pub images: u64,
    /// Seconds of training, before any interruption and after.
    #[serde(deserialize_with = "nan_if_null")]
    pub seconds: f64,
    /// Loss and images of each eighth of the epoch.
    #[serde(default)]
    pub course: [EpochPart; EPOCH_PARTS],
}

/// The number of parts that an epoch's steps are divided into, to record the loss within an epoch.
pub const EPOCH_PARTS: usize = 8;

/// One eighth of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct EpochPart {
    /// Sum over images of the loss.
    #[serde(deserialize_with = "nan_if_null")]
    pub loss: f64,
    /// Images used.
    pub images: u64,
}

impl RunningSums {
    /// Mean training loss of each eighth of the epoch that has begun, in order.
    pub fn course(&self) -> Vec<f64> {
        let begun = self.course.iter().filter(|part| part.images > 0);
        begun.map(|part| part.loss / part.images as f64).collect()
    }
}

/// The best epoch, by [`EpochRecord::beats`].
#[derive(Debug, Clone, PartialEq)]
pub struct BestEpoch {
    /// The record of the epoch.
    pub record: EpochRecord,
    /// The weights after the epoch.
    pub weights: Weights,
}

impl TrainState {
    /// The state before the first step, with these weights.
    pub fn start(weights: Weights) -> Self {
        Self {
            weights,
            optimizer: Vec::new(),
            position: Position::default(),
            sums: RunningSums::default(),
            curve: Vec::new(),
            best: None,
            average: None,
        }
    }

    /// The same network, optimizer and position with an empty record: the start of a child that only
    /// trains longer.
    #[must_use]
    pub fn continued(self) -> Self {
        Self { curve: Vec::new(), best: None, sums: RunningSums::default(), ..self }
    }

    /// Number of epochs since the score under the gate ([`EpochRecord::score`], by default the validation
    /// accuracy) last rose by more than `min_improvement`.
    pub fn epochs_without_improvement(&self, min_improvement: f64, gate: &GateSpec) -> usize {
        let mut best = f64::NEG_INFINITY;
        let mut since = 0;
        for record in &self.curve {
            let score = record.score(gate);
            if score > best + min_improvement {
                best = score;
                since = 0;
            } else {
                since += 1;
            }
        }
        since
    }
}
