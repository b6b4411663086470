//! The loop itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::Scope;

use super::deadline::seconds_before;
use super::observer::{Desk, Listener};
use super::publish::PublishError;
use super::trainer::{TestResult, Trainer, TrainerError, TrialTask};
use super::trial::{Running, Trial, proposals_of};
use crate::gate::{Judgement, judge};
use crate::ledger::{
    Event, Ledger, LedgerError, Outcome, Recorded, RunFolder, RunFolderError, Verdict,
};
use crate::spec::{Goal, Spec};
use crate::sys::signals::{StopFlag, StopSignal};
use crate::tune::{Policy, Proposal, Shrink, TrialRecord, exhausted, policy_for};

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
    pub(super) setup: StudySetup,
    pub(super) folder: RunFolder,
    pub(super) trainer: T,
    pub(super) policy: Box<dyn Policy>,
    pub(super) desk: Mutex<Desk<'a>>,
    pub(super) stop: StopFlag,
    began: std::time::Instant,
    /// Seconds that the processes before this one spent, once somebody has asked.
    spent_before: OnceLock<f64>,
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
            trainer,
            desk: Mutex::new(Desk { ledger, listener }),
            stop,
            began: std::time::Instant::now(),
            spent_before: OnceLock::new(),
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
        let (study, over) = (&*self, AtomicBool::new(false));
        std::thread::scope(|scope| {
            let ended = study.trials(scope, &over);
            // An error in one trial ends the others, which the scope waits for.
            over.store(true, Ordering::Relaxed);
            ended
        })
    }

    /// Trains trials, `[tune] jobs` at a time, and judges them in the order of their numbers.
    fn trials<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        over: &'scope AtomicBool,
    ) -> Result<Ended, StudyError> {
        let mut history: Vec<TrialRecord> = Vec::new();
        let first = Trial::first(&self.setup.spec);
        let mut running = VecDeque::from([self.start(scope, first, &history, over)?]);
        while let Some(head) = running.pop_front() {
            let Some(record) = self.end(head, &history, over)? else {
                return self.stopped();
            };
            let trial = record.trial;
            history.push(record);
            let judgement = self.judge(&history[history.len() - 1]);
            if !judgement.opens
                && self.may_go_on_after(trial)
                && self.spent(&history, running.len()).is_none()
            {
                let rates = self.tested_rates(&history[history.len() - 1])?;
                history[trial as usize - 1].rates = rates;
                // What was cut short is tested by whoever goes on, before anything is decided.
                if self.stop.requested().is_some() {
                    return self.stopped();
                }
            }
            let proposals = self.proposals(&history, &running);
            let is_last = proposals.is_empty() && running.is_empty();
            self.desk().ledger.append_once(Event::GateDecided {
                trial,
                decision: match (judgement.opens, is_last) {
                    (true, _) => Verdict::Accept,
                    (false, false) => Verdict::Continue,
                    (false, true) => Verdict::Reject,
                },
                threshold: judgement.threshold,
                accuracy: judgement.accuracy,
            })?;
            if is_last || judgement.opens && self.setup.spec.tune().goal == Goal::Pass {
                break;
            }
            if self.stop.requested().is_some() {
                return self.stopped();
            }
            for proposal in proposals {
                let number = (history.len() + running.len() + 1) as u32;
                let trial = Trial::proposed(number, proposal, &history);
                running.push_back(self.start(scope, trial, &history, over)?);
            }
        }
        // Whatever still trains has nothing to add.
        over.store(true, Ordering::Relaxed);
        if self.setup.growth == Growth::On
            && (self.setup.spec.tune().goal != Goal::Pass || self.passing(&history).is_empty())
            && let Some(why) = self.spent(&history, 0)
        {
            self.desk().listener.budget_spent(&why);
        }
        match self.finish(&history)? {
            Some(finished) => Ok(Ended::Finished(finished)),
            None => self.stopped(),
        }
    }

    /// Why no further trial may start beside those that are running. A trial that was begun before
    /// an interruption goes on: it had the time.
    fn spent(&self, history: &[TrialRecord], running: usize) -> Option<String> {
        let next = (history.len() + running + 1) as u32;
        let is_start =
            |event: &Event| matches!(event, Event::TrialStarted { trial, .. } if *trial == next);
        let was_begun =
            || self.desk().ledger.records().iter().any(|recorded| is_start(&recorded.event));
        exhausted(self.setup.spec.tune(), history, running, self.active_seconds())
            .filter(|_| !was_begun())
    }

    /// What may be trained beside the trials that run: so much that `[tune] jobs` do.
    ///
    /// Trials end here in the order of their numbers, so that what is proposed for trial *k* rests
    /// on the trials up to *k* − jobs, and on what the others are about to try, whoever of them
    /// has ended by then.
    fn proposals(&self, history: &[TrialRecord], running: &VecDeque<Running>) -> Vec<Proposal> {
        let mut planned = proposals_of(running);
        let already = planned.len();
        while planned.len() < self.setup.spec.tune().jobs
            && let Some(proposal) = self.propose(history, &planned)
        {
            planned.push(proposal);
        }
        planned.split_off(already)
    }

    /// Whether the time that a hopeless trial would take may go to another one.
    pub(super) fn may_go_on_after(&self, trial: u32) -> bool {
        self.setup.growth == Growth::On && (trial as usize) < self.setup.spec.tune().trials
    }

    pub(super) fn judge(&self, record: &TrialRecord) -> Judgement {
        judge(self.setup.spec.gate(), record.accuracy(), self.setup.validation_images)
    }

    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let tune = self.setup.spec.tune();
        if self.setup.growth == Growth::Off || self.spent(history, running.len()).is_some() {
            return None;
        }
        let passing = self.passing(history);
        match tune.goal {
            _ if passing.is_empty() => self.policy.propose(history, running),
            Goal::Pass => None,
            Goal::Best => self.policy.propose(history, running),
            Goal::Smallest => Shrink { passing }.propose(history, running),
        }
    }

    /// The trials that open the gate.
    fn passing(&self, history: &[TrialRecord]) -> Vec<u32> {
        let passing = history.iter().filter(|record| self.judge(record).opens);
        passing.map(|record| record.trial).collect()
    }

    /// The trial that the study is after: the most accurate one, or the smallest that passes where
    /// that is the goal. Of equals the later one wins.
    pub(super) fn best<'h>(&self, history: &'h [TrialRecord]) -> Option<&'h TrialRecord> {
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

    /// Records what the study came to; `None` when it was stopped before that.
    fn finish(&self, history: &[TrialRecord]) -> Result<Option<Finished>, StudyError> {
        let best = self.best(history);
        let outcome = match self.passing(history).as_slice() {
            [] => Outcome::Rejected,
            _ => Outcome::Accepted,
        };
        let test_accuracy = match (outcome, best) {
            (Outcome::Accepted, Some(best)) => match self.test(best)? {
                None => return Ok(None),
                tested => tested,
            },
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
        self.desk().ledger.append_once(Event::StudyFinished {
            outcome,
            best_trial: finished.best_trial,
            validation_accuracy: finished.validation_accuracy,
            test_accuracy,
            parameters: finished.parameters,
            trials: finished.trials,
            seconds: finished.seconds,
            run: finished.run.clone(),
        })?;
        Ok(Some(finished))
    }

    fn test(&self, best: &TrialRecord) -> Result<Option<f64>, StudyError> {
        let folder = self.folder.trial(best.trial);
        let task =
            TrialTask { trial: best.trial, spec: &best.spec, parent: None, folder: folder.path() };
        let trial = best.trial;
        let mut go_on = || self.stop.requested().is_none();
        let result = self.trainer.test_while(&task, &mut go_on);
        let result = result.map_err(|source| StudyError::Trainer { trial, source })?;
        Ok(result.map(TestResult::accuracy))
    }

    /// Records that what had been cut short after the study's end was made up for.
    pub(super) fn resumed(&self) -> Result<(), StudyError> {
        let mut desk = self.desk();
        let is_end = |recorded: &&Recorded| matches!(recorded.event, Event::TrialFinished { .. });
        let trials = desk.ledger.records().iter().filter(is_end).count() as u32;
        let run = self.folder.path().display().to_string();
        desk.ledger.append(Event::StudyResumed { run, trials })?;
        Ok(())
    }

    pub(super) fn stopped(&self) -> Result<Ended, StudyError> {
        let signal = self.stop.requested().unwrap_or(StopSignal::Interrupt);
        self.desk().ledger.append(Event::StudyStopped { signal: signal.name().into() })?;
        Ok(Ended::Stopped(signal))
    }

    fn recorded_end(&self) -> Option<Finished> {
        let desk = self.desk();
        desk.ledger.records().iter().find_map(|recorded| match &recorded.event {
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
    pub(super) fn active_seconds(&self) -> f64 {
        let before = || seconds_before(self.desk().ledger.records(), |_| true);
        self.spent_before.get_or_init(before) + self.began.elapsed().as_secs_f64()
    }
}
