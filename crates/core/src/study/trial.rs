//! One trial of the loop: starting it, training it here or on its own thread, and ending it.

// In a circle with run: the loop is one type in two files, the order of trials and a single trial.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

use super::deadline::{Deadline, Reserve, seconds_before};
use super::folds::FoldsEnd;
use super::observer::{Recorder, StudyRecord};
use super::publish::{write_curve, write_spec};
use super::recorded::{recorded_curve, recorded_folds};
use super::run::Study;
use super::setup::{Growth, StudyError};
use super::trainer::{Parent, Trainer, TrainerError, TrialTask};
use crate::ledger::Event;
use crate::record::{Conclusion, Ending, EpochRecord, Inherit, RangeTest};
use crate::spec::{self, Edit, EditCost, Spec, training_flops};
use crate::tune::{Proposal, TrialRecord, diagnose, recommended_rate};

/// A trial to train.
pub(super) struct Trial {
    /// Counted from 1.
    number: u32,
    spec: Spec,
    /// Its proposal and its parent; `None` for the first.
    origin: Option<Origin>,
}

/// The proposal of a trial, and its parent.
struct Origin {
    proposal: Proposal,
    /// The parent's spec.
    parent: Spec,
}

/// A started trial that has not been judged yet.
pub(super) enum Running<'scope> {
    /// An earlier process trained it to its end.
    Recorded(Arc<Trial>, Box<TrialRecord>),
    /// It will be trained on this thread when its turn comes.
    Due(Arc<Trial>),
    /// It trains on its own thread.
    Training(Arc<Trial>, ScopedJoinHandle<'scope, Result<Option<Trained>, StudyError>>),
}

/// A trial that was trained to its end.
pub(super) struct Trained {
    record: TrialRecord,
    images_per_second: f64,
    /// The time limit that ended it, as a clause.
    out_of_time: Option<String>,
}

impl Trial {
    /// The first trial: the study as it was written.
    pub(super) fn first(spec: &Spec) -> Self {
        Self { number: 1, spec: spec.clone(), origin: None }
    }

    /// A trial from a policy's proposal, checked against the history that the policy was given.
    ///
    /// # Errors
    ///
    /// When the parent is not in the history, or the proposal's spec is not what its edits give.
    pub(super) fn proposed(
        number: u32,
        proposal: Proposal,
        history: &[TrialRecord],
    ) -> Result<Self, StudyError> {
        let wrong = |why| StudyError::Proposal { trial: number, why };
        let parent = history.iter().find(|record| record.trial == proposal.parent);
        let parent = parent.ok_or_else(|| {
            wrong(format!("its parent, trial {}, is not in the history", proposal.parent))
        })?;
        let edited = Edit::apply_all(&proposal.edits, &parent.spec);
        let edited = edited.map_err(|error| wrong(error.to_string()))?;
        if edited != proposal.spec {
            let why = "its spec is not its parent's spec with its edits applied; make it with `Proposal::new`";
            return Err(wrong(why.into()));
        }
        let spec = proposal.spec.clone();
        Ok(Self { number, spec, origin: Some(Origin { proposal, parent: parent.spec.clone() }) })
    }

    /// A trial that a policy proposes while the first one, the only one in `history`, is in training.
    ///
    /// # Errors
    ///
    /// As [`proposed`](Self::proposed), and when it inherits from the first trial.
    pub(super) fn beside_first(
        number: u32,
        proposal: Proposal,
        history: &[TrialRecord],
    ) -> Result<Self, StudyError> {
        if proposal.inherit != Inherit::Nothing {
            let why = "it can inherit from no trial while the first one is in training".into();
            return Err(StudyError::Proposal { trial: number, why });
        }
        Self::proposed(number, proposal, history)
    }

    /// A trial that was started before its study was extended, and continues under the gate and budget
    /// that it was started under.
    pub(super) fn unfinished(
        number: u32,
        proposal: Proposal,
        history: &[TrialRecord],
    ) -> Result<Self, StudyError> {
        let parent = history.iter().find(|record| record.trial == proposal.parent);
        let missing = StudyError::NotRecorded { trial: proposal.parent, what: "ended" };
        let parent = parent.ok_or(missing)?.spec.clone();
        let spec = proposal.spec.clone();
        Ok(Self { number, spec, origin: Some(Origin { proposal, parent }) })
    }

    fn proposal(&self) -> Option<&Proposal> {
        self.origin.as_ref().map(|origin| &origin.proposal)
    }

