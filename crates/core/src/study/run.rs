//! The loop: the order in which trials are started, judged and proposed, and the end of a study.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Scope;

use super::deadline::seconds_before;
use super::ended::{Ended, Finished, Stopped};
use super::observer::{Listener, StudyRecord};
use super::phase::{Extension, Phase, trial_to_continue};
use super::recorded::RecordedStudy;
use super::setup::{Growth, StudyError, StudySetup};
use super::trainer::{TestResult, Trainer, TrialTask};
use super::trial::{REQUESTED_REASON, Running, Trial, proposals_of};
use crate::gate::{Judgement, judge, judge_folds};
use crate::ledger::{Event, Ledger, Recorded, RunFolder, Verdict};
use crate::record::{Basis, Inherit, Outcome, StudyResult};
use crate::spec::{Edit, Goal};
use crate::sys::signals::{StopFlag, StopReason, StopSignal};
use crate::tune::{Policy, Proposal, Shrink, TrialRecord, exhausted, policy_for};

/// A study in progress: what the loop reads and records to. [`Launch`](super::Launch) makes one.
pub struct Study<'a, T: Trainer> {
    pub(super) setup: StudySetup,
    pub(super) folder: RunFolder,
    pub(super) trainer: T,
    pub(super) policy: Box<dyn Policy + 'a>,
    pub(super) study_record: Mutex<StudyRecord<'a>>,
    pub(super) stop: StopFlag,
    /// The current phase: the gate and the budget of the trials that are trained now.
    pub(super) phase: Phase,
    /// Trials whose checkpoints were removed before the current phase.
    pub(super) removed_before: BTreeSet<u32>,
    /// Trials whose checkpoints were removed in the current phase.
    removed: Mutex<BTreeSet<u32>>,
    /// Held while networks for folds are trained that running trials inherit from.
    pub(super) elders: Mutex<()>,
    began: std::time::Instant,
    /// Seconds that earlier processes spent on the study; computed when first needed.
    spent_before: OnceLock<f64>,
}

