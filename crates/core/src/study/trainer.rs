//! The interface between the loop and what trains. The loop never sees a tensor, so a test can run it
//! in milliseconds with a trainer that makes up its curves.

use std::path::Path;

use crate::record::{
    Ending, EpochRecord, GraftReport, Inherit, Profile, RangeTest, SoFar, StepProgress,
};
use crate::spec::{Edit, Spec};
use crate::train::{Flow, Phase, WatchError};

/// A trial to train.
#[derive(Debug, Clone, Copy)]
pub struct TrialTask<'a> {
    /// Number of the trial within its study, counted from 1.
    pub trial: u32,
    /// The network and how to train it.
    pub spec: &'a Spec,
    /// The trial that it was grown from; `None` for the first.
    pub parent: Option<Parent<'a>>,
    /// A folder for checkpoints. A trainer that finds a checkpoint of the trial here continues from
    /// it; the loop calls [`Trainer::train`] again after a crash.
    pub folder: &'a Path,
}

/// The trial that another one was grown from.
#[derive(Debug, Clone, Copy)]
pub struct Parent<'a> {
    /// Number of the parent.
    pub trial: u32,
    /// The spec that the parent was trained with.
    pub spec: &'a Spec,
    /// The parent's folder of checkpoints.
    pub folder: &'a Path,
    /// The edits that led from the parent's spec to the child's.
    pub edits: &'a [Edit],
    /// What the child inherits: nothing, weights, or the whole training state.
    pub inherit: Inherit,
}

/// The result of training a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialOutcome {
    /// One record for each epoch, in order, including those before an interruption.
    pub curve: Vec<EpochRecord>,
    /// Why the training ended.
    pub ending: Ending,
    /// Seconds of training, interruptions excluded.
    pub train_seconds: f64,
    /// Training images per second.
    pub images_per_second: f64,
}

/// Result on the test images, which influence no decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestResult {
    /// Test images classified correctly.
    pub correct: u64,
    /// All test images.
    pub images: u64,
}

impl TestResult {
    /// Share of images classified correctly, 0..=1.
    pub fn accuracy(self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }
}

/// Trains the trials of a study. With `[tune] jobs` above 1, its methods are called from several
/// threads at the same time.
///
/// The default trains with burn on this machine; [`Launch::trainer`](super::Launch::trainer) sets
/// another one. This one trains nothing and reports an accuracy for each trial:
///
/// ```
/// use burgeon::prelude::*;
///
/// struct Fake;
///
/// impl Trainer for Fake {
///     fn train(
///         &self,
///         task: &TrialTask,
///         observer: &mut dyn TrialObserver,
///     ) -> Result<TrialOutcome, TrainerError> {
///         let accuracy = f64::from(task.trial) * 0.4;
///         let epoch =
///             EpochRecord { epoch: 1, validation_accuracy: accuracy, ..EpochRecord::default() };
///         observer.epoch(&epoch)?; // records it, and answers whether to continue
///         Ok(TrialOutcome {
///             curve: vec![epoch],
///             ending: Ending::Completed,
///             train_seconds: 0.1,
///             images_per_second: 0.0,
///         })
///     }
///
///     fn publish(
///         &self,
///         _task: &TrialTask,
///         folder: &std::path::Path,
///     ) -> Result<(), TrainerError> {
///         std::fs::create_dir_all(folder)?;
///         Ok(std::fs::write(folder.join("model.bin"), [0])?)
///     }
///
///     fn test(&self, _task: &TrialTask) -> Result<TestResult, TrainerError> {
///         Ok(TestResult { correct: 79, images: 100 })
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pixels = [[0; 64], [255; 64]].concat(); // a black image and a white one
/// let images = |label: u8| Images::new(pixels.clone(), vec![0, label], 8, 8);
/// let data = Dataset::new(images(1)?, images(1)?, images(1)?, 2)?;
/// let mut study = StudyFile::new("fake", vec![Layer::Dense(Dense::of(4))]);
/// study.gate.accuracy = 0.75;
/// let runs = tempfile::tempdir()?;
/// let ended = Launch::new(study).data(data).trainer(Fake).runs(runs.path()).run()?;
/// let Ended::Finished(finished) = ended else { unreachable!("no stop was requested") };
/// assert_eq!((finished.result.trials, finished.result.test_accuracy), (2, Some(0.79)));
/// # Ok(())
/// # }
/// ```
pub trait Trainer: Sync {
    /// Trains a trial to its end, or until the observer stops it.
    ///
    /// # Errors
    ///
    /// Whatever prevents the training from continuing. A diverging loss is not an error but an
    /// [`Ending`].
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError>;

