//! `burgeon retrain`: retrains the model in production, judges it on old and new images, and promotes it.
//!
//! ```text
//! check ── an unfinished retraining is resumed
//!   ├── roll_back  production was retrained, and is worse on the feedback since → rolled back
//!   ├── decide     alarm, labels, data, schedule → begin, or the reason to wait
//!   ├── select     the labels → a plan on disk
//!   └── execute    train → judge on feedback → add → promote by the registry's rule → record
//! ```
//!
//! Invariant: whatever is killed, a retraining ends in exactly one decision in the registry's records.

mod announce;
mod images;
mod plan;
mod roll_back;
mod study;
mod train;

use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use self::images::Feedback;
use self::plan::{Plan, promotion_of};
use super::args::{Common, RetrainArguments};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::registry::{decision_text, writer};
use super::watchdog::Watchdog;
use crate::registry::{Action, Alias, PRODUCTION, Record, Registry, RegistryError};
use crate::retrain::{
    Cause, Decision, Facts, RetrainSettings, Retraining, Shortage, decide, select,
};
use crate::serve::predict::is_alarm;
use crate::study::LaunchError;
use crate::sys::announce::{PARENT_VARIABLE, stop_with};
use crate::sys::error_chain;
use crate::sys::files::real_files;
use crate::sys::lock::{LockError, LockRequest, RunLock};
use crate::sys::signals::{StopFlag, StopReason};

/// Its presence asks the process that watches the registry for a retraining.
const ASKED_FILE: &str = "asked";

/// Checks whether a retraining is due, and runs it: once, or at intervals.
pub(super) fn retrain(
    arguments: &RetrainArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let files = real_files().map_err(LaunchError::from)?;
    // Absolute, so that its runs are found from any folder.
    let folder = std::path::absolute(&arguments.registry).unwrap_or(arguments.registry.clone());
    let registry = Registry::open(files.clone(), folder)?;
    files.create_folders(&registry.retrain()).map_err(CliError::File)?;
    let request = LockRequest::new("burgeon retrain");
    let _lock = match RunLock::acquire(&files, &registry.retrain(), &request) {
        Err(LockError::Locked { .. }) if arguments.now => {
            let path = registry.retrain().join(ASKED_FILE);
            files.write_atomically(&path, b"").map_err(CliError::File)?;
            return output.result(
                "requested; the process that watches this registry will start the retraining\n",
            );
        }
        lock => lock.map_err(RegistryError::from)?,
    };
    let watchdog = Watchdog::start().map_err(CliError::Signals)?;
    let stop = StopFlag::on_signals().map_err(CliError::Signals)?;
    stop_with(PARENT_VARIABLE);
    let requests = arguments.requests.clone().unwrap_or_else(|| registry.requests());
    let by_hand = arguments.now;
    let mut retrainer = Retrainer {
        registry,
        requests,
        common,
        output,
        watchdog,
        stop,
        by_hand,
        data_seen: None,
        compared: None,
    };
    let mut told = None;
    loop {
        // An earlier process may have been killed between a decision and its messages.
        retrainer.announce();
        let checked = retrainer.check();
        if let Some(StopReason::Signal(signal)) = retrainer.stop.requested() {
            return Ok(Exit::Of(signal.exit_code()));
        }
        let outcome = match (checked, arguments.watch) {
            (Err(error), Some(_)) => CheckOutcome::Failed(error_chain(&error)),
            (checked, _) => checked?,
        };
        retrainer.by_hand = false;
        if told.as_ref() != Some(&outcome) {
            retrainer.tell(&outcome)?;
        }
        if matches!(outcome, CheckOutcome::Decided(_)) {
            retrainer.announce();
        }
        let exit = match &outcome {
            CheckOutcome::Decided(record) if record.action != Action::Promoted => Exit::Refused,
            CheckOutcome::Waiting(_) if by_hand => Exit::Refused,
            _ => Exit::Success,
        };
        let Some(seconds) = arguments.watch else { return Ok(exit) };
        told = Some(outcome);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) && retrainer.stop.requested().is_none()
        {
            sleep(Duration::from_millis(100));
        }
    }
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum CheckOutcome {
    /// No retraining is due, for this reason.
    Waiting(String),
    /// A retraining ended in this decision.
    Decided(Box<Record>),
    /// A retraining is in progress.
    Training(String),
    /// The check failed, and will be repeated.
    Failed(String),
}

struct Retrainer<'a> {
    registry: Registry,
    requests: std::path::PathBuf,
    common: &'a Common,
    output: &'a Output,
    watchdog: Watchdog,
    stop: StopFlag,
    by_hand: bool,
    /// The study's data as it was when it was last read.
    data_seen: Option<study::HashedData>,
    /// The promotion and the number of labels for which production was last compared with the version before it.
    compared: Option<(u64, usize)>,
}

