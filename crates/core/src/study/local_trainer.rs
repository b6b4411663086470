//! The default trainer: trains on this machine and writes checkpoints.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use burgeon_pixels::Augmenter;

use super::card::provenance_in;
use super::folds::FOLDS;
use super::publish::{TrainedModel, write_model};
use super::trainer::{
    TestResult, Trainer, TrainerError, TrialNote, TrialObserver, TrialOutcome, TrialTask,
};
use crate::checkpoint::{
    BackgroundWriter, CheckpointStore, Owner, Written, from_parts, newest_valid, to_parts,
};
use crate::data::Dataset;
use crate::data::sheet::{augmented_sheet, mistakes_sheet, samples_sheet};
use crate::model::{Network, OpenDevice, Preparation, Weights};
use crate::record::figures::ModelFigures;
use crate::record::{EpochRecord, Inherit, Profile, RangeTest, SoFar, StepProgress};
use crate::report::{SAMPLES_PICTURE, augmented_picture, mistakes_picture};
use crate::spec::{CheckpointInterval, Spec};
use crate::sys::fence::Fence;
use crate::sys::files::{Files, parent};
use crate::sys::heartbeat::{Heartbeat, Position};
use crate::train::{
    Flow, FoldPlan, Phase, Profiling, TrainState, Trained, TrainingSetup, Watch, WatchError,
    Workers, evaluate_while, measure, test_rates, train, train_fold,
};

/// Trains on this machine's CPU or GPU.
#[derive(Debug)]
pub struct LocalTrainer {
    /// Training, validation and test images.
    pub data: Dataset,
    /// Name of the data for the model card.
    pub data_name: String,
    /// Hash of images and labels; a checkpoint of other data is rejected.
    pub data_hash: String,
    /// The device that trains.
    pub device: OpenDevice,
    /// Access to the disk.
    pub files: Arc<dyn Files>,
    /// Permission to write into the run folder, checked before each checkpoint.
    pub fence: Fence,
    /// The run folder.
    pub run: PathBuf,
    /// The weights that the first trial starts with, unless they are fresh.
    pub start: Option<Weights>,
    /// Whether trials record where their time goes.
    pub profiling: Profiling,
    /// The running trials and what they share.
    pub running_trials: RunningTrials,
}

/// The running trials of a study, which share its threads and its heartbeat.
#[derive(Debug)]
pub struct RunningTrials {
    workers: Workers,
    heartbeat: Arc<Heartbeat>,
    trials: Mutex<BTreeSet<u32>>,
}

impl RunningTrials {
    /// No trial yet. Trials compute on `workers` and write `heartbeat`.
    pub fn new(workers: Workers, heartbeat: Arc<Heartbeat>) -> Self {
        Self { workers, heartbeat, trials: Mutex::default() }
    }

    /// Counts a trial as running until the guard is dropped.
    fn enter(&self, trial: u32) -> Working<'_> {
        self.change(|trials| {
            trials.insert(trial);
        });
        Working { running_trials: self, trial }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<u32>)) {
        let mut trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut trials);
        self.workers.share_among(trials.len());
    }

    /// Writes a heartbeat. A failure does not end the training: the next checkpoint reports what is
    /// wrong with the disk.
    pub(super) fn beat(&self) {
        let _ = self.heartbeat.beat();
    }
}

/// Guard of one running trial.
struct Working<'a> {
    running_trials: &'a RunningTrials,
    trial: u32,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let _ = self.running_trials.heartbeat.leave(self.trial);
        self.running_trials.change(|trials| {
            trials.remove(&self.trial);
        });
    }
}

