//! The loop itself.

use serde::{Deserialize, Serialize};

use super::observer::{Listener, Recorder, recorded_curve};
use super::publish::{PublishError, write_curve, write_spec};
use super::trainer::{Parent, Trainer, TrainerError, TrainingEnd, TrialTask};
use crate::gate::{Judgement, judge};
use crate::ledger::{Event, Ledger, LedgerError, Outcome, RunFolder, RunFolderError, Verdict};
use crate::spec::{self, EditCost, Goal, Spec, training_flops};
use crate::sys::signals::{StopFlag, StopSignal};
use crate::train::{EpochRecord, RangeTest};
use crate::tune::{
    Finding, Inherit, Policy, Proposal, Shrink, TrialEnding, TrialRecord, diagnose, exhausted,
    policy_for, usual_rate,
};

/// What a study runs on.
#[derive(Debug, Clone)]
pub struct StudySetup {
    /// The first trial's spec; its `[gate]` and `[tune]` go for all trials.
    pub spec: Spec,
    /// Validation images, which decide how much luck an accuracy may owe.
    pub validation_images: usize,
    /// Whether failed trials are followed by edited ones.
    pub growth: Growth,
}

/// Whether failed trials are followed by edited ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Until the gate opens or the budget ends.
    On,
    /// One trial and the gate.
    Off,
}

/// How a call of [`Study::run`] ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The study is over.
    Finished(Finished),
    /// It was asked to stop; it can be resumed.
    Stopped(StopSignal),
}

/// What a finished study came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Whether the gate opened.
    pub outcome: Outcome,
    /// The best trial; `None` when none finished an epoch.
    pub best_trial: Option<u32>,
    /// The best trial's accuracy on validation images, 0..=1.
    pub validation_accuracy: f64,
    /// The accepted model's accuracy on test images, 0..=1.
    pub test_accuracy: Option<f64>,
    /// The best trial's parameters.
    pub parameters: u64,
    /// Trials trained.
    pub trials: u32,
    /// Seconds from beginning to end, without the time that it was stopped.
    pub seconds: f64,
    /// The run folder.
    pub run: String,
}

/// What ends a study before its time.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The record cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The run folder cannot be written.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// A file of the run cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The trainer failed.
    #[error("trial {trial} failed: {source}")]
    Trainer {
        /// Which trial.
        trial: u32,
        /// Why.
        source: TrainerError,
    },
    /// The record tells of a trial that would not be tried now.
    #[error(
        "the record's trial {trial} is not the one that this version of burgeon would try (spec {recorded} there, {now} here): start a new run, or go on with the version that began this one"
    )]
    DecidesDifferently {
        /// Which trial.
        trial: u32,
        /// The spec's hash in the record.
        recorded: String,
        /// The spec's hash now.
        now: String,
    },
}

/// One run of the loop.
pub struct Study<'a, T: Trainer> {
    setup: StudySetup,
    folder: RunFolder,
    ledger: Ledger,
    trainer: T,
    policy: Box<dyn Policy>,
    listener: &'a mut dyn Listener,
    stop: StopFlag,
    began: std::time::Instant,
}

impl<'a, T: Trainer> Study<'a, T> {
    /// A study that records into `folder` through `ledger`. Where the record already tells of
    /// trials, [`run`](Self::run) goes on from there.
    pub fn new(
        setup: StudySetup,
        folder: RunFolder,
        ledger: Ledger,
        trainer: T,
        listener: &'a mut dyn Listener,
        stop: StopFlag,
    ) -> Self {
        Self {
            policy: policy_for(setup.spec.tune().policy),
            setup,
            folder,
            ledger,
            trainer,
            listener,
            stop,
            began: std::time::Instant::now(),
        }
    }

    /// Proposes through `policy` instead of the study file's.
    #[must_use]
    pub fn with_policy(mut self, policy: Box<dyn Policy>) -> Self {
        self.policy = policy;
        self
    }

