//! Turns the progress of trials into events and listener calls, and passes on stop requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::gate::Judgement;
use crate::ledger::{Appended, Event, Ledger};
use crate::record::{EpochRecord, Finding, FoldResult, SoFar, StepProgress};
use crate::spec::Spec;
use crate::sys::signals::StopFlag;
use crate::train::{Flow, Phase, WatchError};
use crate::tune::{Proposal, TrialRecord, reason_to_prune};

use super::deadline::{Deadline, Reserve, sample_seconds};
use super::trainer::{TrialNote, TrialObserver};

/// Receives the progress of a study, for a terminal, a test or a program. No method can change the
/// outcome, and all do nothing by default. The recorded events themselves are available through
/// [`LaunchListener::recorder`](super::LaunchListener::recorder).
pub trait Listener: Send {
    /// A trial starts. `proposal` holds the edits and the reason; `None` for the first trial.
    fn trial(&mut self, _trial: u32, _spec: &Spec, _proposal: Option<&Proposal>) {}

    /// A training step is done.
    fn step(&mut self, _trial: u32, _progress: &StepProgress) {}

    /// Weights were grafted, a checkpoint was written, rejected as damaged, or resumed from.
    fn note(&mut self, _trial: u32, _note: &TrialNote) {}

    /// An epoch was trained and evaluated.
    fn epoch(&mut self, _trial: u32, _record: &EpochRecord) {}

    /// A fold of a trial was measured, with `[gate] folds`; the first one once it is known that there are others.
    fn fold_ended(&mut self, _trial: u32, _fold: &FoldResult) {}

    /// The proposal that would follow if the running trial ended now without passing the gate.
    fn planned(&mut self, _trial: u32, _next: &Proposal) {}

    /// A learning rate range test was made; `suggestion` is the best rate, `None` if the loss did not
    /// fall at any rate.
    fn rates_tested(&mut self, _trial: u32, _suggestion: Option<f64>) {}

    /// A trial reached its time limit; [`trial_ended`](Self::trial_ended) follows.
    fn out_of_time(&mut self, _trial: u32, _why: &str) {}

    /// The budget is used up, so no further trial will start; `why` names the limit.
    fn budget_spent(&mut self, _why: &str) {}

    /// A trial ended and was judged.
    fn trial_ended(&mut self, _trial: &TrialRecord, _judgement: &Judgement, _finding: &Finding) {}
}

/// A listener that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Listener for Silent {}

/// The event log and the listener of a study, shared by all trials.
pub(super) struct StudyRecord<'a> {
    pub(super) ledger: Ledger,
    pub(super) listener: &'a mut dyn Listener,
}

/// Records the events of one trial.
pub(super) struct Recorder<'a, 'study_record> {
    pub(super) study_record: &'a Mutex<StudyRecord<'study_record>>,
    pub(super) stop: &'a StopFlag,
    /// Set when the study needs no further results.
    pub(super) over: &'a AtomicBool,
    pub(super) trial: u32,
    pub(super) parent: Option<u32>,
    /// The time limit of the trial.
    pub(super) deadline: Option<&'a Deadline>,
    /// What training leaves of it to the evaluation.
    pub(super) reserve: Reserve,
    /// The trial's spec, if the trial may be given up once it cannot pass the gate.
    pub(super) may_give_up: Option<&'a Spec>,
    /// Whether growth wants to know how hard the data is.
    pub(super) samples_data: bool,
    /// The trial's epochs so far.
    pub(super) curve: Vec<EpochRecord>,
    /// The proposal that would follow if the trial ended with this curve.
    pub(super) plan: &'a dyn Fn(&[EpochRecord]) -> Option<Proposal>,
}

impl TrialObserver for Recorder<'_, '_> {
    fn step(&mut self, progress: &StepProgress) -> Flow {
        self.study_record().listener.step(self.trial, progress);
        self.flow(Phase::Training)
    }

    fn working(&mut self, phase: Phase) -> Flow {
        self.flow(phase)
    }

    fn give_up(&mut self, so_far: &SoFar) -> Option<String> {
        reason_to_prune(self.may_give_up?, so_far)
    }

    fn may_give_up(&self) -> bool {
        self.may_give_up.is_some()
    }