impl LocalTrainer {
    /// The state that a trial starts from: its own newest checkpoint, or else its parent's weights.
    fn start(
        &self,
        task: &TrialTask,
        owner: &Owner,
        store: &mut CheckpointStore,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrainState, TrainerError> {
        let found = store.newest_valid()?;
        for rejection in &found.rejected {
            observer.note(TrialNote::CheckpointRejected {
                path: rejection.path.display().to_string(),
                why: rejection.reason.to_string(),
            })?;
        }
        let Some(checkpoint) = found.checkpoint else {
            return self.start_from_parent(task, owner, observer);
        };
        checkpoint.meta.check(&owner.spec_hash, &owner.data_hash)?;
        let state = from_parts(checkpoint)?;
        observer
            .note(TrialNote::Resumed { epoch: state.position.epoch, step: state.position.step })?;
        // A crash can fall between an epoch's checkpoint and its record.
        for record in &state.curve {
            observer.epoch(record)?;
        }
        Ok(state)
    }

    fn start_from_parent(
        &self,
        task: &TrialTask,
        owner: &Owner,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrainState, TrainerError> {
        let fresh = || TrainState::start(Weights::initial(task.spec, owner.trial));
        let Some(parent) = task.parent else {
            return Ok(self.start.clone().map_or_else(fresh, TrainState::start));
        };
        match parent.inherit {
            Inherit::Nothing => Ok(fresh()),
            Inherit::State => Ok(self.saved_state(parent.folder)?.continued()),
            Inherit::Weights | Inherit::Refreshed => {
                let state = self.saved_state(parent.folder)?;
                let (mut state, mut report) =
                    state.grafted(parent.spec, task.spec, parent.edits, owner.trial)?;
                if parent.inherit == Inherit::Refreshed {
                    state = state.refreshed(task.spec, owner.trial, &mut report)?;
                }
                self.running_trials.beat();
                observer.note(TrialNote::Grafted(report))?;
                Ok(state)
            }
        }
    }

    /// The last checkpoint of a finished trial.
    fn saved_state(&self, folder: &Path) -> Result<TrainState, TrainerError> {
        let folder = folder.join(CHECKPOINTS);
        let found = newest_valid(&*self.files, &folder)?;
        let checkpoint = found.checkpoint.ok_or_else(|| {
            let damage: Vec<String> = found.rejected.iter().map(ToString::to_string).collect();
            format!("no checkpoint in {} is usable: {}", folder.display(), damage.join("; "))
        })?;
        Ok(from_parts(checkpoint)?)
    }

    /// The trial's best network.
    fn best(&self, task: &TrialTask) -> Result<(Weights, EpochRecord), TrainerError> {
        let state = self.saved_state(task.folder)?;
        let best = state.best.ok_or_else(|| format!("trial {} finished no epoch", task.trial))?;
        Ok((best.weights, best.record))
    }

    /// Writes a picture of how a trial augments training images, unless its parent does the same.
    fn write_augmented_picture(&self, task: &TrialTask) -> Result<(), TrainerError> {
        let augment = &task.spec.train().augment;
        let augmenter = Augmenter::new(augment.into());
        let is_same_as_parent =
            task.parent.is_some_and(|parent| parent.spec.train().augment == *augment);
        let path = self.run.join(augmented_picture(task.trial));
        if augmenter.is_identity() || is_same_as_parent || self.files.kind(&path)?.is_some() {
            return Ok(());
        }
        let (seed, trial) = (task.spec.train().seed, u64::from(task.trial));
        let picture = augmented_sheet(&self.data, &augmenter, seed, trial)?;
        self.files.create_folders(parent(&path))?;
        Ok(self.files.write_atomically(&path, &picture)?)
    }

    /// Writes a picture of training images, unless there is one.
    fn write_samples(&self) -> Result<(), TrainerError> {
        let path = self.run.join(SAMPLES_PICTURE);
        if self.files.kind(&path)?.is_some() {
            return Ok(());
        }
        let picture = samples_sheet(&self.data)?;
        self.files.create_folders(parent(&path))?;
        Ok(self.files.write_atomically(&path, &picture)?)
    }

    /// Writes a picture of the images that a model takes for another class.
    fn write_mistakes(&self, figures: &ModelFigures) -> Result<(), TrainerError> {
        let images: Vec<usize> =
            figures.validation.mistakes.iter().map(|mistake| mistake.image).collect();
        if images.is_empty() {
            return Ok(());
        }
        let path = self.run.join(mistakes_picture(figures.trial));
        let picture = mistakes_sheet(&self.data.validation, &images)?;
        self.files.create_folders(parent(&path))?;
        Ok(self.files.write_atomically(&path, &picture)?)
    }

    /// The network of a trial for a fold; `None` if the images have no such fold.
    fn fold_owner(&self, task: &TrialTask, fold: u32) -> Option<Owner> {
        let folds = self.data.folds.as_ref()?.count();
        Some(Owner {
            trial: counter(task.trial, fold),
            spec_hash: task.spec.hash(),
            data_hash: fold_hash(&self.data_hash, fold, folds),
        })
    }

    fn owner(&self, trial: u32, spec: &Spec) -> Owner {
        Owner { trial, spec_hash: spec.hash(), data_hash: self.data_hash.clone() }
    }
}

/// The number that seeds the randomness of a fold's network in place of its trial's: another one for each fold, and for
/// the first fold, which is the trial itself, that of the trial. Studies have far fewer trials than this has room for.
fn counter(trial: u32, fold: u32) -> u32 {
    trial.wrapping_add(fold.saturating_sub(1) << 27)
}

/// What identifies the images of a fold.
fn fold_hash(data_hash: &str, fold: u32, folds: usize) -> String {
    format!("{data_hash} fold {fold} of {folds}")
}

/// The plan for the folds of a trial that was trained like this.
fn fold_plan(task: &TrialTask, trained: &[EpochRecord]) -> Option<FoldPlan> {
    Some(FoldPlan {
        last_epoch: trained.last()?.epoch,
        judged_epoch: EpochRecord::best_of(trained, task.spec.gate())?.epoch,
    })
}

/// Folder of a trial's checkpoints within the trial's own.
pub(super) const CHECKPOINTS: &str = "checkpoints";

impl Trainer for LocalTrainer {
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        let _entered = self.running_trials.workers.enter();
        let folder = task.folder.join(CHECKPOINTS);
        let mut store = CheckpointStore::open(Arc::clone(&self.files), folder, self.fence.clone())?;
        self.running_trials.beat();
        self.write_augmented_picture(task)?;
        let owner = self.owner(task.trial, task.spec);
        let state = self.start(task, &owner, &mut store, observer)?;
        let working = self.running_trials.enter(task.trial);
        let mut watch = TrialWatch {
            observer,
            working,
            owner,
            trial: task.trial,
            epochs_before: 0,
            writer: BackgroundWriter::new(store)?,
            run: &self.run,
            interval: task.spec.train().checkpoint,
            last_checkpoint: Instant::now(),
        };
        let setup = TrainingSetup {
            spec: task.spec,
            data: &self.data,
            device: &self.device,
            trial: task.trial,
            profiling: self.profiling,
        };
        // A resumed trial may have no step left, and still fail in its evaluation.
        watch.beat_at(state.position.epoch + 1, state.position.step);
        let trained = train(setup, state, &mut watch)?;
        watch.finish()?;
        Ok(outcome(trained))
    }

    fn train_fold(
        &self,
        task: &TrialTask,
        fold: u32,
        trained: &[EpochRecord],
        observer: &mut dyn TrialObserver,
    ) -> Result<Option<TrialOutcome>, TrainerError> {
        let _entered = self.running_trials.workers.enter();
        let (Some(owner), Some(plan)) = (self.fold_owner(task, fold), fold_plan(task, trained))
        else {
            return Ok(None);
        };
        self.running_trials.beat();
        let Some(data) = self.data.fold(fold) else { return Ok(None) };
        let folder = task.folder.join(CHECKPOINTS);
        let mut store = CheckpointStore::open(Arc::clone(&self.files), folder, self.fence.clone())?;
        self.running_trials.beat();
        let state = self.start(task, &owner, &mut store, observer)?;
        let setup = TrainingSetup {
            spec: task.spec,
            data: &data,
            device: &self.device,
            trial: owner.trial,
            profiling: Profiling::Off,
        };
        let working = self.running_trials.enter(task.trial);
        let mut watch = TrialWatch {
            observer,
            working,
            owner,
            trial: task.trial,
            // Folds follow one another, so that the heartbeat only moves forward.
            epochs_before: (fold as usize - 1) * task.spec.train().epochs,
            writer: BackgroundWriter::new(store)?,
            run: &self.run,
            interval: task.spec.train().checkpoint,
            last_checkpoint: Instant::now(),
        };
        watch.beat_at(state.position.epoch + 1, state.position.step);
        let trained = train_fold(setup, plan, state, &mut watch)?;
        watch.finish()?;
        Ok(Some(outcome(trained)))
    }

    fn has_fold(
        &self,
        task: &TrialTask,
        fold: u32,
        trained: &[EpochRecord],
    ) -> Result<bool, TrainerError> {
        let (Some(owner), Some(plan)) = (self.fold_owner(task, fold), fold_plan(task, trained))
        else {
            return Ok(false);
        };
        let folder = task.folder.join(CHECKPOINTS);
        if self.files.kind(&folder)?.is_none() {
            return Ok(false);
        }
        let found = newest_valid(&*self.files, &folder)?;
        Ok(found.checkpoint.is_some_and(|checkpoint| {
            let is_of_this = checkpoint.meta.check(&owner.spec_hash, &owner.data_hash).is_ok();
            is_of_this && checkpoint.meta.epoch as usize >= plan.last_epoch
        }))
    }

    fn test_rates(
        &self,
        task: &TrialTask,
        middle: f64,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<RangeTest>, TrainerError> {
        let _entered = self.running_trials.workers.enter();
        let setup = TrainingSetup {
            spec: task.spec,
            data: &self.data,
            device: &self.device,
            trial: task.trial,
            profiling: Profiling::Off,
        };
        let weights = Weights::initial(task.spec, task.trial);
        let mut keep_going = || {
            self.running_trials.beat();
            keep_going()
        };
        Ok(test_rates(setup, &weights, middle, &mut keep_going)?)
    }

    fn publish(&self, task: &TrialTask, folder: &Path) -> Result<(), TrainerError> {
        let _entered = self.running_trials.workers.enter();
        let (weights, record) = self.best(task)?;
        let (data, device) = (&self.data, &self.device.device);
        let network = Network::new(task.spec, &weights, device)?;
        let mut beat = || self.running_trials.beat();
        let (normalization, classes) = (data.normalization, data.classes.len());
        let validation =
            measure(&network, &data.validation, normalization, classes, device, &mut beat)?;
        let provenance = provenance_in(&self.files, &self.run)?;
        let figures = ModelFigures {
            version: ModelFigures::VERSION,
            trial: task.trial,
            epoch: record.epoch,
            weights_hash: weights.hash(),
            validation: validation.into(),
            int8: None,
        };
        self.write_samples()?;
        // Before the figures that name them.
        self.write_mistakes(&figures)?;
        let model = TrainedModel {
            spec: task.spec,
            weights: &weights,
            preparation: &Preparation::new(task.spec, data),
            figures: &figures,
            data: &self.data_name,
            provenance: provenance.as_ref(),
        };
        self.running_trials.beat();
        write_model(&self.files, folder, model)?;
        self.running_trials.beat();
        Ok(())
    }

    fn remove_checkpoints(&self, task: &TrialTask) -> Result<(), TrainerError> {
        self.fence.check()?;
        for folder in [CHECKPOINTS, FOLDS].map(|name| task.folder.join(name)) {
            if self.files.kind(&folder)?.is_some() {
                self.files.remove_folder_atomically(&folder)?;
            }
        }
        // Leftovers of a crash during the removal.
        self.files.remove_leftovers(task.folder)?;
        Ok(())
    }

    fn test(&self, task: &TrialTask) -> Result<TestResult, TrainerError> {
        let tested = self.test_while(task, &mut || true)?;
        tested.ok_or_else(|| "the evaluation on the test split was cut short".into())
    }

    fn test_while(
        &self,
        task: &TrialTask,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<TestResult>, TrainerError> {
        let _entered = self.running_trials.workers.enter();
        let (weights, _) = self.best(task)?;
        let network = Network::new(task.spec, &weights, &self.device.device)?;
        let classes = task.spec.input().classes;
        let (data, device) = (&self.data, &self.device.device);
        let mut keep_going = || {
            self.running_trials.beat();
            keep_going()
        };
        let normalization = data.normalization;
        let result =
            evaluate_while(&network, &data.test, normalization, classes, device, &mut keep_going)?;
        Ok(result.map(|result| TestResult { correct: result.correct(), images: result.images() }))
    }
}

/// The outcome of a training.
fn outcome(trained: Trained) -> TrialOutcome {
    let curve = trained.state.curve;
    let seconds: f64 = curve.iter().map(|epoch| epoch.seconds).sum();
    let images: u64 = curve.iter().map(|epoch| epoch.images).sum();
    TrialOutcome {
        curve,
        ending: trained.ending,
        train_seconds: seconds + trained.state.sums.seconds,
        images_per_second: if seconds > 0.0 { images as f64 / seconds } else { 0.0 },
    }
}

/// Passes progress on to the observer, writes checkpoints and heartbeats.
struct TrialWatch<'a> {
    observer: &'a mut dyn TrialObserver,
    working: Working<'a>,
    /// What checkpoints belong to.
    owner: Owner,
    /// The trial, for the heartbeat.
    trial: u32,
    /// Epochs that the heartbeat counts before these.
    epochs_before: usize,
    writer: BackgroundWriter,
    run: &'a Path,
    interval: CheckpointInterval,
    last_checkpoint: Instant,
}

impl TrialWatch<'_> {
    /// Waits for the last checkpoint to be on the disk.
    fn finish(mut self) -> Result<(), WatchError> {
        let running_trials = self.working.running_trials;
        match self.writer.flush_while(&mut || running_trials.beat())? {
            Some(written) => self.report_written(&written),
            None => Ok(()),
        }
    }

    fn beat_at(&self, epoch: usize, step: usize) {
        let (trial, step) = (self.trial, step as u64);
        let epoch = (self.epochs_before + epoch) as u32;
        // As with every heartbeat, failing to write it is no reason to end.
        let _ = self.working.running_trials.heartbeat.move_to(Position { trial, epoch, step });
    }

    fn report_written(&mut self, written: &Written) -> Result<(), WatchError> {
        let path = written.path.strip_prefix(self.run).unwrap_or(&written.path);
        self.observer.note(TrialNote::CheckpointWritten {
            epoch: written.place.epoch as usize,
            step: written.place.step as usize,
            path: path.display().to_string(),
            bytes: written.bytes,
            seconds: written.seconds,
        })
    }
}

impl Watch for TrialWatch<'_> {
    fn step(&mut self, progress: &StepProgress) -> Flow {
        self.beat_at(progress.epoch, progress.step);
        self.observer.step(progress)
    }