    /// Runs the loop to its end, or until the stop flag is raised.
    ///
    /// # Errors
    ///
    /// When the trainer fails or something cannot be written. What was recorded stays, and the
    /// study can be resumed.
    pub fn run(&mut self) -> Result<Ended, StudyError> {
        if let Some(finished) = self.recorded_end() {
            return Ok(Ended::Finished(finished));
        }
        let mut history: Vec<TrialRecord> = Vec::new();
        let mut proposal: Option<Proposal> = None;
        loop {
            let trial = history.len() as u32 + 1;
            let spec =
                proposal.as_ref().map_or(&self.setup.spec, |proposal| &proposal.spec).clone();
            self.begin(trial, &spec, proposal.as_ref(), &history)?;
            let record = match self.recorded(trial, &spec, proposal.as_ref()) {
                Some(record) => record,
                None => match self.train(trial, &spec, proposal.as_ref(), &history)? {
                    Some(record) => record,
                    None => return self.stopped(),
                },
            };
            history.push(record);
            let judgement = self.judge(&history[history.len() - 1]);
            if !judgement.opens && self.may_go_on_after(trial) {
                let rates = self.tested_rates(&history[history.len() - 1])?;
                history[trial as usize - 1].rates = rates;
            }
            proposal = self.propose(&history);
            let verdict = match (&proposal, judgement.opens) {
                (_, true) => Verdict::Accept,
                (Some(_), false) => Verdict::Continue,
                (None, false) => Verdict::Reject,
            };
            self.ledger.append_once(Event::GateDecided {
                trial,
                decision: verdict,
                threshold: judgement.threshold,
                accuracy: judgement.accuracy,
            })?;
            if proposal.is_none() {
                return self.finish(&history).map(Ended::Finished);
            }
            if self.stop.requested().is_some() {
                return self.stopped();
            }
        }
    }

    fn begin(
        &mut self,
        trial: u32,
        spec: &Spec,
        proposal: Option<&Proposal>,
        history: &[TrialRecord],
    ) -> Result<(), StudyError> {
        let started = self.ledger.records().iter().find_map(|recorded| match &recorded.event {
            Event::TrialStarted { trial: started, spec_hash, .. } if *started == trial => {
                Some(spec_hash)
            }
            _ => None,
        });
        let now = spec.hash();
        if let Some(recorded) = started.filter(|recorded| **recorded != now) {
            let recorded = recorded.clone();
            return Err(StudyError::DecidesDifferently { trial, recorded, now });
        }
        let folder = self.folder.trial(trial);
        write_spec(self.folder.files(), folder.path(), &folder.spec_file(), spec)?;
        let edits = proposal.map_or(&[][..], |proposal| &proposal.edits);
        self.ledger.append_once(Event::TrialStarted {
            trial,
            parent: proposal.map(|proposal| proposal.parent),
            edits: serde_json::to_value(edits).unwrap_or_default(),
            inherit: inherit_name(proposal).into(),
            reason: proposal.map_or_else(
                || "the study as it was written".into(),
                |proposal| proposal.reason.clone(),
            ),
            spec_hash: now,
            parameters: spec.table().parameters() as u64,
            flops_per_image: spec.table().flops() as u64,
            expected_seconds: proposal.and_then(|proposal| expected_seconds(proposal, history)),
        })?;
        self.listener.trial(trial, spec, proposal);
        Ok(())
    }

