//! Trains on other machines: hands each task to a cluster, and takes over what comes of it.
//!
//! What a trial leaves behind is then where the local trainer would have left it, so that publishing, testing, and a later
//! process that trains locally find it there.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::local_trainer::{CHECKPOINTS, LocalTrainer};
use super::recorded::recorded_epoch;
use super::recorded_data::absolute;
use super::trainer::{
    TestResult, Trainer, TrainerError, TrialNote, TrialObserver, TrialOutcome, TrialTask,
};
use crate::checkpoint::{from_parts, newest_valid};
use crate::cluster::{
    Attempts, Cluster, Control, OnUpdate, Outcome, Part, Task, TaskEnd, TaskParent, TaskRequest,
    TaskUpdate,
};
use crate::ledger::{Event, Recorded};
use crate::record::{Ending, EpochRecord, RangeTest};
use crate::report::augmented_picture;
use crate::sys::files::parent;
use crate::sys::signals::StopFlag;
use crate::train::{Flow, Phase, Profiling};

/// Trains in jobs; publishes and tests here.
pub struct RemoteTrainer {
    /// Evaluates models in this process.
    local: LocalTrainer,
    cluster: Cluster,
    stop: StopFlag,
    /// The run folder, absolute, as jobs are told it.
    run: PathBuf,
    /// When this process last gave a sign of life.
    beaten: Mutex<Instant>,
    /// What became of jobs that nobody observes, until somebody observes another one.
    unobserved: Mutex<Vec<TrialNote>>,
}

impl RemoteTrainer {
    /// Trains on `cluster`, and publishes and tests with `local`.
    pub(super) fn new(local: LocalTrainer, cluster: Cluster, stop: StopFlag) -> Self {
        let run = absolute(&local.run);
        let beaten = Mutex::new(Instant::now());
        Self { local, cluster, stop, run, beaten, unobserved: Mutex::default() }
    }

    fn trial_folder(&self, trial: u32) -> PathBuf {
        self.run.join("trials").join(format!("{trial:03}"))
    }

