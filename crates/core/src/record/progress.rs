//! Progress of a running training.

use super::EpochRecord;

/// Progress of a training, reported after each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepProgress {
    /// The running epoch, counted from 1.
    pub epoch: usize,
    /// Number of planned epochs.
    pub epochs: usize,
    /// Finished steps of this epoch.
    pub step: usize,
    /// Number of steps in an epoch.
    pub steps: usize,
    /// Mean loss over this epoch so far.
    pub loss: f64,
    /// Accuracy over this epoch's training batches so far, 0..=1.
    pub accuracy: f64,
    /// Training images per second of training, in this process.
    pub images_per_second: f64,
}

/// Results of a running training, to judge whether it can still pass its gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoFar<'a> {
    /// Finished epochs, in order.
    pub curve: &'a [EpochRecord],
    /// Mean training loss over each finished eighth of the running epoch; empty between epochs.
    pub course: &'a [f64],
    /// Accuracy over the running epoch's training batches, 0..=1.
    pub accuracy: f64,
    /// Finished steps of all epochs.
    pub steps: usize,
}
