//! The trainer that really trains, on this machine, and saves its state as it goes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::publish::{TrainedModel, write_model};
use super::trainer::{
    TestResult, Trainer, TrainerError, TrialNote, TrialObserver, TrialOutcome, TrialTask,
};
use crate::checkpoint::{
    BackgroundWriter, CheckpointStore, Owner, Written, from_parts, newest_valid, to_parts,
};
use crate::data::Dataset;
use crate::model::{Network, OpenDevice, Preparation, Weights};
use crate::record::{EpochRecord, Inherit, Profile, RangeTest, SoFar, StepProgress};
use crate::spec::{CheckpointInterval, Spec};
use crate::sys::fence::Fence;
use crate::sys::files::Files;
use crate::sys::heartbeat::{Heartbeat, Position};
use crate::train::{
    Flow, Phase, Profiling, TrainState, TrainingSetup, Watch, WatchError, Workers, evaluate_while,
    test_rates, train,
};

/// Trains on this machine's CPU or GPU.
#[derive(Debug)]
pub struct LocalTrainer {
    /// The images.
    pub data: Dataset,
    /// What they are, in words.
    pub data_name: String,
    /// Hash of the images.
    pub data_hash: String,
    /// What trains.
    pub device: OpenDevice,
    /// The disk.
    pub files: Arc<dyn Files>,
    /// Leave to write into the run folder.
    pub fence: Fence,
    /// The run folder.
    pub run: PathBuf,
    /// Whether trials tell where their time goes.
    pub profiling: Profiling,
    /// The trials that train now, and what they share.
    pub at_work: AtWork,
}

/// The trials that train now. They share the threads and the heartbeat of their study.
#[derive(Debug)]
pub struct AtWork {
    workers: Workers,
    heartbeat: Arc<Heartbeat>,
    trials: Mutex<BTreeSet<u32>>,
}

impl AtWork {
    /// Nobody yet; whoever trains computes with `workers` and tells `heartbeat` of it.
    pub fn new(workers: Workers, heartbeat: Arc<Heartbeat>) -> Self {
        Self { workers, heartbeat, trials: Mutex::default() }
    }

    /// Counts a trial in until the guard is dropped.
    fn enter(&self, trial: u32) -> Working<'_> {
        self.change(|trials| {
            trials.insert(trial);
        });
        Working { at_work: self, trial }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<u32>)) {
        let mut trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut trials);
        self.workers.share_among(trials.len());
    }

    /// A sign of life. One that cannot be written must not end the training that it tells of; the
    /// checkpoints beside it will say what the disk lacks.
    fn beat(&self) {
        let _ = self.heartbeat.beat();
    }
}

/// One trial's part in [`AtWork`].
struct Working<'a> {
    at_work: &'a AtWork,
    trial: u32,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let _ = self.at_work.heartbeat.leave(self.trial);
        self.at_work.change(|trials| {
            trials.remove(&self.trial);
        });
    }
}

impl LocalTrainer {
    /// Where a trial starts: from its own saved state, or else from its parent.
    fn start(
        &self,
        task: &TrialTask,
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
            return self.start_from_parent(task, observer);
        };
        checkpoint.meta.check(&task.spec.hash(), &self.data_hash)?;
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
        observer: &mut dyn TrialObserver,
    ) -> Result<TrainState, TrainerError> {
        let fresh = || TrainState::start(Weights::initial(task.spec, task.trial));
        let Some(parent) = task.parent else {
            return Ok(fresh());
        };
        match parent.inherit {
            Inherit::Nothing => Ok(fresh()),
            Inherit::State => Ok(self.saved_state(parent.folder)?.continued()),
            Inherit::Weights | Inherit::Refreshed => {
                let state = self.saved_state(parent.folder)?;
                let (mut state, mut report) =
                    state.grafted(parent.spec, task.spec, parent.edits, task.trial)?;
                if parent.inherit == Inherit::Refreshed {
                    state = state.refreshed(task.spec, task.trial, &mut report)?;
                }
                self.at_work.beat();
                observer.note(TrialNote::Grafted(report))?;
                Ok(state)
            }
        }
    }

    /// The last state that a finished trial saved.
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

    fn owner(&self, trial: u32, spec: &Spec) -> Owner {
        Owner { trial, spec_hash: spec.hash(), data_hash: self.data_hash.clone() }
    }
}

/// Folder of a trial's checkpoints within the trial's own.
const CHECKPOINTS: &str = "checkpoints";