    /// A folder, relative to that of the run.
    fn relative<'p>(&self, folder: &'p Path) -> &'p Path {
        folder.strip_prefix(&self.local.run).unwrap_or(folder)
    }

    fn task(&self, task: &TrialTask) -> Task {
        Task {
            trial: task.trial,
            spec: task.spec.file().to_toml(),
            spec_hash: task.spec.hash(),
            folder: self.relative(task.folder).into(),
            parent: task.parent.map(|parent| TaskParent {
                trial: parent.trial,
                spec: parent.spec.file().to_toml(),
                folder: self.relative(parent.folder).into(),
                edits: parent.edits.to_vec(),
                inherit: parent.inherit,
            }),
            may_give_up: false,
            samples_data: false,
            profile: self.local.profiling == Profiling::On,
            trained: Vec::new(),
            middle: None,
        }
    }

    /// Has a part of a trial's work done on another machine.
    fn run_task(
        &self,
        part: Part,
        task: &Task,
        on_update: &mut OnUpdate,
    ) -> Result<TaskEnd, TrainerError> {
        let folder = self.trial_folder(task.trial).join(part.folder());
        let request = TaskRequest {
            trial: task.trial,
            part,
            folder: &folder,
            task: serde_json::to_vec(task)?,
        };
        Ok(self.cluster.run(&request, on_update)?)
    }

    /// Gives a sign of life, once a second, for whoever supervises the study's process.
    fn beat(&self) {
        let mut beaten = self.beaten.lock().unwrap_or_else(PoisonError::into_inner);
        if beaten.elapsed() >= Duration::from_secs(1) {
            *beaten = Instant::now();
            self.local.running_trials.beat();
        }
    }

    /// Passes on what happens to a job, and answers what is wanted of it.
    fn pass_on(
        &self,
        task: &TrialTask,
        part: Part,
        update: TaskUpdate,
        observer: &mut dyn TrialObserver,
    ) -> Result<Control, TrainerError> {
        let mut unobserved = self.unobserved.lock().unwrap_or_else(PoisonError::into_inner);
        for note in unobserved.drain(..) {
            observer.note(note)?;
        }
        drop(unobserved);
        self.beat();
        match update {
            TaskUpdate::Waiting => {}
            TaskUpdate::Events { events } => {
                for recorded in events {
                    self.repeat(task, part, recorded, observer)?;
                }
            }
            update => {
                if let Some(note) = note_of(task.trial, part, update) {
                    observer.note(note)?;
                }
            }
        }
        Ok(match observer.working(Phase::Training) {
            Flow::Continue => Control::Continue,
            Flow::OutOfTime => Control::OutOfTime,
            Flow::Stop => self.at_stop(),
        })
    }

    /// A study that is stopped leaves its jobs alone, for the process that resumes it; one that is over needs them no more.
    fn at_stop(&self) -> Control {
        if self.stop.requested().is_some() { Control::Detach } else { Control::Cancel }
    }

    /// Repeats to the observer here what was observed there.
    fn repeat(
        &self,
        task: &TrialTask,
        part: Part,
        recorded: &Recorded,
        observer: &mut dyn TrialObserver,
    ) -> Result<(), TrainerError> {
        match &recorded.event {
            event @ Event::EpochFinished { .. } if part == Part::Train => {
                if let Some(record) = recorded_epoch(event) {
                    observer.epoch(&record)?;
                }
                Ok(())
            }
            Event::Grafted { summary, .. } => observer.note(TrialNote::Grafted(summary.clone())),
            Event::TrialResumed { epoch, step, .. } => {
                observer.note(TrialNote::Resumed { epoch: *epoch as usize, step: *step as usize })
            }
            Event::TrialProfiled { profile, .. } => {
                observer.note(TrialNote::Profiled(profile.clone()))
            }
            Event::CheckpointWritten { epoch, step, path, bytes, seconds, .. } => {
                observer.note(TrialNote::CheckpointWritten {
                    epoch: *epoch as usize,
                    step: *step as usize,
                    path: self.relative(task.folder).join(path).display().to_string(),
                    bytes: *bytes,
                    seconds: *seconds,
                })
            }
            Event::CheckpointRejected { path, why } => {
                let (path, why) = (path.clone(), why.clone());
                observer.note(TrialNote::CheckpointRejected { path, why })
            }
            _ => Ok(()),
        }
    }

    /// Moves what an attempt left behind to where a local training leaves it. May be repeated after a crash.
    fn take_up(&self, task: &TrialTask, attempt: &Path) -> Result<(), TrainerError> {
        let files = &self.local.files;
        let (from, to) = (attempt.join(CHECKPOINTS), task.folder.join(CHECKPOINTS));
        if files.kind(&from)?.is_some() {
            if files.kind(&to)?.is_some() {
                files.remove_folder_atomically(&to)?;
            }
            files.rename(&from, &to)?;
            files.sync_folder(task.folder)?;
        }
        let name = augmented_picture(task.trial);
        let (from, to) = (attempt.join(&name), self.local.run.join(&name));
        if files.kind(&from)?.is_some() {
            files.create_folders(parent(&to))?;
            files.rename(&from, &to)?;
        }
        Ok(())
    }

    /// Removes the checkpoints of all attempts that are not taken up. An attempt that still runs without counting may
    /// write more of them.
    fn remove_other_checkpoints(&self, folder: PathBuf) -> Result<(), TrainerError> {
        for attempt in Attempts::in_folder(&self.local.files, folder).all()? {
            let checkpoints = attempt.checkpoints();
            if self.local.files.kind(&checkpoints)?.is_some() {
                // Its process may be writing into it at this moment.
                let _ = self.local.files.remove_folder(&checkpoints);
            }
        }
        Ok(())
    }

    /// What was trained when the time was up: the newest checkpoint there is.
    fn out_of_time(&self, task: &TrialTask, part: Part) -> Result<TrialOutcome, TrainerError> {
        let folder = self.trial_folder(task.trial).join(part.folder());
        let mut curve = Vec::new();
        for attempt in Attempts::in_folder(&self.local.files, folder).all()? {
            let found = newest_valid(&*self.local.files, &attempt.checkpoints())?;
            if let Some(checkpoint) = found.checkpoint {
                curve = from_parts(checkpoint)?.curve;
                self.take_up(task, &attempt.folder)?;
                break;
            }
        }
        Ok(ended(curve, Ending::OutOfTime))
    }

    fn train_part(
        &self,
        task: &TrialTask,
        part: Part,
        described: &Task,
        observer: &mut dyn TrialObserver,
    ) -> Result<Option<TrialOutcome>, TrainerError> {
        self.local.files.create_folders(task.folder)?;
        let mut on_update = |update: TaskUpdate| self.pass_on(task, part, update, observer);
        match self.run_task(part, described, &mut on_update)? {
            TaskEnd::Detached => Ok(Some(ended(Vec::new(), Ending::Stopped))),
            TaskEnd::OutOfTime => self.out_of_time(task, part).map(Some),
            TaskEnd::Result(attempt, outcome) => match outcome {
                Outcome::Trained { curve, ending, train_seconds, images_per_second } => {
                    self.take_up(task, &attempt.folder)?;
                    let folder = self.trial_folder(task.trial).join(part.folder());
                    self.remove_other_checkpoints(folder)?;
                    if part == Part::Train {
                        for record in &curve {
                            observer.epoch(record)?;
                        }
                    }
                    Ok(Some(TrialOutcome { curve, ending, train_seconds, images_per_second }))
                }
                Outcome::Unsupported => Ok(None),
                Outcome::Tested(_) => {
                    Err("the job tested learning rates instead of training".into())
                }
            },
        }
    }
}

