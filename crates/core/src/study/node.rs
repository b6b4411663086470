//! A trial's training on a node of a cluster: records its progress in the folder of its attempt, and ends when the
//! scheduler, the study or a newer attempt asks for that.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::local_trainer::{CHECKPOINTS, LocalTrainer};
use super::observer::epoch_event;
use super::trainer::{Parent, Trainer, TrainerError, TrialNote, TrialObserver, TrialTask};
use crate::checkpoint::{newest_place, newest_valid};
use crate::cluster::{Attempts, Claim, End, Outcome, Part, Task};
use crate::ledger::{Event, Ledger};
use crate::record::{Ending, EpochRecord, Inherit, SoFar, StepProgress};
use crate::spec::{Spec, StudyDocument};
use crate::sys::clock::RealClock;
use crate::sys::fence::Fence;
use crate::sys::files::Files;
use crate::sys::signals::StopFlag;
use crate::train::{Flow, Phase, WatchError};
use crate::tune::reason_to_prune;

/// How often the attempt looks whether it still counts.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// An attempt at a part of a trial's work, on this machine.
pub(super) struct NodeWork<'a> {
    pub(super) trainer: LocalTrainer,
    pub(super) claim: &'a Claim,
    pub(super) part: Part,
    pub(super) task: Task,
    /// The run folder.
    pub(super) run: &'a Path,
    pub(super) attempts: &'a Attempts,
    pub(super) stop: &'a StopFlag,
}