    /// Trains a trial; `None` when it was stopped.
    fn train(
        &mut self,
        trial: u32,
        spec: &Spec,
        proposal: Option<&Proposal>,
        history: &[TrialRecord],
    ) -> Result<Option<TrialRecord>, StudyError> {
        let folder = self.folder.trial(trial);
        let parent_folder = proposal.map(|proposal| self.folder.trial(proposal.parent));
        let parent = proposal.zip(parent_folder.as_ref()).and_then(|(proposal, folder)| {
            let parent = history.iter().find(|record| record.trial == proposal.parent)?;
            Some(Parent {
                trial: parent.trial,
                spec: &parent.spec,
                folder: folder.path(),
                edits: &proposal.edits,
                inherit: proposal.inherit,
            })
        });
        let task = TrialTask { trial, spec, parent, folder: folder.path() };
        let (policy, setup) = (&self.policy, &self.setup);
        let plan = |curve: &[EpochRecord]| {
            let running = TrialRecord {
                trial,
                parent: proposal.map(|proposal| proposal.parent),
                edits: Vec::new(),
                spec: spec.clone(),
                curve: curve.to_vec(),
                ending: TrialEnding::Completed,
                train_seconds: 0.0,
                rates: None,
            };
            let opens = judge(setup.spec.gate(), running.accuracy(), setup.validation_images).opens;
            let so_far: Vec<TrialRecord> = history.iter().cloned().chain([running]).collect();
            (setup.growth == Growth::On && !opens).then(|| policy.propose(&so_far)).flatten()
        };
        let may_give_up = self.may_go_on_after(trial).then_some(spec);
        let mut recorder = Recorder {
            ledger: &mut self.ledger,
            listener: self.listener,
            stop: &self.stop,
            trial,
            parent: proposal.map(|proposal| proposal.parent),
            may_give_up,
            curve: Vec::new(),
            plan: &plan,
        };
        let failed = |source| StudyError::Trainer { trial, source };
        let outcome = self.trainer.train(&task, &mut recorder).map_err(failed)?;
        let ending = match outcome.ending {
            TrainingEnd::Stopped => return Ok(None),
            TrainingEnd::Completed => TrialEnding::Completed,
            TrainingEnd::StoppedEarly => TrialEnding::StoppedEarly,
            TrainingEnd::Diverged(_) => TrialEnding::Diverged,
            TrainingEnd::GivenUp(_) => TrialEnding::GivenUp,
        };
        let record = TrialRecord {
            trial,
            parent: proposal.map(|proposal| proposal.parent),
            edits: proposal.map(|proposal| proposal.edits.clone()).unwrap_or_default(),
            spec: spec.clone(),
            curve: outcome.curve,
            ending,
            train_seconds: outcome.train_seconds,
            rates: None,
        };
        write_curve(self.folder.files(), &folder.curve_file(), &record.curve)?;
        let mut with_this = history.to_vec();
        with_this.push(record.clone());
        if self.best(&with_this).is_some_and(|best| best.trial == trial) {
            self.trainer.publish(&task, &self.folder.best()).map_err(failed)?;
        }
        let judgement = self.judge(&record);
        let finding = diagnose(&record, judgement.opens);
        self.ledger.append_once(Event::TrialFinished {
            trial,
            epochs: record.curve.len() as u32,
            validation_accuracy: record.accuracy(),
            train_seconds: record.train_seconds,
            images_per_second: outcome.images_per_second,
            diagnosis: RecordedDiagnosis { finding: finding.clone(), ending }.to_value(),
        })?;
        self.listener.trial_ended(&record, &judgement, &finding);
        Ok(Some(record))
    }

    /// At which rates a trial's network learns, where that may be what is wrong: out of the record,
    /// or by a test.
    fn tested_rates(&mut self, record: &TrialRecord) -> Result<Option<RangeTest>, StudyError> {
        let trial = record.trial;
        let policy = self.setup.spec.tune().policy;
        if policy != spec::Policy::Grow || !diagnose(record, false).diagnosis.suspects_the_rate() {
            return Ok(None);
        }
        let recorded = self.ledger.records().iter().find_map(|recorded| match &recorded.event {
            Event::RatesTested { trial: tested, rates, losses, .. } if *tested == trial => {
                Some(RangeTest { rates: rates.clone(), losses: losses.clone() })
            }
            _ => None,
        });
        if recorded.is_some() {
            return Ok(recorded);
        }
        let folder = self.folder.trial(trial);
        let task = TrialTask { trial, spec: &record.spec, parent: None, folder: folder.path() };
        let middle = usual_rate(&record.spec.train().optimizer);
        let tested = self.trainer.test_rates(&task, middle);
        let tested = tested.map_err(|source| StudyError::Trainer { trial, source })?;
        if let Some(test) = &tested {
            let suggestion = test.suggestion();
            self.ledger.append_once(Event::RatesTested {
                trial,
                rates: test.rates.clone(),
                losses: test.losses.clone(),
                suggestion,
            })?;
            self.listener.rates_tested(trial, suggestion);
        }
        Ok(tested)
    }

