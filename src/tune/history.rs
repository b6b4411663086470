//! What policies know of the trials so far.

use serde::{Deserialize, Serialize};

use crate::spec::{Edit, Spec};
use crate::train::EpochRecord;

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
}

impl TrialRecord {
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