impl NodeWork<'_> {
    /// Does the work, and says how it ended.
    pub(super) fn run(&self) -> End {
        match self.outcome() {
            Ok(Some(outcome)) => End::Published(outcome),
            Ok(None) => End::Interrupted,
            Err(error) => End::Failed(crate::sys::error_chain(&*error)),
        }
    }

    fn spec(&self, text: &str) -> Result<Spec, TrainerError> {
        let input = crate::study::input_shape(&self.trainer.data);
        Ok(StudyDocument::new("the study of the task", text).validate(input)?)
    }

    /// What came of the work; `None` if it was interrupted.
    fn outcome(&self) -> Result<Option<Outcome>, TrainerError> {
        let spec = self.spec(&self.task.spec)?;
        if spec.hash() != self.task.spec_hash {
            return Err("this burgeon reads the trial's study differently than the one that submitted it; use the same \
                        program on all machines, and the same images"
                .into());
        }
        let parent_spec = self.task.parent.as_ref().map(|parent| self.spec(&parent.spec));
        let parent_spec = parent_spec.transpose()?;
        let parent_folder = self.task.parent.as_ref().map(|parent| self.run.join(&parent.folder));
        let parent =
            self.task.parent.as_ref().zip(parent_spec.as_ref().zip(parent_folder.as_ref()));
        let parent = parent.map(|(parent, (spec, folder))| Parent {
            trial: parent.trial,
            spec,
            folder,
            edits: &parent.edits,
            inherit: parent.inherit,
        });
        let attempt = &self.claim.attempt;
        let task =
            TrialTask { trial: self.task.trial, spec: &spec, parent, folder: &attempt.folder };
        let files = &self.trainer.files;
        let clock = Arc::new(RealClock::default());
        let ledger = Ledger::open(&**files, &attempt.events(), Fence::none(), clock)?;
        let mut observer = NodeObserver {
            ledger,
            claim: self.claim,
            stop: self.stop,
            task: &self.task,
            spec: &spec,
            looked: None,
        };
        if let Some(parent) = &task.parent
            && parent.inherit != Inherit::Nothing
        {
            let visibility = spec.file().run.visibility;
            self.until_visible(parent.folder, Duration::from_secs(visibility as u64));
        }
        let trained = match self.part {
            Part::Rates => {
                let middle = self.task.middle.unwrap_or(spec.train().learning_rate);
                let mut keep_going = || observer.flow() == Flow::Continue;
                let tested = self.trainer.test_rates(&task, middle, &mut keep_going)?;
                let is_cut = tested.is_none() && observer.flow() != Flow::Continue;
                return Ok((!is_cut).then_some(Outcome::Tested(tested)));
            }
            Part::Train => {
                self.continue_earlier(&**files)?;
                Some(self.trainer.train(&task, &mut observer)?)
            }
            Part::Fold(fold) => {
                self.continue_earlier(&**files)?;
                self.trainer.train_fold(&task, fold, &self.task.trained, &mut observer)?
            }
        };
        Ok(match trained {
            None => Some(Outcome::Unsupported),
            Some(outcome) if outcome.ending == Ending::Stopped => None,
            Some(outcome) => Some(Outcome::Trained {
                curve: outcome.curve,
                ending: outcome.ending,
                train_seconds: outcome.train_seconds,
                images_per_second: outcome.images_per_second,
            }),
        })
    }

    /// Waits until a parent's checkpoints are there: it has ended, but this node may see what others wrote only after
    /// `visibility`. Whoever reads them tells what is wrong if they are not there then.
    fn until_visible(&self, parent: &Path, visibility: Duration) {
        let (files, began) = (&*self.trainer.files, Instant::now());
        let is_visible = || {
            let found = newest_valid(files, &parent.join(CHECKPOINTS));
            found.is_ok_and(|found| found.checkpoint.is_some())
        };
        while !is_visible() && began.elapsed() < visibility && self.stop.requested().is_none() {
            self.trainer.running_trials.beat();
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Copies the newest checkpoint of earlier attempts, or of a process that trained the trial by itself, into this
    /// attempt's folder. An earlier attempt may still run, and remove a checkpoint while it is copied; then the one before
    /// it is taken.
    fn continue_earlier(&self, files: &dyn Files) -> Result<(), TrainerError> {
        let own = self.claim.attempt.checkpoints();
        let earlier = self.attempts.all()?.into_iter().map(|attempt| attempt.checkpoints());
        let local = self.run.join(&self.task.folder).join(CHECKPOINTS);
        let mut found = Vec::new();
        for folder in earlier.chain([local]).filter(|folder| *folder != own) {
            self.trainer.running_trials.beat();
            // Only whole checkpoints count; what is damaged or goes away is passed over.
            if let Ok(Some(place)) = newest_place(files, &folder) {
                found.push((place, folder));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        for (_, folder) in found.into_iter().rev() {
            self.trainer.running_trials.beat();
            let Ok(valid) = newest_valid(files, &folder) else { continue };
            let Some(checkpoint) = valid.checkpoint else { continue };
            if checkpoint.copy_into(files, &own)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Records what the training tells, for the study's process to read.
struct NodeObserver<'a> {
    ledger: Ledger,
    claim: &'a Claim,
    stop: &'a StopFlag,
    task: &'a Task,
    spec: &'a Spec,
    /// What was found when the folder was last looked at, and when.
    looked: Option<(Flow, Instant)>,
}

impl NodeObserver<'_> {
    fn flow(&mut self) -> Flow {
        if self.stop.requested().is_some() {
            return Flow::Stop;
        }
        match self.looked {
            Some((flow, at)) if flow != Flow::Continue || at.elapsed() < LOOK_EVERY => flow,
            _ => {
                let flow = self.look();
                self.looked = Some((flow, Instant::now()));
                flow
            }
        }
    }

    /// A folder that cannot be listed now asks for nothing: the training goes on, and whether its result counts is decided
    /// at its end.
    fn look(&self) -> Flow {
        match (self.claim.is_newest(), self.claim.is_asked_to_end()) {
            (Ok(false), _) => Flow::Stop,
            (Ok(true), Ok(true)) => Flow::OutOfTime,
            _ => Flow::Continue,
        }
    }
}

impl TrialObserver for NodeObserver<'_> {
    fn step(&mut self, _progress: &StepProgress) -> Flow {
        self.flow()
    }

    fn working(&mut self, _phase: Phase) -> Flow {
        self.flow()
    }

    fn give_up(&mut self, so_far: &SoFar) -> Option<String> {
        reason_to_prune(Some(self.spec).filter(|_| self.task.may_give_up)?, so_far)
    }

    fn samples_data(&self) -> bool {
        self.task.samples_data
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError> {
        self.ledger.append_once(epoch_event(self.task.trial, record))?;
        Ok(self.flow())
    }

    fn note(&mut self, note: TrialNote) -> Result<(), WatchError> {
        let trial = self.task.trial;
        let event = match note {
            TrialNote::Grafted(summary) => {
                let parent = self.task.parent.as_ref().map_or(0, |parent| parent.trial);
                Event::Grafted { trial, parent, summary }
            }
            TrialNote::Resumed { epoch, step } => {
                let (epoch, step) = (epoch as u32, step as u64);
                Event::TrialResumed { trial, epoch, step, fold: None }
            }
            TrialNote::CheckpointWritten { epoch, step, path, bytes, seconds } => {
                let (epoch, step) = (epoch as u32, step as u64);
                Event::CheckpointWritten { trial, epoch, step, path, bytes, seconds }
            }
            TrialNote::Profiled(profile) => Event::TrialProfiled { trial, profile },
            TrialNote::CheckpointRejected { path, why } => Event::CheckpointRejected { path, why },
            TrialNote::JobSubmitted { .. }
            | TrialNote::JobEnded { .. }
            | TrialNote::NodeExcluded { .. } => return Ok(()),
        };
        Ok(self.ledger.append(event)?)
    }
}
