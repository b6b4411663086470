//! `burgeon retrain`: trains the model in production again, judges it on old and new images, and promotes it.
//!
//! ```text
//! pass ── a round that was begun is carried on
//!   ├── worse     production was retrained, and is worse on what came since → rolled back
//!   ├── decide    alarm, labels, data, schedule → begin, or what is waited for
//!   ├── select    the labels → a round on disk
//!   └── train     train → judge on feedback → add → promote by the registry's rule → record
//! ```
//!
//! Invariant: whatever is killed, a round ends in one decision, which the registry's records hold.

mod images;
mod round;
mod study;
mod train;
mod worse;

use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use self::images::Feedback;
use self::round::Round;
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

/// Says that somebody asks for a retraining.
const ASKED_FILE: &str = "asked";

/// Looks once whether there is something to do, and does it; or again and again.
pub(super) fn retrain(
    arguments: &RetrainArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let files = real_files().map_err(LaunchError::from)?;
    // Its runs are found again from any folder.
    let folder = std::path::absolute(&arguments.registry).unwrap_or(arguments.registry.clone());
    let registry = Registry::open(files.clone(), folder)?;
    files.create_folders(&registry.retrain()).map_err(CliError::File)?;
    let request = LockRequest::new("burgeon retrain");
    let _lock = match RunLock::acquire(&files, &registry.retrain(), &request) {
        Err(LockError::Locked { .. }) if arguments.now => {
            let path = registry.retrain().join(ASKED_FILE);
            files.write_atomically(&path, b"").map_err(CliError::File)?;
            return output.result("the process that watches this registry begins one soon\n");
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
        worse_seen: None,
    };
    let mut told = None;
    loop {
        let passed = retrainer.pass();
        if let Some(StopReason::Signal(signal)) = retrainer.stop.requested() {
            return Ok(Exit::Of(signal.exit_code()));
        }
        let passed = match (passed, arguments.watch) {
            (Err(error), Some(_)) => Passed::Failed(error_chain(&error)),
            (passed, _) => passed?,
        };
        retrainer.by_hand = false;
        if told.as_ref() != Some(&passed) {
            retrainer.tell(&passed)?;
        }
        let exit = match &passed {
            Passed::Decided(record) if record.action != Action::Promoted => Exit::Refused,
            Passed::Waiting(_) if by_hand => Exit::Refused,
            _ => Exit::Success,
        };
        let Some(seconds) = arguments.watch else { return Ok(exit) };
        told = Some(passed);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) && retrainer.stop.requested().is_none()
        {
            sleep(Duration::from_millis(100));
        }
    }
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Passed {
    /// Nothing was done, for this reason.
    Waiting(String),
    /// A decision was made.
    Decided(Box<Record>),
    /// A round is being trained.
    Training(String),
    /// It is tried again.
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
    /// What the study's data was when it was last looked at, and whether it had changed.
    data_seen: Option<(study::Stamp, bool)>,
    /// The decision and the number of labels with which production was last compared with the version before.
    worse_seen: Option<(u64, usize)>,
}

impl Retrainer<'_> {
    fn pass(&mut self) -> Result<Passed, CliError> {
        let asked = self.registry.retrain().join(ASKED_FILE);
        if self.registry.files().kind(&asked).map_err(CliError::File)?.is_some() {
            self.registry.files().remove_file(&asked).map_err(CliError::File)?;
            self.by_hand = true;
        }
        // Carries out what was decided, if whoever decided was killed.
        drop(writer(&self.registry, "burgeon retrain")?);
        let settings = self.registry.settings()?.retrain;
        let folder = self.registry.path();
        let settings = settings.ok_or_else(|| CliError::NoRetrain { folder: folder.into() })?;
        let decided = self.registry.retrainings()?;
        if let Some(round) = Round::begun(&self.registry, &decided)? {
            return self.carry_on(&round);
        }
        let alias = self.registry.alias(PRODUCTION)?;
        let alias = alias.ok_or_else(|| RegistryError::NoAlias { name: PRODUCTION.into() })?;
        let feedback = Feedback::read(&self.registry, &self.requests, &settings, &decided)?;
        if let Some(record) = self.roll_back_if_worse(&settings, &alias, &decided, &feedback)? {
            return Ok(Passed::Decided(Box::new(record)));
        }
        let cause = match decide(&settings, &self.facts(&settings, &alias, &decided, &feedback)?) {
            Decision::Wait(why) => return Ok(Passed::Waiting(why)),
            Decision::Begin(cause) => cause,
        };
        match self.round(cause, &settings, &alias, &decided, feedback)? {
            Err(why) => Ok(Passed::Waiting(format!("{}: {why}", cause.words()))),
            Ok(round) => self.carry_on(&round),
        }
    }

    fn facts(
        &mut self,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
        feedback: &Feedback,
    ) -> Result<Facts, CliError> {
        let base = Round::of_version(decided, alias.version).map(|(_, base)| base.begun);
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

    /// Fixes what is trained, or says why nothing can be.
    fn round(
        &self,
        cause: Cause,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
        feedback: Feedback,
    ) -> Result<Result<Round, String>, CliError> {
        let begun = Timestamp::now();
        let base = Round::of_version(decided, alias.version);
        let base = base.map(|(_, base)| Round::images(&self.registry, base.round)).transpose()?;
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
            round: Round::next(&self.registry, decided)?,
            cause,
            begun,
            images: sets[0].set.images + sets[1].set.images,
            held_out: sets[2].set.images,
            sources: selected.sources,
            data: String::new(),
            why: String::new(),
        };
        let promotion = self.registry.settings()?.promotion;
        let round = Round {
            v: 1,
            retraining,
            production: alias.version,
            manifest: alias.manifest.clone(),
            accuracy: settings.accuracy.unwrap_or(promotion.accuracy),
            share: settings.share,
        };
        round.write(&self.registry, &self.study(settings, alias)?.to_toml(), &sets)?;
        Ok(Ok(round))
    }

    /// Says what came of a look: to whoever reads the output, and to the pages of the server.
    fn tell(&self, passed: &Passed) -> Result<(), CliError> {
        let state = serde_json::json!({ "v": 1, "at": Timestamp::now(), "state": passed });
        self.registry.keep_retraining_state(&state)?;
        if self.output.json {
            return self.output.result_json(&state).map(drop);
        }
        match passed {
            Passed::Waiting(text) | Passed::Training(text) => self.output.print_always(text),
            Passed::Failed(why) => self.output.warn(why),
            Passed::Decided(record) => self.output.print_always(decision_text(record).trim_end()),
        }
        Ok(())
    }
}
