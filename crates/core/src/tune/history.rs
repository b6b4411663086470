//! The history that policies read.

use std::borrow::Cow;

use crate::record::{
    CrossValidation, Ending, EpochRecord, FoldResult, Probe, RangeTest, SampleTraining,
};
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
    /// Seconds of training, those for the folds included.
    pub train_seconds: f64,
    /// The learning rate range test, if one was made.
    pub rates: Option<RangeTest>,
    /// The folds that were measured, the validation split first, with
    /// [`GateSpec::folds`](crate::spec::GateSpec::folds); empty without.
    pub folds: Vec<FoldResult>,
}

impl TrialRecord {
    /// A first trial, trained to its end without a parent, a range test or folds.
    pub fn new(trial: u32, spec: Spec, curve: Vec<EpochRecord>) -> Self {
        Self {
            trial,
            parent: None,
            edits: Vec::new(),
            spec,
            curve,
            ending: Ending::Completed,
            train_seconds: 1.0,
            rates: None,
            folds: Vec::new(),
        }
    }

    /// A study's first trial before anything but its number of training images is known.
    pub(crate) fn unjudged(spec: Spec, images: usize) -> Self {
        let epoch = EpochRecord { images: images as u64, ..EpochRecord::default() };
        Self { train_seconds: 0.0, ..Self::new(1, spec, vec![epoch]) }
    }

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

    /// What a very small network reached on the same data, if that was measured.
    pub(crate) fn sample(&self) -> Option<SampleTraining> {
        self.curve.iter().find_map(|epoch| epoch.probe.as_ref()?.sample)
    }

    /// The best epoch by the gate's ranking ([`EpochRecord::beats`]); `None` if no epoch was finished.
    pub fn best(&self) -> Option<&EpochRecord> {
        EpochRecord::best_of(&self.curve, self.spec.gate())
    }

    /// Accuracy over all measured folds, 0..=1; without folds, the validation accuracy of the best epoch, 0 if no
    /// epoch was finished.
    pub fn accuracy(&self) -> f64 {
        self.judged().map_or(0.0, |judged| judged.validation_accuracy)
    }

    /// The figure by which trials are ranked: [`EpochRecord::score`] of all measured folds together or, without
    /// folds, of the best epoch; 0 if no epoch was finished.
    pub fn score(&self) -> f64 {
        self.judged().map_or(0.0, |judged| judged.score(self.spec.gate()))
    }

    /// The measured folds together; `None` without folds.
    pub(crate) fn cross_validation(&self) -> Option<CrossValidation> {
        CrossValidation::of(&self.folds)
    }

    /// The figures by which the trial is judged, in place of the validation figures of an epoch.
    fn judged(&self) -> Option<Cow<'_, EpochRecord>> {
        let best = self.best()?;
        Some(match self.cross_validation() {
            None => Cow::Borrowed(best),
            Some(folds) => Cow::Owned(EpochRecord {
                validation_accuracy: folds.accuracy(),
                recalls: folds.recalls,
                ..best.clone()
            }),
        })
    }

    /// Number of images that the trial is judged on, as far as it tells.
    pub(super) fn judged_images(&self) -> Option<usize> {
        let counted = |epoch: &EpochRecord| {
            epoch.recalls.iter().map(|recall| recall.images as usize).sum::<usize>()
        };
        let folds = self.cross_validation().map(|folds| folds.images as usize);
        folds.or_else(|| self.curve.iter().map(counted).find(|&images| images > 0))
    }

    /// Seconds that such a trial takes if all its folds are measured.
    pub(crate) fn seconds_with_all_folds(&self) -> f64 {
        let folds = match self.spec.gate().folds {
            Some(folds) if !self.is_without_folds() => folds as f64,
            _ => 1.0,
        };
        self.train_seconds * folds / self.folds.len().max(1) as f64
    }

    /// Whether the trainer trains no folds, so that a trial that ended by itself has none.
    pub(crate) fn is_without_folds(&self) -> bool {
        let has_ended = matches!(self.ending, Ending::Completed | Ending::StoppedEarly);
        has_ended && self.folds.is_empty()
    }
}
