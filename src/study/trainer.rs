//! What the loop asks of whoever trains. The loop never sees a tensor, so a test runs it in
//! milliseconds with a trainer that invents its curves.

use std::path::Path;

use crate::record::{
    Ending, EpochRecord, GraftReport, Inherit, Profile, RangeTest, SoFar, StepProgress,
};
use crate::spec::{Edit, Spec};
use crate::train::{Flow, Phase, WatchError};

/// One trial to train.
#[derive(Debug, Clone, Copy)]
pub struct TrialTask<'a> {
    /// Its number, counted from 1.
    pub trial: u32,
    /// What to train.
    pub spec: &'a Spec,
    /// The trial that it grew from, if any.
    pub parent: Option<Parent<'a>>,
    /// Where the trial may keep what it needs to go on after a crash. A trial that finds its own
    /// state there goes on from it.
    pub folder: &'a Path,
}

/// The trial that another one grew from.
#[derive(Debug, Clone, Copy)]
pub struct Parent<'a> {
    /// Its number.
    pub trial: u32,
    /// What was trained.
    pub spec: &'a Spec,
    /// Where it kept its state.
    pub folder: &'a Path,
    /// What was changed.
    pub edits: &'a [Edit],
    /// What the child keeps of what its parent learned.
    pub inherit: Inherit,
}

/// What a trial came to.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialOutcome {
    /// Its epochs, in order.
    pub curve: Vec<EpochRecord>,
    /// How it ended.
    pub ending: Ending,
    /// Seconds of training, over all interruptions.
    pub train_seconds: f64,
    /// Training images a second.
    pub images_per_second: f64,
}

/// Accuracy on images that nothing was steered by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestResult {
    /// Test images whose class was classified correctly.
    pub correct: u64,
    /// Test images.
    pub images: u64,
}

impl TestResult {
    /// Share of images whose class was classified correctly, 0..=1.
    pub fn accuracy(self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }
}

/// Trains networks for a study, several at the same time where `[tune] jobs` says so.
pub trait Trainer: Sync {
    /// Trains a trial to its end, or until the observer stops it.
    ///
    /// # Errors
    ///
    /// Whatever keeps the trial from going on; a diverging loss is an outcome, not an error.
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError>;

    /// Tests at which rates, around `middle`, the trial's network learns from fresh weights; `None`
    /// when that cannot be tested, or once `go_on`, asked between steps, says no.
    ///
    /// # Errors
    ///
    /// When the network cannot be trained at all.
    fn test_rates(
        &self,
        _task: &TrialTask,
        _middle: f64,
        _go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<RangeTest>, TrainerError> {
        Ok(None)
    }

    /// Writes the trial's best network into `folder`, replacing what was there.
    ///
    /// # Errors
    ///
    /// When the network cannot be read back or written.
    fn publish(&self, task: &TrialTask, folder: &Path) -> Result<(), TrainerError>;

    /// Removes whatever the trial saved to go on from, which nothing can need any more; called again
    /// after a crash, when it may be gone already.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    fn remove_checkpoints(&self, _task: &TrialTask) -> Result<(), TrainerError> {
        Ok(())
    }

    /// Evaluates the trial's best network on the test split. Called after acceptance, once for every
    /// model that is accepted: an extended study may accept another one.
    ///
    /// # Errors
    ///
    /// When the network cannot be read back.
    fn test(&self, task: &TrialTask) -> Result<TestResult, TrainerError>;

    /// As [`test`](Self::test), which is all that it does unless overridden, but asks `go_on` between
    /// batches and answers `None` once it says no. It is then called again by whoever goes on.
    ///
    /// # Errors
    ///
    /// As [`test`](Self::test).
    fn test_while(
        &self,
        task: &TrialTask,
        _go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<TestResult>, TrainerError> {
        self.test(task).map(Some)
    }
}

impl<T: Trainer + ?Sized> Trainer for Box<T> {
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        (**self).train(task, observer)
    }

    fn test_rates(
        &self,
        task: &TrialTask,
        middle: f64,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<RangeTest>, TrainerError> {
        (**self).test_rates(task, middle, go_on)
    }

    fn publish(&self, task: &TrialTask, folder: &Path) -> Result<(), TrainerError> {
        (**self).publish(task, folder)
    }

    fn test(&self, task: &TrialTask) -> Result<TestResult, TrainerError> {
        (**self).test(task)
    }

    fn test_while(
        &self,
        task: &TrialTask,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<TestResult>, TrainerError> {
        (**self).test_while(task, go_on)
    }

    fn remove_checkpoints(&self, task: &TrialTask) -> Result<(), TrainerError> {
        (**self).remove_checkpoints(task)
    }
}

/// Why a trainer could not do its part.
pub type TrainerError = WatchError;

/// Hears of a trial as it goes, and may stop it.
pub trait TrialObserver {
    /// After every step.
    fn step(&mut self, progress: &StepProgress) -> Flow;

    /// Between two pieces of work that are no steps; see
    /// [`Watch::working`](crate::train::Watch::working).
    fn working(&mut self, _phase: Phase) -> Flow {
        Flow::Continue
    }

    /// Why the trial should be given up, if it should; see
    /// [`Watch::give_up`](crate::train::Watch::give_up).
    fn give_up(&mut self, _so_far: &SoFar) -> Option<String> {
        None
    }

    /// After every epoch. A resumed trial repeats epochs that were told before; the observer
    /// recognises them by their number.
    ///
    /// # Errors
    ///
    /// When the epoch cannot be recorded; the trial then ends.
    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError>;

    /// Something else that belongs in the record.
    ///
    /// # Errors
    ///
    /// When it cannot be recorded; the trial then ends.
    fn note(&mut self, note: TrialNote) -> Result<(), WatchError>;
}

/// What a trainer has to say besides steps and epochs.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialNote {
    /// The parent's weights went into the child.
    Grafted(GraftReport),
    /// The trial goes on from a saved state.
    Resumed {
        /// Epochs that were done.
        epoch: usize,
        /// Steps that were done in the running epoch.
        step: usize,
    },
    /// The state was saved.
    CheckpointWritten {
        /// Epochs done.
        epoch: usize,
        /// Steps done in the running epoch.
        step: usize,
        /// Where, relative to the run folder.
        path: String,
        /// Its size.
        bytes: u64,
        /// Time it took to write, beside training.
        seconds: f64,
    },
    /// Where the trial's time went, in this process.
    Profiled(Profile),
    /// A saved state is damaged and was passed over.
    CheckpointRejected {
        /// The damaged file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}
