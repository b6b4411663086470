//! Where a running training stands.

use super::EpochRecord;

/// Where a training is, told after every step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepProgress {
    /// The running epoch, counted from 1.
    pub epoch: usize,
    /// Planned epochs.
    pub epochs: usize,
    /// Steps done in this epoch.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Mean loss over this epoch so far.
    pub loss: f64,
    /// Accuracy over this epoch's training batches so far, 0..=1.
    pub accuracy: f64,
    /// Training images seen by this process per second of training.
    pub images_per_second: f64,
}

/// What a training has come to, for whoever judges whether it can come to anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoFar<'a> {
    /// Epochs done.
    pub curve: &'a [EpochRecord],
    /// Mean training loss over each finished eighth of the running epoch; empty between epochs.
    pub course: &'a [f64],
    /// Accuracy over the running epoch's training batches, 0..=1.
    pub accuracy: f64,
    /// Steps done since the training's first epoch.
    pub steps: usize,
}