fn ended(curve: Vec<EpochRecord>, ending: Ending) -> TrialOutcome {
    let train_seconds = curve.iter().map(|epoch| epoch.seconds).sum();
    TrialOutcome { curve, ending, train_seconds, images_per_second: 0.0 }
}

fn note_of(trial: u32, part: Part, update: TaskUpdate) -> Option<TrialNote> {
    let part = part.to_string();
    Some(match update {
        TaskUpdate::Submitted { submission, job } => {
            TrialNote::JobSubmitted { trial, part, submission, job: job.into() }
        }
        TaskUpdate::SubmissionEnded(ended) => TrialNote::JobEnded {
            trial,
            part,
            submission: ended.submission,
            job: ended.job,
            node: ended.node,
            why: ended.why.map(str::to_owned),
            queue_seconds: ended.queue_seconds,
            seconds: ended.seconds,
        },
        TaskUpdate::Excluded { node, why } => {
            TrialNote::NodeExcluded { node: node.into(), why: why.into() }
        }
        TaskUpdate::Waiting | TaskUpdate::Events { .. } => return None,
    })
}

impl Trainer for RemoteTrainer {
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        let described = Task {
            may_give_up: observer.may_give_up(),
            samples_data: observer.samples_data(),
            ..self.task(task)
        };
        let outcome = self.train_part(task, Part::Train, &described, observer)?;
        outcome.ok_or_else(|| "the job trained nothing".into())
    }

    fn train_fold(
        &self,
        task: &TrialTask,
        fold: u32,
        trained: &[EpochRecord],
        observer: &mut dyn TrialObserver,
    ) -> Result<Option<TrialOutcome>, TrainerError> {
        if self.local.data.folds.is_none() {
            return Ok(None);
        }
        let described = Task { trained: trained.to_vec(), ..self.task(task) };
        self.train_part(task, Part::Fold(fold), &described, observer)
    }

    fn has_fold(
        &self,
        task: &TrialTask,
        fold: u32,
        trained: &[EpochRecord],
    ) -> Result<bool, TrainerError> {
        self.local.has_fold(task, fold, trained)
    }

    fn test_rates(
        &self,
        task: &TrialTask,
        middle: f64,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<RangeTest>, TrainerError> {
        let described = Task { middle: Some(middle), ..self.task(task) };
        let mut on_update = |update: TaskUpdate| {
            self.beat();
            if let Some(note) = note_of(task.trial, Part::Rates, update) {
                let mut unobserved = self.unobserved.lock().unwrap_or_else(PoisonError::into_inner);
                unobserved.push(note);
            }
            Ok(if keep_going() { Control::Continue } else { self.at_stop() })
        };
        match self.run_task(Part::Rates, &described, &mut on_update)? {
            TaskEnd::Result(_, Outcome::Tested(test)) => Ok(test),
            TaskEnd::Result(..) => Err("the job trained instead of testing learning rates".into()),
            TaskEnd::Detached | TaskEnd::OutOfTime => Ok(None),
        }
    }

    fn publish(&self, task: &TrialTask, folder: &Path) -> Result<(), TrainerError> {
        self.local.publish(task, folder)
    }

    fn remove_checkpoints(&self, task: &TrialTask) -> Result<(), TrainerError> {
        self.local.remove_checkpoints(task)?;
        self.remove_other_checkpoints(self.trial_folder(task.trial).join(Part::Train.folder()))
    }

    fn test(&self, task: &TrialTask) -> Result<TestResult, TrainerError> {
        self.local.test(task)
    }

    fn test_while(
        &self,
        task: &TrialTask,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<TestResult>, TrainerError> {
        self.local.test_while(task, keep_going)
    }
}