    fn working(&mut self, phase: Phase) -> Flow {
        self.working.running_trials.beat();
        self.observer.working(phase)
    }

    fn give_up(&mut self, so_far: &SoFar) -> Option<String> {
        self.observer.give_up(so_far)
    }

    fn samples_data(&self) -> bool {
        self.observer.samples_data()
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError> {
        self.observer.epoch(record)
    }

    fn wants_checkpoint(&mut self, progress: &StepProgress) -> bool {
        match self.interval {
            CheckpointInterval::EverySeconds(seconds) => {
                self.last_checkpoint.elapsed() >= Duration::from_secs(seconds)
            }
            CheckpointInterval::EverySteps(steps) => (progress.step as u64).is_multiple_of(steps),
        }
    }

    fn checkpoint(&mut self, state: &TrainState) -> Result<(), WatchError> {
        self.last_checkpoint = Instant::now();
        let (meta, parts) = to_parts(state, &self.owner)?;
        let running_trials = self.working.running_trials;
        if let Some(written) = self.writer.flush_while(&mut || running_trials.beat())? {
            self.report_written(&written)?;
        }
        if let Some(written) = self.writer.submit(meta, parts)? {
            self.report_written(&written)?;
        }
        Ok(())
    }

    fn profile(&mut self, profile: &Profile) -> Result<(), WatchError> {
        self.observer.note(TrialNote::Profiled(profile.clone()))
    }
}
