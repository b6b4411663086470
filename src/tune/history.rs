//! What policies know of the trials so far.

use crate::record::{Ending, EpochRecord, Probe, RangeTest};
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
    pub ending: Ending,
    /// Seconds of training.
    pub train_seconds: f64,
    /// At which rates its network learns, where that was tested.
    pub rates: Option<RangeTest>,
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

    /// The best epoch, in the eyes of the gate; `None` when no epoch was finished.
    pub fn best(&self) -> Option<&EpochRecord> {
        let mut epochs = self.curve.iter();
        let first = epochs.next()?;
        let gate = self.spec.gate();
        Some(epochs.fold(first, |best, epoch| if epoch.beats(best, gate) { epoch } else { best }))
    }

    /// The best epoch's validation accuracy, 0..=1; 0 when no epoch was finished.
    pub fn accuracy(&self) -> f64 {
        self.best().map_or(0.0, |best| best.validation_accuracy)
    }

    /// What the gate ranks trials by, on the scale of its highest floor: the best epoch's
    /// validation accuracy unless it asks for something else; 0 when no epoch was finished.
    pub fn score(&self) -> f64 {
        self.best().map_or(0.0, |best| best.score(self.spec.gate()))
    }
}