    fn samples_data(&self) -> bool {
        self.samples_data
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError> {
        self.curve.retain(|earlier| earlier.epoch < record.epoch);
        self.curve.push(record.clone());
        let mut study_record = self.study_record();
        if study_record.ledger.append_once(epoch_event(self.trial, record))? == Appended::Now {
            study_record.listener.epoch(self.trial, record);
            let now = study_record.ledger.records().last().map(|last| last.at);
            drop(study_record);
            if let Some(now) = now {
                self.reserve.add(now, record.seconds + sample_seconds(record.probe.as_ref()));
            }
            if let Some(proposal) = (self.plan)(&self.curve) {
                self.study_record().listener.planned(self.trial, &proposal);
            }
        }
        Ok(self.flow(Phase::Training))
    }

    fn note(&mut self, note: TrialNote) -> Result<(), WatchError> {
        let trial = self.trial;
        let parent = self.parent.unwrap_or_default();
        let mut study_record = self.study_record();
        let StudyRecord { ledger, listener } = &mut *study_record;
        listener.note(trial, &note);
        match note {
            TrialNote::Grafted(report) => {
                ledger.append_once(Event::Grafted { trial, parent, summary: report })?;
            }
            TrialNote::Resumed { epoch, step } => {
                let (epoch, step) = (epoch as u32, step as u64);
                ledger.append(Event::TrialResumed { trial, epoch, step, fold: None })?;
            }
            TrialNote::CheckpointWritten { epoch, step, path, bytes, seconds } => {
                ledger.append(Event::CheckpointWritten {
                    trial,
                    epoch: epoch as u32,
                    step: step as u64,
                    path,
                    bytes,
                    seconds,
                })?
            }
            TrialNote::Profiled(profile) => {
                ledger.append(Event::TrialProfiled { trial, profile })?;
            }
            TrialNote::CheckpointRejected { path, why } => {
                ledger.append(Event::CheckpointRejected { path, why })?;
            }
            note => record_job(ledger, note)?,
        }
        Ok(())
    }
}

impl<'study_record> Recorder<'_, 'study_record> {
    fn study_record(&self) -> MutexGuard<'_, StudyRecord<'study_record>> {
        self.study_record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flow(&self, phase: Phase) -> Flow {
        flow(self.stop, self.over, self.deadline, &self.reserve, phase)
    }
}

/// Records the training of a network for a fold. Its epochs are in no record, only what it comes to.
pub(super) struct FoldRecorder<'a, 'study_record> {
    pub(super) study_record: &'a Mutex<StudyRecord<'study_record>>,
    pub(super) stop: &'a StopFlag,
    /// Set when the study needs no further results.
    pub(super) over: &'a AtomicBool,
    /// The trial whose folds are measured.
    pub(super) trial: u32,
    pub(super) fold: u32,
    /// The epoch at which the network is done.
    pub(super) last_epoch: usize,
    /// The time limit of the trial.
    pub(super) deadline: Option<&'a Deadline>,
}

impl TrialObserver for FoldRecorder<'_, '_> {
    fn step(&mut self, progress: &StepProgress) -> Flow {
        self.study_record().listener.step(self.trial, progress);
        self.flow(Phase::Training)
    }

    fn working(&mut self, phase: Phase) -> Flow {
        self.flow(phase)
    }

    fn epoch(&mut self, _record: &EpochRecord) -> Result<Flow, WatchError> {
        Ok(self.flow(Phase::Training))
    }

    fn note(&mut self, note: TrialNote) -> Result<(), WatchError> {
        let (trial, fold) = (self.trial, Some(self.fold));
        let mut study_record = self.study_record();
        let StudyRecord { ledger, listener } = &mut *study_record;
        match &note {
            TrialNote::Resumed { epoch, step } if *epoch < self.last_epoch => {
                listener.note(trial, &note);
                let (epoch, step) = (*epoch as u32, *step as u64);
                ledger.append(Event::TrialResumed { trial, epoch, step, fold })?;
            }
            TrialNote::CheckpointWritten { epoch, step, path, bytes, seconds } => {
                listener.note(trial, &note);
                ledger.append(Event::CheckpointWritten {
                    trial,
                    epoch: *epoch as u32,
                    step: *step as u64,
                    path: path.clone(),
                    bytes: *bytes,
                    seconds: *seconds,
                })?;
            }
            TrialNote::CheckpointRejected { path, why } => {
                listener.note(trial, &note);
                let (path, why) = (path.clone(), why.clone());
                ledger.append(Event::CheckpointRejected { path, why })?;
            }
            // Those of the trial itself are recorded; the folds repeat them.
            TrialNote::Resumed { .. } | TrialNote::Grafted(_) | TrialNote::Profiled(_) => {}
            note => {
                listener.note(trial, note);
                record_job(ledger, note.clone())?;
            }
        }
        Ok(())
    }
}

impl<'study_record> FoldRecorder<'_, 'study_record> {
    fn study_record(&self) -> MutexGuard<'_, StudyRecord<'study_record>> {
        self.study_record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flow(&self, phase: Phase) -> Flow {
        // The one evaluation of a fold's network is short beside its training.
        flow(self.stop, self.over, self.deadline, &Reserve::default(), phase)
    }
}

/// Records what happens to jobs on other machines.
fn record_job(ledger: &mut Ledger, note: TrialNote) -> Result<(), WatchError> {
    let event = match note {
        TrialNote::JobSubmitted { trial, part, submission, job } => {
            Event::JobSubmitted { trial, part, submission, job }
        }
        TrialNote::JobEnded { trial, part, submission, job, node, why, queue_seconds, seconds } => {
            Event::JobEnded { trial, part, submission, job, node, why, queue_seconds, seconds }
        }
        TrialNote::NodeExcluded { node, why } => Event::NodeExcluded { node, why },
        _ => return Ok(()),
    };
    Ok(ledger.append(event)?)
}

fn flow(
    stop: &StopFlag,
    over: &AtomicBool,
    deadline: Option<&Deadline>,
    reserve: &Reserve,
    phase: Phase,
) -> Flow {
    match stop.requested() {
        Some(_) => Flow::Stop,
        None if over.load(Ordering::Relaxed) => Flow::Stop,
        None if deadline.is_some_and(|deadline| deadline.has_passed(phase, reserve)) => {
            Flow::OutOfTime
        }
        None => Flow::Continue,
    }
}

pub(super) fn epoch_event(trial: u32, record: &EpochRecord) -> Event {
    Event::EpochFinished {
        trial,
        epoch: record.epoch as u32,
        train_loss: record.train_loss,
        train_accuracy: record.train_accuracy,
        validation_loss: record.validation_loss,
        validation_accuracy: record.validation_accuracy,
        learning_rate: record.learning_rate,
        seconds: record.seconds,
        evaluation_seconds: record.evaluation_seconds,
        images: record.images,
        course: record.course.clone(),
        probe: record.probe.clone(),
        recalls: record.recalls.clone(),
        given_up: record.given_up.clone(),
    }
}