    /// What a trial came to, where the record tells.
    fn recorded(
        &self,
        trial: u32,
        spec: &Spec,
        proposal: Option<&Proposal>,
    ) -> Option<TrialRecord> {
        self.ledger.records().iter().find_map(|recorded| match &recorded.event {
            Event::TrialFinished { trial: finished, train_seconds, diagnosis, .. }
                if *finished == trial =>
            {
                let recorded: RecordedDiagnosis = serde_json::from_value(diagnosis.clone()).ok()?;
                Some(TrialRecord {
                    trial,
                    parent: proposal.map(|proposal| proposal.parent),
                    edits: proposal.map(|proposal| proposal.edits.clone()).unwrap_or_default(),
                    spec: spec.clone(),
                    curve: recorded_curve(&self.ledger, trial),
                    ending: recorded.ending,
                    train_seconds: *train_seconds,
                    rates: None,
                })
            }
            _ => None,
        })
    }

    /// Whether the time that a hopeless trial would take may go to another one.
    fn may_go_on_after(&self, trial: u32) -> bool {
        self.setup.growth == Growth::On && (trial as usize) < self.setup.spec.tune().trials
    }

    fn judge(&self, record: &TrialRecord) -> Judgement {
        judge(self.setup.spec.gate(), record.accuracy(), self.setup.validation_images)
    }

    fn propose(&self, history: &[TrialRecord]) -> Option<Proposal> {
        let tune = self.setup.spec.tune();
        if self.setup.growth == Growth::Off || exhausted(tune, history).is_some() {
            return None;
        }
        let passing = self.passing(history);
        match tune.goal {
            _ if passing.is_empty() => self.policy.propose(history),
            Goal::Pass => None,
            Goal::Best => self.policy.propose(history),
            Goal::Smallest => Shrink { passing }.propose(history),
        }
    }

    /// The trials that open the gate.
    fn passing(&self, history: &[TrialRecord]) -> Vec<u32> {
        let passing = history.iter().filter(|record| self.judge(record).opens);
        passing.map(|record| record.trial).collect()
    }

