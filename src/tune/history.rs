//! The history that policies read.

use crate::record::{Ending, EpochRecord, Probe, RangeTest};
use crate::spec::{Edit, Spec};

/// MNIST's training images without 5,000 for validation.
const DEFAULT_IMAGES: usize = 55_000;

/// A finished trial, as policies see it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRecord {
    /// Number of the trial, counted from 1.
    pub trial: u32,
    /// The trial that it was grown from; `None` for the first.
    pub parent: Option<u32>,
    /// The edits that led from the parent's spec to this one.
    pub edits: Vec<Edit>,
    /// The network and how it was trained.
    pub spec: Spec,
    /// Its epochs, in order.
    pub curve: Vec<EpochRecord>,
    /// Why the training ended.
    pub ending: Ending,
    /// Seconds of training.
    pub train_seconds: f64,
    /// The learning rate range test, if one was made.
    pub rates: Option<RangeTest>,
}

impl TrialRecord {
    /// Number of training images in an epoch: as recorded, or else as the study says.
    pub fn images_per_epoch(&self) -> usize {
        let counted = self.curve.iter().map(|epoch| epoch.images as usize).max();
        // An epoch that was cut short has seen fewer.
        let recorded = self.probe().map(|probe| probe.training_images);
        let counted = counted.max(recorded).unwrap_or(0);
        match counted {
            0 => self.spec.data().train.unwrap_or(DEFAULT_IMAGES),
            counted => counted,
        }
    }

    /// Training images used in all epochs together.
    pub fn images_seen(&self) -> usize {
        let per_epoch = self.images_per_epoch();
        let seen = |epoch: &EpochRecord| match epoch.images {
            0 => per_epoch,
            images => images as usize,
        };
        self.curve.iter().map(seen).sum()
    }

    /// The score of always answering the most frequent class, as far as the validation images tell: the share of that
    /// class, or one class of all where the gate counts every class the same.
    pub(super) fn guess(&self) -> f64 {
        let recalls = self.curve.iter().map(|epoch| &epoch.recalls).find(|all| !all.is_empty());
        let gate = self.spec.gate();
        let even = 1.0 / self.spec.input().classes.max(2) as f64;
        let (Some(recalls), true) = (recalls, gate.accuracy > 0.0) else {
            return even;
        };
        let most = recalls.iter().map(|recall| recall.images).max().unwrap_or(0) as f64;
        let all: u64 = recalls.iter().map(|recall| recall.images).sum();
        (most / all.max(1) as f64).max(even)
    }

    /// The latest measurement of activations and gradients.
    pub fn probe(&self) -> Option<&Probe> {
        self.curve.iter().rev().find_map(|epoch| epoch.probe.as_ref())
    }

    /// The best epoch by the gate's ranking ([`EpochRecord::beats`]); `None` if no epoch was finished.
    pub fn best(&self) -> Option<&EpochRecord> {
        let mut epochs = self.curve.iter();
        let first = epochs.next()?;
        let gate = self.spec.gate();
        Some(epochs.fold(first, |best, epoch| if epoch.beats(best, gate) { epoch } else { best }))
    }

    /// Validation accuracy of the best epoch, 0..=1; 0 if no epoch was finished.
    pub fn accuracy(&self) -> f64 {
        self.best().map_or(0.0, |best| best.validation_accuracy)
    }

    /// The figure by which trials are ranked: [`EpochRecord::score`] of the best epoch; 0 if no epoch was
    /// finished.
    pub fn score(&self) -> f64 {
        self.best().map_or(0.0, |best| best.score(self.spec.gate()))
    }
}