    fn record(&self, curve: Vec<EpochRecord>, ending: Ending, seconds: f64) -> TrialRecord {
        TrialRecord {
            parent: self.proposal().map(|proposal| proposal.parent),
            edits: self.proposal().map(|proposal| proposal.edits.clone()).unwrap_or_default(),
            ending,
            train_seconds: seconds,
            ..TrialRecord::new(self.number, self.spec.clone(), curve)
        }
    }
}

impl Running<'_> {
    /// The proposal of the trial.
    fn proposal(&self) -> Option<&Proposal> {
        match self {
            Self::Recorded(trial, _) | Self::Due(trial) | Self::Training(trial, _) => {
                trial.proposal()
            }
        }
    }
}

/// The proposals of the running trials, in order.
pub(super) fn proposals_of(running: &VecDeque<Running>) -> Vec<Proposal> {
    running.iter().filter_map(Running::proposal).cloned().collect()
}

impl<'a, T: Trainer> Study<'a, T> {
    /// The event log and the listener, locked for one trial at a time.
    pub(super) fn study_record(&self) -> MutexGuard<'_, StudyRecord<'a>> {
        // A panic elsewhere leaves the record whole: every event is appended in one piece.
        self.study_record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a trial; with several jobs it trains on its own thread from now on.
    pub(super) fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        trial: Trial,
        history: &[TrialRecord],
        over: &'scope AtomicBool,
    ) -> Result<Running<'scope>, StudyError> {
        self.begin(&trial, history)?;
        if let Some(record) = self.recorded(&trial) {
            return Ok(Running::Recorded(Arc::new(trial), Box::new(record)));
        }
        let trial = Arc::new(trial);
        if self.phase.spec.tune().jobs == 1 {
            return Ok(Running::Due(trial));
        }
        let trained = Arc::clone(&trial);
        let handle = scope.spawn(move || self.train(&trained, None, over));
        Ok(Running::Training(trial, handle))
    }

    fn begin(&self, trial: &Trial, history: &[TrialRecord]) -> Result<(), StudyError> {
        let Trial { number, spec, .. } = trial;
        let proposal = trial.proposal();
        let mut study_record = self.study_record();
        let started =
            study_record.ledger.records().iter().find_map(|recorded| match &recorded.event {
                Event::TrialStarted { trial: started, spec_hash, .. } if started == number => {
                    Some(spec_hash)
                }
                _ => None,
            });
        let now = spec.hash();
        if let Some(recorded) = started.filter(|recorded| **recorded != now) {
            let recorded = recorded.clone();
            return Err(StudyError::DecidesDifferently { trial: *number, recorded, now });
        }
        let folder = self.folder.trial(*number);
        write_spec(self.folder.files(), folder.path(), &folder.spec_file(), spec)?;
        let edits = proposal.map_or(&[][..], |proposal| &proposal.edits);
        study_record.ledger.append_once(Event::TrialStarted {
            trial: *number,
            parent: proposal.map(|proposal| proposal.parent),
            edits: edits.to_vec(),
            inherit: proposal.map_or(Inherit::Nothing, |proposal| proposal.inherit),
            reason: proposal.map_or_else(
                || "the study as it was written".into(),
                |proposal| proposal.reason.clone(),
            ),
            spec_hash: now,
            parameters: spec.table().parameters() as u64,
            flops_per_image: spec.table().flops() as u64,
            expected_seconds: proposal.and_then(|proposal| expected_seconds(proposal, history)),
            forecast: proposal.and_then(|proposal| proposal.forecast.clone()),
        })?;
        study_record.listener.trial(*number, spec, proposal);
        Ok(())
    }

    /// Waits for a trial to end and records that; `None` if it was stopped.
    pub(super) fn end(
        &self,
        running: Running,
        history: &[TrialRecord],
        over: &AtomicBool,
    ) -> Result<Option<TrialRecord>, StudyError> {
        let (trial, trained) = match running {
            Running::Recorded(_, record) => return Ok(Some(*record)),
            Running::Due(trial) => {
                let trained = self.train(&trial, Some(history), over)?;
                (trial, trained)
            }
            Running::Training(trial, handle) => {
                let trained = handle.join().unwrap_or_else(|panic| resume_unwind(panic))?;
                (trial, trained)
            }
        };
        trained.map(|trained| self.conclude(&trial, trained, history)).transpose()
    }

    /// Trains a trial; `None` if it was stopped. With a `history`, the listener is told after each
    /// epoch what would be proposed next.
    fn train(
        &self,
        trial: &Trial,
        history: Option<&[TrialRecord]>,
        over: &AtomicBool,
    ) -> Result<Option<Trained>, StudyError> {
        let number = trial.number;
        let folder = self.folder.trial(number);
        let parent_folder = trial.proposal().map(|proposal| self.folder.trial(proposal.parent));
        let parent = trial.origin.as_ref().zip(parent_folder.as_ref());
        let parent = parent.map(|(Origin { proposal, parent }, folder)| Parent {
            trial: proposal.parent,
            spec: parent,
            folder: folder.path(),
            edits: &proposal.edits,
            inherit: proposal.inherit,
        });
        let task = TrialTask { trial: number, spec: &trial.spec, parent, folder: folder.path() };
        let plan = |curve: &[EpochRecord]| {
            let running = trial.record(curve.to_vec(), Ending::Completed, 0.0);
            let so_far: Vec<TrialRecord> = history?.iter().cloned().chain([running]).collect();
            let passes = self.judge(so_far.last()?).passes;
            let is_continued = self.phase.growth == Growth::On && !passes;
            is_continued.then(|| self.policy.propose(&so_far, &[])).flatten()
        };
        let deadline = self.deadline(trial);
        let mut recorder = Recorder {
            study_record: &self.study_record,
            stop: &self.stop,
            over,
            trial: number,
            parent: trial.proposal().map(|proposal| proposal.parent),
            deadline: deadline.as_ref(),
            reserve: match deadline {
                Some(_) => self.reserve(trial),
                None => Reserve::default(),
            },
            may_give_up: self.may_give_up(trial).then_some(&trial.spec),
            samples_data: self.samples_data(trial),
            curve: Vec::new(),
            plan: &plan,
        };
        let outcome =
            self.trainer.train(&task, &mut recorder).map_err(|source| failed(number, source))?;
        if outcome.ending == Ending::Stopped {
            return Ok(None);
        }
        let images_per_second = outcome.images_per_second;
        let mut record = trial.record(outcome.curve, outcome.ending, outcome.train_seconds);
        write_curve(self.folder.files(), &folder.curve_file(), &record.curve)?;
        match self.measure_folds(&mut record, deadline.as_ref(), over)? {
            FoldsEnd::Done => {}
            FoldsEnd::Stopped => return Ok(None),
            FoldsEnd::OutOfTime => record.ending = Ending::OutOfTime,
        }
        let is_cut = record.ending == Ending::OutOfTime;
        let out_of_time = deadline.filter(|_| is_cut).map(|deadline| deadline.why);
        Ok(Some(Trained { record, images_per_second, out_of_time }))
    }

    /// The time limit of a trial that starts training now.
    fn deadline(&self, trial: &Trial) -> Option<Deadline> {
        let tune = self.phase.spec.tune();
        let is_start = |event: &Event| matches!(event, Event::TrialStarted { trial: started, .. } if *started == trial.number);
        let trial_spent = seconds_before(self.study_record().ledger.records(), is_start);
        Deadline::of(&trial.spec, tune.seconds, self.phase_seconds(), trial_spent)
    }

    /// What a trial that starts training now leaves to its evaluations.
    fn reserve(&self, trial: &Trial) -> Reserve {
        let flops = trial.spec.table().flops() as f64;
        Reserve::of(self.study_record().ledger.records(), trial.number, flops)
    }

    /// Whether a trial that cannot pass the gate may be given up for another one. A trial that the
    /// user asked for is trained to its end.
    fn may_give_up(&self, trial: &Trial) -> bool {
        let is_asked_for = trial.proposal().is_some_and(|proposal| {
            self.phase.extension.more_epochs > 0 && proposal.reason == REQUESTED_REASON
        });
        self.may_start_after(trial.number) && !is_asked_for
    }

    /// Whether the trial also measures how hard the data is: the first one, if growth may follow it.
    fn samples_data(&self, trial: &Trial) -> bool {
        let tune = self.phase.spec.tune();
        let grows = self.phase.growth == Growth::On && tune.policy == spec::Policy::Grow;
        trial.number == 1 && grows && tune.trials > 1
    }

    /// Publishes a trained trial if it is the best so far, and records its end.
    fn conclude(
        &self,
        trial: &Trial,
        trained: Trained,
        history: &[TrialRecord],
    ) -> Result<TrialRecord, StudyError> {
        let Trained { record, images_per_second, out_of_time } = trained;
        let number = trial.number;
        let with_this: Vec<TrialRecord> = history.iter().cloned().chain([record.clone()]).collect();
        if self.best(&with_this).is_some_and(|best| best.trial == number) {
            let folder = self.folder.trial(number);
            let task =
                TrialTask { trial: number, spec: &trial.spec, parent: None, folder: folder.path() };
            let published = self.trainer.publish(&task, &self.folder.best());
            published.map_err(|source| failed(number, source))?;
        }
        let judgement = self.judge(&record);
        let finding = diagnose(&record, judgement.passes);
        let mut study_record = self.study_record();
        study_record.ledger.append_once(Event::TrialFinished {
            trial: number,
            epochs: record.curve.len() as u32,
            validation_accuracy: record.accuracy(),
            train_seconds: record.train_seconds,
            images_per_second,
            diagnosis: Conclusion {
                out_of_time: out_of_time.clone(),
                ..Conclusion::new(finding.clone(), record.ending)
            },
        })?;
        if let Some(why) = out_of_time {
            study_record.listener.out_of_time(number, &why);
        }
        study_record.listener.trial_ended(&record, &judgement, &finding);
        Ok(record)
    }

    /// A learning rate range test of a trial whose rate may be wrong: from the record, or made now.
    pub(super) fn tested_rates(
        &self,
        record: &TrialRecord,
    ) -> Result<Option<RangeTest>, StudyError> {
        let trial = record.trial;
        let policy = self.phase.spec.tune().policy;
        if policy != spec::Policy::Grow || !diagnose(record, false).diagnosis.suspects_the_rate() {
            return Ok(None);
        }
        let recorded = self.study_record().ledger.records().iter().find_map(|recorded| {
            match &recorded.event {
                Event::RatesTested { trial: tested, rates, losses, .. } if *tested == trial => {
                    Some(RangeTest { rates: rates.clone(), losses: losses.clone() })
                }
                _ => None,
            }
        });
        if recorded.is_some() {
            return Ok(recorded);
        }
        let folder = self.folder.trial(trial);
        let task = TrialTask { trial, spec: &record.spec, parent: None, folder: folder.path() };
        let middle = recommended_rate(&record.spec.train().optimizer);
        let budget = self.setup.spec.tune().seconds;
        let mut keep_going = || {
            self.stop.requested().is_none()
                && budget.is_none_or(|seconds| self.active_seconds() < seconds)
        };
        let tested = self.trainer.test_rates(&task, middle, &mut keep_going);
        let tested = tested.map_err(|source| failed(trial, source))?;
        if let Some(test) = &tested {
            let suggestion = test.suggestion();
            let mut study_record = self.study_record();
            study_record.ledger.append_once(Event::RatesTested {
                trial,
                rates: test.rates.clone(),
                losses: test.losses.clone(),
                suggestion,
            })?;
            study_record.listener.rates_tested(trial, suggestion);
        }
        Ok(tested)
    }

    /// The result of a trial that is finished in the record.
    fn recorded(&self, trial: &Trial) -> Option<TrialRecord> {
        let study_record = self.study_record();
        study_record.ledger.records().iter().find_map(|recorded| match &recorded.event {
            Event::TrialFinished { trial: finished, train_seconds, diagnosis, .. }
                if *finished == trial.number =>
            {
                let records = study_record.ledger.records();
                let curve = recorded_curve(records, trial.number);
                let folds = recorded_folds(records, trial.number);
                let record = trial.record(curve, diagnosis.ending, *train_seconds);
                Some(TrialRecord { folds, ..record })
            }
            _ => None,
        })
    }
}

/// Reason of a trial that continues another one in an extension.
pub(super) const REQUESTED_REASON: &str = "asked to train for longer";

fn failed(trial: u32, source: TrainerError) -> StudyError {
    StudyError::Trainer { trial, source }
}

/// Expected seconds of a proposal, estimated from the time and the FLOPs of its parent.
fn expected_seconds(proposal: &Proposal, history: &[TrialRecord]) -> Option<f64> {
    let parent = history.iter().find(|record| record.trial == proposal.parent)?;
    let done = match proposal.inherit {
        Inherit::State => parent.curve.last().map_or(0, |last| last.epoch),
        Inherit::Nothing | Inherit::Weights | Inherit::Refreshed => 0,
    };
    let epochs = proposal.spec.train().epochs.saturating_sub(done);
    let cost = EditCost::between(&parent.spec, &proposal.spec, parent.images_per_epoch(), epochs);
    let spent = training_flops(&parent.spec, parent.images_seen(), 1);
    cost.expected_seconds(spent, parent.seconds_with_all_folds())
}