impl Retrainer<'_> {
    /// Resumes the unfinished retraining or, if there is none, runs one that is due.
    fn check(&mut self) -> Result<CheckOutcome, CliError> {
        let asked = self.registry.retrain().join(ASKED_FILE);
        if self.registry.files().kind(&asked).map_err(CliError::File)?.is_some() {
            self.registry.files().remove_file(&asked).map_err(CliError::File)?;
            self.by_hand = true;
        }
        // Carries out the last decision if the process that made it was killed.
        drop(writer(&self.registry, "burgeon retrain")?);
        let settings = self.registry.settings()?.retrain;
        let folder = self.registry.path();
        let settings = settings.ok_or_else(|| CliError::NoRetrain { folder: folder.into() })?;
        let decided = self.registry.retrainings()?;
        if let Some(plan) = Plan::unfinished(&self.registry, &decided)? {
            return self.execute(&plan);
        }
        let alias = self.registry.alias(PRODUCTION)?;
        let alias = alias.ok_or_else(|| RegistryError::NoAlias { name: PRODUCTION.into() })?;
        let feedback = Feedback::read(&self.registry, &self.requests, &settings, &decided)?;
        if let Some(record) = self.roll_back_if_worse(&settings, &alias, &decided, &feedback)? {
            return Ok(CheckOutcome::Decided(Box::new(record)));
        }
        let cause = match decide(&settings, &self.facts(&settings, &alias, &decided, &feedback)?) {
            Decision::Wait(why) => return Ok(CheckOutcome::Waiting(why)),
            Decision::Begin(cause) => cause,
        };
        match self.plan(cause, &settings, &alias, &decided, feedback)? {
            Err(why) => Ok(CheckOutcome::Waiting(format!(
                "retraining is due ({}), but {why}",
                cause.words()
            ))),
            Ok(plan) => self.execute(&plan),
        }
    }

    /// The facts that [`decide`] is based on.
    fn facts(
        &mut self,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
        feedback: &Feedback,
    ) -> Result<Facts, CliError> {
        let base = promotion_of(decided, alias.version).map(|(_, base)| base.begun);
        let last = decided.last();
        let after = |at: Option<Timestamp>| {
            feedback.labels.iter().filter(|label| at.is_none_or(|at| label.at > at)).count()
        };
        Ok(Facts {
            now: Timestamp::now(),
            by_hand: self.by_hand,
            alarm: is_alarm(&self.requests, &alias.manifest).map_err(CliError::File)?,
            labels: after(base),
            new_labels: after(last.map(|(_, last)| last.begun)),
            data_changed: settings.data && self.data_changed(settings, alias, decided),
            decided: last.map(|(record, _)| record.at),
            promoted: alias.at,
        })
    }

    /// Plans a retraining and writes the plan to disk; the inner error says why none is possible.
    fn plan(
        &self,
        cause: Cause,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
        feedback: Feedback,
    ) -> Result<Result<Plan, String>, CliError> {
        let begun = Timestamp::now();
        let base = promotion_of(decided, alias.version);
        let base = base.map(|(_, base)| Plan::images(&self.registry, base.number)).transpose()?;
        let mut images = feedback.images(&self.registry)?;
        images.leave_out(base.iter().flatten());
        let selected = match select(&images.labels, settings, &images.classes) {
            Ok(selected) => selected,
            Err(Shortage::TooFew(_)) if !matches!(cause, Cause::Drift | Cause::Feedback) => {
                Default::default()
            }
            Err(Shortage::TooFew(why) | Shortage::Implausible(why)) => return Ok(Err(why)),
        };
        let sets = images.sets(&selected, base);
        let retraining = Retraining {
            number: Plan::next_number(&self.registry, decided)?,
            cause,
            begun,
            images: sets[0].set.images + sets[1].set.images,
            held_out: sets[2].set.images,
            sources: selected.sources,
            data: String::new(),
            trained: None,
            why: String::new(),
        };
        let promotion = self.registry.settings()?.promotion;
        let plan = Plan {
            v: 1,
            retraining,
            production: alias.version,
            manifest: alias.manifest.clone(),
            accuracy: settings.accuracy.unwrap_or(promotion.accuracy),
            share: settings.share,
        };
        plan.write(&self.registry, &self.study(settings, alias)?.to_toml(), &sets)?;
        Ok(Ok(plan))
    }

    /// Reports an outcome: prints it, and stores it for the pages of the server.
    fn tell(&self, outcome: &CheckOutcome) -> Result<(), CliError> {
        self.tell_of(outcome, None)
    }

    /// The same, of a retraining that trains or waits for its turn.
    fn tell_of(&self, outcome: &CheckOutcome, about: Option<&Retraining>) -> Result<(), CliError> {
        let mut state = serde_json::json!({ "v": 1, "at": Timestamp::now(), "state": outcome });
        if let Some(retraining) = about {
            state["retraining"] = serde_json::json!(retraining);
        }
        self.registry.keep_retraining_state(&state)?;
        if self.output.json {
            return self.output.result_json(&state).map(drop);
        }
        match outcome {
            CheckOutcome::Waiting(text) | CheckOutcome::Training(text) => {
                self.output.print_always(text)
            }
            CheckOutcome::Failed(why) => self.output.warn(why),
            CheckOutcome::Decided(record) => {
                self.output.print_always(decision_text(record).trim_end())
            }
        }
        Ok(())
    }
}
