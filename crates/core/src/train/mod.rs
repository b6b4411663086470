//! Training of one network: steps, schedule, evaluation, early stopping.
//!
//! [`train()`] continues from a [`TrainState`], so that a fresh start, a resumed trial and additional epochs
//! use the same code. All randomness is computed from counters; the state holds no random generator.

mod average;
pub(crate) mod calibrate;
mod clip;
pub(crate) mod evaluate;
mod fit;
mod inherit;
mod optimizer;
mod probe;
mod profile;
pub(crate) mod range;
mod resident;
mod sample;
mod setup;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod workers;

pub(crate) use calibrate::{QuantizeError, quantize};
pub use evaluate::{Evaluation, evaluate};
#[cfg(feature = "cli")]
pub(crate) use evaluate::{Prediction, correct_images, for_each_prediction};
pub(crate) use evaluate::{evaluate_while, measure, measure_quantized};
pub(crate) use fit::{FoldPlan, train_fold};
pub use fit::{Trained, train};
pub use profile::Profiling;
pub(crate) use range::test_rates;
pub use setup::{TrainError, TrainingSetup};
pub use state::TrainState;
pub(crate) use state::{BestEpoch, Position, RunningSums};

use crate::record::{EpochRecord, Profile, SoFar, StepProgress};

pub(crate) use workers::Workers;
pub(crate) use workers::WorkersError;

/// Whether a training should continue, as a [`Watch`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Continue.
    Continue,
    /// Save the state and stop, to continue later.
    Stop,
    /// The time is up: end for good, and keep the best epoch.
    OutOfTime,
}

/// What a training is doing when it asks whether to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Training steps.
    Training,
    /// Evaluation of an epoch on the validation images, or the measurements that follow.
    Evaluating,
}

/// Receives the progress of a training, saves its state, and may stop it.
pub trait Watch {
    /// Called after each step.
    fn step(&mut self, progress: &StepProgress) -> Flow;

    /// Called between other pieces of work, such as the batches of an evaluation, and before each epoch
    /// but the first. An evaluation that is stopped is repeated when training continues; one that is
    /// out of time is not.
    fn working(&mut self, _phase: Phase) -> Flow {
        Flow::Continue
    }

    /// Called after each eighth of an epoch, and after each epoch but the last: a reason to give the
    /// training up, if there is one. On a GPU, only after the eighths of the first epoch, as it has to be waited for. It must depend on the argument alone, so that a resumed training
    /// is given up at the same point.
    fn give_up(&mut self, _so_far: &SoFar) -> Option<String> {
        None
    }

    /// Whether to measure how hard the data is, by training a very small network for a moment after the first epoch.
    fn samples_data(&self) -> bool {
        false
    }

    /// Called after each epoch and its evaluation.
    ///
    /// # Errors
    ///
    /// When the epoch cannot be recorded. The training then ends with this error.
    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError>;

    /// Whether to save the state now. Called after each step that does not end an epoch.
    fn wants_checkpoint(&mut self, progress: &StepProgress) -> bool;

    /// Saves the state. Called after each epoch, when [`wants_checkpoint`](Self::wants_checkpoint) asks
    /// for it, and before a stop.
    ///
    /// # Errors
    ///
    /// When the state cannot be saved. The training then ends with this error.
    fn checkpoint(&mut self, state: &TrainState) -> Result<(), WatchError>;

    /// Called once at the end with where the time went, under [`Profiling::On`].
    ///
    /// # Errors
    ///
    /// When it cannot be recorded. The training then ends with this error.
    fn profile(&mut self, _profile: &Profile) -> Result<(), WatchError> {
        Ok(())
    }
}

/// An error of a [`Watch`].
pub type WatchError = Box<dyn std::error::Error + Send + Sync>;
