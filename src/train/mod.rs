//! One training: steps, schedule, evaluation, stopping.
//!
//! [`train`] takes a [`TrainState`] and goes on from exactly there, so a fresh start, a resumed
//! trial and "more epochs" are the same code. Everything random comes from counters; the state
//! holds no generator.

mod average;
mod clip;
pub(crate) mod evaluate;
mod fit;
mod inherit;
mod optimizer;
mod probe;
mod profile;
pub(crate) mod range;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod workers;

pub(crate) use evaluate::evaluate_while;
pub use evaluate::{Evaluation, evaluate};
pub use fit::{TrainError, Trained, TrainingSetup, train};
pub use profile::Profiling;
pub(crate) use range::test_rates;
pub use state::TrainState;
pub(crate) use state::{BestEpoch, Position, RunningSums};

use crate::record::{EpochRecord, Profile, SoFar, StepProgress};

pub(crate) use workers::Workers;
pub(crate) use workers::WorkersError;

/// What the watcher of a training wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop after saving the state, to go on later.
    Stop,
    /// End for good, keeping the best epoch: the time is up.
    OutOfTime,
}

/// What a training works on when it asks whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Steps over the training images.
    Training,
    /// An epoch's evaluation on the validation images, or the look into the network that follows.
    Evaluating,
}

/// Hears of a training as it goes, and may stop it.
pub trait Watch {
    /// After every step.
    fn step(&mut self, progress: &StepProgress) -> Flow;

    /// Between two pieces of work that are no steps, such as the batches of an evaluation, and
    /// before every epoch but the first: a sign of life, and a chance to end. An evaluation that is
    /// told to stop is abandoned and done again by whoever goes on; one that is out of time is
    /// abandoned for good.
    fn working(&mut self, _phase: Phase) -> Flow {
        Flow::Continue
    }

    /// Asked after every eighth of an epoch and after every epoch but the last: why the training
    /// should be given up, if it should. The answer has to follow from the arguments alone, so
    /// that a resumed training is given up where the uninterrupted one would have been.
    fn give_up(&mut self, _so_far: &SoFar) -> Option<String> {
        None
    }

    /// After every epoch's evaluation.
    ///
    /// # Errors
    ///
    /// Whatever keeps the watcher from recording it; the training then ends.
    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError>;

    /// Whether the state should be saved now, asked after every step that does not end an epoch.
    fn wants_checkpoint(&mut self, progress: &StepProgress) -> bool;

    /// Save this state. Called at every epoch's end, when [`wants_checkpoint`](Self::wants_checkpoint)
    /// said so, and before a stop.
    ///
    /// # Errors
    ///
    /// Whatever keeps the watcher from saving it; the training then ends.
    fn checkpoint(&mut self, state: &TrainState) -> Result<(), WatchError>;

    /// Where the time went; told once, at the end, where it was asked for.
    ///
    /// # Errors
    ///
    /// Whatever keeps the watcher from recording it.
    fn profile(&mut self, _profile: &Profile) -> Result<(), WatchError> {
        Ok(())
    }
}

/// Why a watcher could not do its part.
pub type WatchError = Box<dyn std::error::Error + Send + Sync>;