    /// The trial that the study is after: the most accurate one, or the smallest that passes where
    /// that is the goal. Of equals the later one wins.
    fn best<'h>(&self, history: &'h [TrialRecord]) -> Option<&'h TrialRecord> {
        let goal = self.setup.spec.tune().goal;
        let passes = |record: &TrialRecord| self.judge(record).opens;
        let beats = |record: &TrialRecord, best: &TrialRecord| match goal {
            Goal::Smallest if passes(record) && passes(best) => {
                record.spec.table().parameters() <= best.spec.table().parameters()
            }
            Goal::Smallest if passes(record) != passes(best) => passes(record),
            _ => record.accuracy() >= best.accuracy(),
        };
        let finished = history.iter().filter(|record| record.best().is_some());
        finished.reduce(|best, record| if beats(record, best) { record } else { best })
    }

    fn finish(&mut self, history: &[TrialRecord]) -> Result<Finished, StudyError> {
        let best = self.best(history);
        let outcome = match self.passing(history).as_slice() {
            [] => Outcome::Rejected,
            _ => Outcome::Accepted,
        };
        let test_accuracy = match (outcome, best) {
            (Outcome::Accepted, Some(best)) => Some(self.test(best)?),
            _ => None,
        };
        let finished = Finished {
            outcome,
            best_trial: best.map(|best| best.trial),
            validation_accuracy: best.map_or(0.0, TrialRecord::accuracy),
            test_accuracy,
            parameters: best.map_or(0, |best| best.spec.table().parameters() as u64),
            trials: history.len() as u32,
            seconds: self.active_seconds(),
            run: self.folder.path().display().to_string(),
        };
        if outcome == Outcome::Accepted {
            self.folder.write_accuracy(finished.validation_accuracy)?;
        }
        self.ledger.append_once(Event::StudyFinished {
            outcome,
            best_trial: finished.best_trial,
            validation_accuracy: finished.validation_accuracy,
            test_accuracy,
            parameters: finished.parameters,
            trials: finished.trials,
            seconds: finished.seconds,
            run: finished.run.clone(),
        })?;
        Ok(finished)
    }

    fn test(&mut self, best: &TrialRecord) -> Result<f64, StudyError> {
        let folder = self.folder.trial(best.trial);
        let task =
            TrialTask { trial: best.trial, spec: &best.spec, parent: None, folder: folder.path() };
        let trial = best.trial;
        let result =
            self.trainer.test(&task).map_err(|source| StudyError::Trainer { trial, source })?;
        Ok(result.accuracy())
    }

    fn stopped(&mut self) -> Result<Ended, StudyError> {
        let signal = self.stop.requested().unwrap_or(StopSignal::Interrupt);
        self.ledger.append(Event::StudyStopped { signal: signal.name().into() })?;
        Ok(Ended::Stopped(signal))
    }

    fn recorded_end(&self) -> Option<Finished> {
        self.ledger.records().iter().find_map(|recorded| match &recorded.event {
            Event::StudyFinished {
                outcome,
                best_trial,
                validation_accuracy,
                test_accuracy,
                parameters,
                trials,
                seconds,
                run,
            } => Some(Finished {
                outcome: *outcome,
                best_trial: *best_trial,
                validation_accuracy: *validation_accuracy,
                test_accuracy: *test_accuracy,
                parameters: *parameters,
                trials: *trials,
                seconds: *seconds,
                run: run.clone(),
            }),
            _ => None,
        })
    }

    /// Seconds spent by this process and, as far as the record's times tell, by those before it.
    fn active_seconds(&self) -> f64 {
        let records = self.ledger.records();
        let this_process = records.iter().rposition(|recorded| {
            matches!(recorded.event, Event::StudyResumed { .. } | Event::StudyStarted { .. })
        });
        let before = records[..this_process.unwrap_or(0)].windows(2);
        let before: f64 = before
            .filter(|pair| !matches!(pair[1].event, Event::StudyResumed { .. }))
            .map(|pair| (pair[1].at.duration_since(pair[0].at)).as_secs_f64())
            .sum();
        before + self.began.elapsed().as_secs_f64()
    }
}

/// How long a proposal may take, by how long the computations of its parent took.
fn expected_seconds(proposal: &Proposal, history: &[TrialRecord]) -> Option<f64> {
    let parent = history.iter().find(|record| record.trial == proposal.parent)?;
    let done = match proposal.inherit {
        Inherit::State => parent.curve.last().map_or(0, |last| last.epoch),
        Inherit::Nothing | Inherit::Weights => 0,
    };
    let epochs = proposal.spec.train().epochs.saturating_sub(done);
    let cost = EditCost::between(&parent.spec, &proposal.spec, parent.images_per_epoch(), epochs);
    let spent = training_flops(&parent.spec, parent.images_seen(), 1);
    cost.expected_seconds(spent, parent.train_seconds)
}

/// The `diagnosis` of a `trial_finished` event.
#[derive(Serialize, Deserialize)]
struct RecordedDiagnosis {
    #[serde(flatten)]
    finding: Finding,
    ending: TrialEnding,
}

impl RecordedDiagnosis {
    fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn inherit_name(proposal: Option<&Proposal>) -> &'static str {
    match proposal.map_or(Inherit::Nothing, |proposal| proposal.inherit) {
        Inherit::Nothing => "nothing",
        Inherit::Weights => "weights",
        Inherit::State => "state",
    }
}