    /// Trains the network of a trial for another fold of a cross-validation
    /// ([`GateSpec::folds`](crate::spec::GateSpec::folds)) than the first one, on which the trial itself validates:
    /// on the images outside of the fold `fold`, counted from 1, of which those inside are the validation images.
    ///
    /// `trained` holds the trial's own epochs. The network is trained for as many, and evaluated after the one that is
    /// the [best of them](EpochRecord::best_of), so that nothing is chosen by the images of the fold; the record of
    /// that epoch must be in the answer's curve.
    ///
    /// The folder of `task`, and that of its parent, are those of the fold: what a child inherits comes from a network
    /// that was not trained on these images either. The loop calls this for the ancestors first, unless they have
    /// [their folds](Self::has_fold), and again after a crash.
    ///
    /// `None`, the default, if the trainer trains no folds; the gate then judges by the validation images alone.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    fn train_fold(
        &self,
        _task: &TrialTask,
        _fold: u32,
        _trained: &[EpochRecord],
        _observer: &mut dyn TrialObserver,
    ) -> Result<Option<TrialOutcome>, TrainerError> {
        Ok(None)
    }

    /// Whether the network of a fold is there, as [`train_fold`](Self::train_fold) left it, so that a child can
    /// inherit from it. By default it is not, and is trained again.
    ///
    /// # Errors
    ///
    /// When that cannot be found out.
    fn has_fold(
        &self,
        _task: &TrialTask,
        _fold: u32,
        _trained: &[EpochRecord],
    ) -> Result<bool, TrainerError> {
        Ok(false)
    }

    /// Makes a learning rate range test around the rate `middle`, from fresh weights. `None` if the
    /// trainer cannot, or once `keep_going`, called between steps, returns `false`.
    ///
    /// # Errors
    ///
    /// When the network cannot be trained at all.
    fn test_rates(
        &self,
        _task: &TrialTask,
        _middle: f64,
        _keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<RangeTest>, TrainerError> {
        Ok(None)
    }

    /// Writes the network of the trial's best epoch into `folder`, replacing its content.
    ///
    /// # Errors
    ///
    /// When the network cannot be read or written.
    fn publish(&self, task: &TrialTask, folder: &Path) -> Result<(), TrainerError>;

    /// Removes the trial's checkpoints, and those of its folds, which are no longer needed. May be called again after a
    /// crash, when they are gone already.
    ///
    /// # Errors
    ///
    /// When they cannot be removed.
    fn remove_checkpoints(&self, _task: &TrialTask) -> Result<(), TrainerError> {
        Ok(())
    }

    /// Evaluates the network of the trial's best epoch on the test images. Called once for each
    /// accepted model; an extended study may accept another one.
    ///
    /// # Errors
    ///
    /// When the network cannot be read.
    fn test(&self, task: &TrialTask) -> Result<TestResult, TrainerError>;

    /// Like [`test`](Self::test), which the default calls, but calls `keep_going` between batches and
    /// returns `None` once that returns `false`. The resumed study then calls it again.
    ///
    /// # Errors
    ///
    /// As [`test`](Self::test).
    fn test_while(
        &self,
        task: &TrialTask,
        _keep_going: &mut dyn FnMut() -> bool,
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

    fn train_fold(
        &self,
        task: &TrialTask,
        fold: u32,
        trained: &[EpochRecord],
        observer: &mut dyn TrialObserver,
    ) -> Result<Option<TrialOutcome>, TrainerError> {
        (**self).train_fold(task, fold, trained, observer)
    }

    fn has_fold(
        &self,
        task: &TrialTask,
        fold: u32,
        trained: &[EpochRecord],
    ) -> Result<bool, TrainerError> {
        (**self).has_fold(task, fold, trained)
    }

    fn test_rates(
        &self,
        task: &TrialTask,
        middle: f64,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<RangeTest>, TrainerError> {
        (**self).test_rates(task, middle, keep_going)
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
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<TestResult>, TrainerError> {
        (**self).test_while(task, keep_going)
    }

    fn remove_checkpoints(&self, task: &TrialTask) -> Result<(), TrainerError> {
        (**self).remove_checkpoints(task)
    }
}

/// An error of a trainer.
pub type TrainerError = WatchError;

/// Receives the progress of one trial from the trainer, and tells it when to stop.
pub trait TrialObserver {
    /// To be called after each step.
    fn step(&mut self, progress: &StepProgress) -> Flow;

    /// To be called between other pieces of work, such as the batches of an evaluation; see
    /// [`Watch::working`](crate::train::Watch::working).
    fn working(&mut self, _phase: Phase) -> Flow {
        Flow::Continue
    }

    /// Whether to give the trial up, and why; see
    /// [`Watch::give_up`](crate::train::Watch::give_up).
    fn give_up(&mut self, _so_far: &SoFar) -> Option<String> {
        None
    }

    /// Whether [`give_up`](Self::give_up) may give the trial up for what its curve says, for a trainer that trains on
    /// another machine and cannot call it.
    fn may_give_up(&self) -> bool {
        false
    }

    /// Whether to measure how hard the data is; see [`Watch::samples_data`](crate::train::Watch::samples_data).
    fn samples_data(&self) -> bool {
        false
    }

    /// To be called after each epoch. A resumed trial may repeat epochs; the observer recognizes them
    /// by their number.
    ///
    /// # Errors
    ///
    /// When the epoch cannot be recorded; the trainer should then return this error.
    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError>;

    /// To be called for whatever else belongs in the record.
    ///
    /// # Errors
    ///
    /// When it cannot be recorded; the trainer should then return this error.
    fn note(&mut self, note: TrialNote) -> Result<(), WatchError>;
}

/// Progress of a trial besides steps and epochs.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialNote {
    /// The parent's weights were grafted onto the child.
    Grafted(GraftReport),
    /// The trial continues from a checkpoint.
    Resumed {
        /// Finished epochs.
        epoch: usize,
        /// Finished steps of the epoch after those.
        step: usize,
    },
    /// A checkpoint was written.
    CheckpointWritten {
        /// Finished epochs.
        epoch: usize,
        /// Finished steps of the epoch after those.
        step: usize,
        /// Its folder, relative to the run folder.
        path: String,
        /// Its size in bytes.
        bytes: u64,
        /// Seconds that writing took, in parallel to training.
        seconds: f64,
    },
    /// Where this process spent the trial's time.
    Profiled(Profile),
    /// A job was submitted that trains on another machine.
    JobSubmitted {
        /// The trial, which for a job that tests learning rates is not the observed one.
        trial: u32,
        /// The part of the trial's work, such as `train`.
        part: String,
        /// Counted from 1 for each part of a trial.
        submission: u32,
        /// The scheduler's id of the job.
        job: String,
    },
    /// A job is over.
    JobEnded {
        /// The trial.
        trial: u32,
        /// The part of its work.
        part: String,
        /// The number of the submission.
        submission: u32,
        /// The scheduler's id of the job.
        job: Option<String>,
        /// The node that it ran on last.
        node: Option<String>,
        /// Why it came to nothing; `None` if its result counts.
        why: Option<String>,
        /// Seconds from its submission to its beginning.
        queue_seconds: f64,
        /// Seconds for which it held its nodes.
        seconds: f64,
    },
    /// A node gets no more jobs.
    NodeExcluded {
        /// The node.
        node: String,
        /// How it failed.
        why: String,
    },
    /// A checkpoint is damaged, so the one before it is used.
    CheckpointRejected {
        /// The damaged file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}