impl<'a, T: Trainer> Study<'a, T> {
    /// A study that records into `folder` through `ledger`. If the record already has trials,
    /// [`run`](Self::run) continues after them.
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
            phase: Phase::first(&setup),
            removed_before: BTreeSet::new(),
            removed: Mutex::default(),
            elders: Mutex::default(),
            setup,
            folder,
            trainer,
            study_record: Mutex::new(StudyRecord { ledger, listener }),
            stop,
            began: std::time::Instant::now(),
            spent_before: OnceLock::new(),
        }
    }

    /// Uses `policy` instead of the one that the study names.
    #[must_use]
    pub fn with_policy(mut self, policy: Box<dyn Policy + 'a>) -> Self {
        self.policy = policy;
        self
    }

    /// Extends a finished study, so that [`run`](Self::run) continues it. If the same extension has
    /// begun already, as it has after a crash, this does nothing.
    ///
    /// # Errors
    ///
    /// If the study is not finished, the extension is empty or impossible, or it cannot be recorded.
    pub fn extend(&mut self, extension: Extension) -> Result<(), StudyError> {
        self.extend_once(extension, None).map(drop)
    }

    /// Like [`extend`](Self::extend), for a command that `burgeon supervise` may start again even
    /// after the extension has finished: an extension with the same `request` is made only once.
    /// Returns whether an extension begins now.
    ///
    /// # Errors
    ///
    /// As [`extend`](Self::extend).
    pub fn extend_once(
        &mut self,
        extension: Extension,
        request: Option<&str>,
    ) -> Result<bool, StudyError> {
        if request.is_some_and(|request| self.has_extended(request)) {
            return Ok(false);
        }
        let recorded = self.read_record()?;
        let phase = recorded.phase();
        let Some(result) = &recorded.result else {
            return match phase.extension == extension && phase.number > 0 {
                true => Ok(false),
                false => Err(StudyError::Extension(
                    "it is not finished yet; resume it first, and extend it once it has finished"
                        .into(),
                )),
            };
        };
        let history = recorded.history(result.trials as usize)?;
        let extended = phase.extended(extension, history.len())?;
        self.check_extension(extension, &extended, &history)?;
        self.study_record().ledger.append(Event::StudyExtended {
            extension: extended.number,
            more_trials: extension.more_trials,
            more_epochs: extension.more_epochs,
            gate: extension.gate,
            trials: extended.spec.tune().trials as u32,
            threshold: extended.spec.gate().accuracy,
            request: request.map(str::to_owned),
        })?;
        Ok(true)
    }

    fn has_extended(&self, request: &str) -> bool {
        let is_same_request = |event: &Event| matches!(event, Event::StudyExtended { request: Some(recorded), .. } if recorded == request);
        self.study_record().ledger.records().iter().any(|recorded| is_same_request(&recorded.event))
    }

    /// Refuses an extension after which there would be nothing to do.
    fn check_extension(
        &mut self,
        extension: Extension,
        extended: &Phase,
        history: &[TrialRecord],
    ) -> Result<(), StudyError> {
        let refuse = |why: &str| Err(StudyError::Extension(why.into()));
        if extension.is_empty() {
            return refuse("use --more-trials, --more-epochs or --gate");
        }
        if extension.more_epochs > 0 && trial_to_continue(history).is_none() {
            return refuse("every trial diverged, so there is none whose training can continue");
        }
        self.phase = extended.clone();
        let passes = history.iter().any(|record| self.judge(record).passes);
        let is_reached = passes && extended.spec.tune().goal == Goal::Pass;
        if is_reached && extension.gate.is_none() && extension.more_epochs == 0 {
            return refuse(
                "a model is already accepted, which is all that the goal `pass` asks for; raise the gate with --gate, or train the best trial for longer with --more-epochs",
            );
        }
        Ok(())
    }

    fn read_record(&self) -> Result<RecordedStudy, StudyError> {
        RecordedStudy::read(&self.setup, self.study_record().ledger.records())
    }

    /// Runs the loop to its end, or until a stop is requested. A finished study returns its result
    /// again.
    ///
    /// # Errors
    ///
    /// If the trainer fails or a file cannot be written. What was recorded stays, and the study can
    /// be resumed.
    pub fn run(&mut self) -> Result<Ended, StudyError> {
        let recorded = self.read_record()?;
        self.phase = recorded.phase().clone();
        self.removed_before.clone_from(&recorded.removed);
        if let Some(result) = &recorded.result {
            let trials = recorded.history(result.trials as usize)?;
            return Ok(self.finished(result.clone(), trials));
        }
        let (study, over) = (&*self, AtomicBool::new(false));
        std::thread::scope(|scope| {
            let ended = study.trials(&recorded, scope, &over);
            // An error in one trial ends the others, which the scope waits for.
            over.store(true, Ordering::Relaxed);
            ended
        })
    }

    /// Starts the first trials of the phase: the study's first one, or those that an extension asks
    /// for. Starts none if the goal is already reached.
    fn begin_phase<'scope>(
        &'scope self,
        recorded: &RecordedStudy,
        history: &mut [TrialRecord],
        scope: &'scope Scope<'scope, '_>,
        over: &'scope AtomicBool,
    ) -> Result<VecDeque<Running<'scope>>, StudyError> {
        let mut running = VecDeque::new();
        let Some(last) = history.last() else {
            let first = Trial::first(&self.setup.spec);
            running.push_back(self.start(scope, first, history, over)?);
            if !self.policy.needs_first_result() {
                self.start_beside_first(history, &mut running, scope, over)?;
            }
            return Ok(running);
        };
        let longer = self.phase.extension.more_epochs as usize;
        self.judge_again(history)?;
        if self.is_goal_reached(history) && longer == 0 {
            return Ok(running);
        }
        if !self.judge(last).passes && self.may_start_after(last.trial) && last.rates.is_none() {
            let rates = self.tested_rates(last)?;
            history[history.len() - 1].rates = rates;
        }
        for proposal in recorded.unfinished(history)? {
            let number = (history.len() + running.len() + 1) as u32;
            let trial = Trial::unfinished(number, proposal, history)?;
            running.push_back(self.start(scope, trial, history, over)?);
        }
        if let Some(parent) = trial_to_continue(history).filter(|_| longer > 0) {
            let edits = vec![Edit::AddEpochs { epochs: longer }];
            let proposal = Proposal::new(parent, edits, REQUESTED_REASON, Inherit::State);
            let trial = parent.trial;
            let proposal = proposal.map_err(|source| StudyError::Edit { trial, source })?;
            self.start_next(proposal, history, &mut running, scope, over)?;
        }
        for proposal in self.proposals(history, &running) {
            self.start_next(proposal, history, &mut running, scope, over)?;
        }
        Ok(running)
    }

    fn start_next<'scope>(
        &'scope self,
        proposal: Proposal,
        history: &[TrialRecord],
        running: &mut VecDeque<Running<'scope>>,
        scope: &'scope Scope<'scope, '_>,
        over: &'scope AtomicBool,
    ) -> Result<(), StudyError> {
        let number = (history.len() + running.len() + 1) as u32;
        let trial = Trial::proposed(number, proposal, history)?;
        running.push_back(self.start(scope, trial, history, over)?);
        Ok(())
    }

    /// Judges the trials before an extension by its gate, and records the decisions that changed.
    fn judge_again(&self, history: &[TrialRecord]) -> Result<(), StudyError> {
        for record in history {
            let judgement = self.judge(record);
            let mut study_record = self.study_record();
            let records = study_record.ledger.records().iter().rev();
            let before = records.into_iter().find_map(|recorded| match recorded.event {
                Event::GateDecided { trial, decision, .. } if trial == record.trial => {
                    Some(decision == Verdict::Accept)
                }
                _ => None,
            });
            if before != Some(judgement.passes) {
                let decision = if judgement.passes { Verdict::Accept } else { Verdict::Continue };
                study_record.ledger.append_once(gate_decided(
                    record.trial,
                    decision,
                    &judgement,
                ))?;
            }
        }
        Ok(())
    }

    /// Whether the goal is `pass` and a trial passes.
    fn is_goal_reached(&self, history: &[TrialRecord]) -> bool {
        self.phase.spec.tune().goal == Goal::Pass && !self.passing(history).is_empty()
    }

    /// Trains trials, `[tune] jobs` at a time, and judges them in the order of their numbers.
    fn trials<'scope>(
        &'scope self,
        recorded: &RecordedStudy,
        scope: &'scope Scope<'scope, '_>,
        over: &'scope AtomicBool,
    ) -> Result<Ended, StudyError> {
        let mut history = recorded.history(self.phase.trials_before)?;
        let mut running = self.begin_phase(recorded, &mut history, scope, over)?;
        while let Some(head) = running.pop_front() {
            let Some(mut record) = self.end(head, &history, over)? else {
                return self.stopped();
            };
            let trial = record.trial;
            record.spec = self.phase.adopt(&record.spec)?;
            let judgement = self.judge(&record);
            if !judgement.passes
                && self.may_start_after(trial)
                && self.exhausted_budget(&history, running.len() + 1).is_none()
            {
                record.rates = self.tested_rates(&record)?;
                // A range test that a stop interrupted is repeated by the process that resumes, before
                // it decides anything.
                if self.stop.requested().is_some() {
                    return self.stopped();
                }
            }
            history.push(record);
            let proposals = self.proposals(&history, &running);
            let is_last = proposals.is_empty() && running.is_empty();
            let decision = match (judgement.passes, is_last) {
                (true, _) => Verdict::Accept,
                (false, false) => Verdict::Continue,
                (false, true) => Verdict::Reject,
            };
            self.study_record().ledger.append_once(gate_decided(trial, decision, &judgement))?;
            if is_last || judgement.passes && self.phase.spec.tune().goal == Goal::Pass {
                break;
            }
            if self.stop.requested().is_some() {
                return self.stopped();
            }
            for proposal in proposals {
                self.start_next(proposal, &history, &mut running, scope, over)?;
            }
            self.remove_unneeded(&history, &proposals_of(&running))?;
        }
        // Trials that are still in training cannot change the result.
        over.store(true, Ordering::Relaxed);
        self.remove_unneeded(&history, &proposals_of(&running))?;
        if self.phase.growth == Growth::On
            && (self.phase.spec.tune().goal != Goal::Pass || self.passing(&history).is_empty())
            && let Some(why) = self.exhausted_budget(&history, 0)
        {
            self.study_record().listener.budget_spent(&why);
        }
        match self.finish(recorded, &history)? {
            Some(result) => Ok(self.finished(result, history)),
            None => self.stopped(),
        }
    }

    fn finished(&self, result: StudyResult, trials: Vec<TrialRecord>) -> Ended {
        let run = self.folder.path().to_path_buf();
        Ended::Finished(Finished { result, trials, run, data: None })
    }

    /// The limit that forbids another trial, as a clause. A trial that an interrupted process had
    /// already started is allowed: the limit was not reached then.
    fn exhausted_budget(&self, history: &[TrialRecord], running: usize) -> Option<String> {
        let next = (history.len() + running + 1) as u32;
        let is_start =
            |event: &Event| matches!(event, Event::TrialStarted { trial, .. } if *trial == next);
        let was_started = || {
            self.study_record().ledger.records().iter().any(|recorded| is_start(&recorded.event))
        };
        // An extension has `[tune] seconds` of its own.
        let before = self.phase.trials_before.min(history.len());
        let mut tune = self.phase.spec.tune().clone();
        tune.trials = tune.trials.saturating_sub(before);
        exhausted(&tune, &history[before..], running, self.phase_seconds())
            .filter(|_| !was_started())
    }

    /// Proposals for new trials, until `[tune] jobs` are in training.
    ///
    /// Trials are judged in the order of their numbers. So the proposal for trial *k* depends on the
    /// results of the trials up to *k* − jobs and on the edits of those after them, but not on which
    /// of these have already finished. Growth needs the first trial's result; searches start beside it.
    fn proposals(&self, history: &[TrialRecord], running: &VecDeque<Running>) -> Vec<Proposal> {
        let mut planned = proposals_of(running);
        let already = planned.len();
        while planned.len() < self.phase.spec.tune().jobs
            && let Some(proposal) = self.propose(history, &planned)
        {
            planned.push(self.without_removed_parent(proposal));
        }
        planned.split_off(already)
    }

    /// Whether another trial may follow this one.
    pub(super) fn may_start_after(&self, trial: u32) -> bool {
        self.phase.growth == Growth::On && (trial as usize) < self.phase.spec.tune().trials
    }

    pub(super) fn judge(&self, record: &TrialRecord) -> Judgement {
        let gate = self.phase.spec.gate();
        if let Some(folds) = record.cross_validation() {
            return judge_folds(gate, &folds);
        }
        let judgement = judge(gate, record.best(), self.setup.validation_images);
        match gate.folds {
            None => judgement,
            Some(_) if record.is_without_folds() => judgement.on(Basis::NoFolds),
            Some(folds) => judgement.on(Basis::Folds { measured: 0, folds: folds as u32 }),
        }
    }

    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let tune = self.phase.spec.tune();
        if self.phase.growth == Growth::Off
            || self.exhausted_budget(history, running.len()).is_some()
        {
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

    /// Starts trials beside the study's first one until all jobs are taken, for a policy that does not wait for its result.
    fn start_beside_first<'scope>(
        &'scope self,
        history: &[TrialRecord],
        running: &mut VecDeque<Running<'scope>>,
        scope: &'scope Scope<'scope, '_>,
        over: &'scope AtomicBool,
    ) -> Result<(), StudyError> {
        let tune = self.phase.spec.tune();
        let first = [TrialRecord::unjudged(self.setup.spec.clone(), self.setup.training_images)];
        while running.len() < tune.jobs
            && let Some(proposal) = self.propose(&first, &proposals_of(running))
        {
            let number = running.len() as u32 + 1;
            let trial = Trial::beside_first(number, proposal, &first)?;
            running.push_back(self.start(scope, trial, history, over)?);
        }
        Ok(())
    }

    pub(super) fn removed(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trials that pass the gate.
    pub(super) fn passing(&self, history: &[TrialRecord]) -> Vec<u32> {
        let passing = history.iter().filter(|record| self.judge(record).passes);
        passing.map(|record| record.trial).collect()
    }

    /// The best trial: the one with the highest score, or, for the goal `smallest`, the smallest that
    /// passes the gate. Of equal trials, the later one wins.
    pub(super) fn best<'h>(&self, history: &'h [TrialRecord]) -> Option<&'h TrialRecord> {
        let goal = self.phase.spec.tune().goal;
        let passes = |record: &TrialRecord| self.judge(record).passes;
        let beats = |record: &TrialRecord, best: &TrialRecord| match goal {
            Goal::Smallest if passes(record) && passes(best) => {
                record.spec.table().parameters() <= best.spec.table().parameters()
            }
            Goal::Smallest if passes(record) != passes(best) => passes(record),
            _ => record.score() >= best.score(),
        };
        let finished = history.iter().filter(|record| record.best().is_some());
        finished.reduce(|best, record| if beats(record, best) { record } else { best })
    }

    /// Reads the test split if a model is accepted, and records the result; `None` if a stop was
    /// requested before that.
    fn finish(
        &self,
        recorded: &RecordedStudy,
        history: &[TrialRecord],
    ) -> Result<Option<StudyResult>, StudyError> {
        let best = self.best(history);
        let outcome = match self.passing(history).as_slice() {
            [] => Outcome::Rejected,
            _ => Outcome::Accepted,
        };
        let before = recorded.last_result.as_ref();
        let mut test_readings = before.map_or(0, StudyResult::test_readings);
        let test_accuracy = match (outcome, best) {
            (Outcome::Accepted, Some(best)) => {
                let known = before.filter(|result| result.best_trial == Some(best.trial));
                match known.and_then(|result| result.test_accuracy) {
                    Some(accuracy) => Some(accuracy),
                    None => {
                        let Some(accuracy) = self.test(best)? else {
                            return Ok(None);
                        };
                        test_readings += 1;
                        Some(accuracy)
                    }
                }
            }
            _ => None,
        };
        let result = StudyResult {
            outcome,
            best_trial: best.map(|best| best.trial),
            validation_accuracy: best.map_or(0.0, TrialRecord::accuracy),
            test_accuracy,
            test_readings: Some(test_readings),
            parameters: best.map_or(0, |best| best.spec.table().parameters() as u64),
            trials: history.len() as u32,
            seconds: self.active_seconds(),
            run: self.folder.path().display().to_string(),
        };
        if outcome == Outcome::Accepted {
            self.folder.write_accuracy(result.validation_accuracy)?;
        }
        self.study_record().ledger.append(Event::StudyFinished(result.clone()))?;
        Ok(Some(result))
    }

    fn test(&self, best: &TrialRecord) -> Result<Option<f64>, StudyError> {
        let folder = self.folder.trial(best.trial);
        let task =
            TrialTask { trial: best.trial, spec: &best.spec, parent: None, folder: folder.path() };
        let trial = best.trial;
        let mut keep_going = || self.stop.requested().is_none();
        let result = self.trainer.test_while(&task, &mut keep_going);
        let result = result.map_err(|source| StudyError::Trainer { trial, source })?;
        Ok(result.map(TestResult::accuracy))
    }

    /// Records that the notification, which a stop had interrupted, was sent by a resumed process.
    pub(super) fn resumed(&self) -> Result<(), StudyError> {
        let mut study_record = self.study_record();
        let is_end = |recorded: &&Recorded| matches!(recorded.event, Event::TrialFinished { .. });
        let trials = study_record.ledger.records().iter().filter(is_end).count() as u32;
        let run = self.folder.path().display().to_string();
        study_record.ledger.append(Event::StudyResumed { run, trials, instruction_set: None })?;
        Ok(())
    }

    /// Records that this process loaded the images.
    pub(super) fn loaded(&self, images: u64, seconds: f64) -> Result<(), StudyError> {
        Ok(self.study_record().ledger.append(Event::ImagesLoaded { images, seconds })?)
    }

    pub(super) fn stopped(&self) -> Result<Ended, StudyError> {
        let interrupt = StopReason::Signal(StopSignal::Interrupt);
        let reason = self.stop.requested().unwrap_or(interrupt);
        self.study_record().ledger.append(Event::StudyStopped { signal: reason.name().into() })?;
        Ok(Ended::Stopped(Stopped { run: Some(self.folder.path().to_path_buf()), reason }))
    }

    /// [`active_seconds`](Self::active_seconds) of the current phase alone.
    pub(super) fn phase_seconds(&self) -> f64 {
        let number = self.phase.number;
        if number == 0 {
            return self.active_seconds();
        }
        let is_extension = |event: &Event| matches!(event, Event::StudyExtended { extension, .. } if *extension == number);
        seconds_before(self.study_record().ledger.records(), is_extension)
            + self.began.elapsed().as_secs_f64()
    }

    /// Seconds that this process spent on the study and, by the times in the record, those before it.
    pub(super) fn active_seconds(&self) -> f64 {
        let before = || seconds_before(self.study_record().ledger.records(), |_| true);
        self.spent_before.get_or_init(before) + self.began.elapsed().as_secs_f64()
    }
}

fn gate_decided(trial: u32, decision: Verdict, judgement: &Judgement) -> Event {
    Event::GateDecided {
        trial,
        decision,
        threshold: judgement.threshold,
        accuracy: judgement.accuracy,
        judged: judgement.bound(),
        floors: judgement.other_floors().copied().collect(),
        basis: judgement.basis,
    }
}
