//! What policies know of the trials so far.

use serde::{Deserialize, Serialize};

use crate::record::{EpochRecord, Probe, RangeTest};
use crate::spec::{Edit, Spec};

/// MNIST's training images without 5,000 for validation.
const USUAL_IMAGES: usize = 55_000;

/// A finished trial.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRecord {
    /// Its number, counted from 1.
    pub trial: u32,
    /// The trial that it grew from.
    pub parent: Option<u32>,
    /// What was changed against the parent.
    pub edits: Vec<Edit>,
    /// What was trained.
    pub spec: Spec,
    /// Its epochs, in order.
    pub curve: Vec<EpochRecord>,
    /// How it ended.
    pub ending: TrialEnding,
    /// Seconds of training.
    pub train_seconds: f64,
    /// At which rates its network learns, where that was tested.
    pub rates: Option<RangeTest>,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialEnding {
    /// All planned epochs are done.
    Completed,
    /// Validation accuracy no longer rose.
    StoppedEarly,
    /// Something stopped being a number.
    Diverged,
    /// It could not have passed the gate.
    GivenUp,
    /// The time that the study file allows had passed.
    OutOfTime,
}

impl TrialRecord {
    /// Training images of an epoch: as counted, or as the study says where nobody counted.
    pub fn images_per_epoch(&self) -> usize {
        let counted = self.curve.iter().map(|epoch| epoch.images as usize).max();
        // An epoch that was cut short has seen fewer.
        let told = self.probe().map(|probe| probe.training_images);
        let counted = counted.max(told).unwrap_or(0);
        match counted {
            0 => self.spec.data().train.unwrap_or(USUAL_IMAGES),
            counted => counted,
        }
    }

    /// Training images seen in all epochs.
    pub fn images_seen(&self) -> usize {
        let per_epoch = self.images_per_epoch();
        let seen = |epoch: &EpochRecord| match epoch.images {
            0 => per_epoch,
            images => images as usize,
        };
        self.curve.iter().map(seen).sum()
    }

    /// The latest look into the network.
    pub fn probe(&self) -> Option<&Probe> {
        self.curve.iter().rev().find_map(|epoch| epoch.probe.as_ref())
    }

    /// The epoch with the highest validation accuracy; `None` when no epoch was finished.
    pub fn best(&self) -> Option<&EpochRecord> {
        let mut epochs = self.curve.iter();
        let first = epochs.next()?;
        Some(epochs.fold(first, |best, epoch| if epoch.beats(best) { epoch } else { best }))
    }

    /// The best epoch's validation accuracy, 0..=1; 0 when no epoch was finished.
    pub fn accuracy(&self) -> f64 {
        self.best().map_or(0.0, |best| best.validation_accuracy)
    }
}