impl Trainer for LocalTrainer {
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        let _entered = self.at_work.workers.enter();
        let folder = task.folder.join(CHECKPOINTS);
        let mut store = CheckpointStore::open(Arc::clone(&self.files), folder, self.fence.clone())?;
        self.at_work.beat();
        let state = self.start(task, &mut store, observer)?;
        let working = self.at_work.enter(task.trial);
        let mut watch = TrialWatch {
            observer,
            working,
            owner: self.owner(task.trial, task.spec),
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
        watch.tell_position(state.position.epoch + 1, state.position.step);
        let trained = train(setup, state, &mut watch)?;
        watch.finish()?;
        let curve = trained.state.curve;
        let seconds: f64 = curve.iter().map(|epoch| epoch.seconds).sum();
        let images: u64 = curve.iter().map(|epoch| epoch.images).sum();
        Ok(TrialOutcome {
            curve,
            ending: trained.ending,
            train_seconds: seconds + trained.state.sums.seconds,
            images_per_second: if seconds > 0.0 { images as f64 / seconds } else { 0.0 },
        })
    }

    fn test_rates(
        &self,
        task: &TrialTask,
        middle: f64,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<RangeTest>, TrainerError> {
        let _entered = self.at_work.workers.enter();
        let setup = TrainingSetup {
            spec: task.spec,
            data: &self.data,
            device: &self.device,
            trial: task.trial,
            profiling: Profiling::Off,
        };
        let weights = Weights::initial(task.spec, task.trial);
        let mut go_on = || {
            self.at_work.beat();
            go_on()
        };
        Ok(test_rates(setup, &weights, middle, &mut go_on)?)
    }

    fn publish(&self, task: &TrialTask, folder: &Path) -> Result<(), TrainerError> {
        let (weights, record) = self.best(task)?;
        let model = TrainedModel {
            spec: task.spec,
            weights: &weights,
            preparation: &Preparation::new(task.spec, &self.data),
            trial: task.trial,
            best: &record,
            data: &self.data_name,
        };
        self.at_work.beat();
        write_model(&self.files, folder, model)?;
        self.at_work.beat();
        Ok(())
    }

    fn remove_checkpoints(&self, task: &TrialTask) -> Result<(), TrainerError> {
        self.fence.check()?;
        let folder = task.folder.join(CHECKPOINTS);
        if self.files.kind(&folder)?.is_some() {
            self.files.remove_folder_atomically(&folder)?;
        }
        // What a crash amid the removal left.
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
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<TestResult>, TrainerError> {
        let _entered = self.at_work.workers.enter();
        let (weights, _) = self.best(task)?;
        let network = Network::new(task.spec, &weights, &self.device.device)?;
        let classes = task.spec.input().classes;
        let (data, device) = (&self.data, &self.device.device);
        let mut go_on = || {
            self.at_work.beat();
            go_on()
        };
        let normalization = data.normalization;
        let result =
            evaluate_while(&network, &data.test, normalization, classes, device, &mut go_on)?;
        Ok(result.map(|result| TestResult { correct: result.correct(), images: result.images() }))
    }
}

/// Passes on what training tells, saves its state, and shows that it is alive.
struct TrialWatch<'a> {
    observer: &'a mut dyn TrialObserver,
    working: Working<'a>,
    owner: Owner,
    writer: BackgroundWriter,
    run: &'a Path,
    interval: CheckpointInterval,
    last_checkpoint: Instant,
}

impl TrialWatch<'_> {
    /// Waits for the last checkpoint to be on the disk.
    fn finish(mut self) -> Result<(), WatchError> {
        let at_work = self.working.at_work;
        match self.writer.flush_while(&mut || at_work.beat())? {
            Some(written) => self.tell(&written),
            None => Ok(()),
        }
    }

    fn tell_position(&self, epoch: usize, step: usize) {
        let (trial, epoch, step) = (self.owner.trial, epoch as u32, step as u64);
        // As with every other sign of life, failing to write it is no reason to end.
        let _ = self.working.at_work.heartbeat.move_to(Position { trial, epoch, step });
    }

    fn tell(&mut self, written: &Written) -> Result<(), WatchError> {
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
        self.tell_position(progress.epoch, progress.step);
        self.observer.step(progress)
    }

    fn working(&mut self, phase: Phase) -> Flow {
        self.working.at_work.beat();
        self.observer.working(phase)
    }

    fn give_up(&mut self, so_far: &SoFar) -> Option<String> {
        self.observer.give_up(so_far)
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
        let at_work = self.working.at_work;
        if let Some(written) = self.writer.flush_while(&mut || at_work.beat())? {
            self.tell(&written)?;
        }
        if let Some(written) = self.writer.submit(meta, parts)? {
            self.tell(&written)?;
        }
        Ok(())
    }

    fn profile(&mut self, profile: &Profile) -> Result<(), WatchError> {
        self.observer.note(TrialNote::Profiled(profile.clone()))
    }
}
