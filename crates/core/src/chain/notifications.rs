//! Notifies of every verdict: mail and webhooks go through the build's outbox, and are retried until they are sent;
//! commit statuses are posted to the service that hosts the repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Chain;
use super::growth::Growth;
use super::health::{Malfunction, Part};
use super::log::BuildLog;
use super::status::{self, Posted, Scope};
use super::store::{BuildRow, StageName, StageState, StoreError, Verdict};
use crate::ledger::{self, LedgerError};
use crate::notify::{
    Announcement, AnnouncementKind, BuildVerdict, Existing, Flush, Messages, Outbox, OutboxError,
};
use crate::report::Report;
use crate::spec::NotifySpec;
use crate::sys::error_chain;
use crate::sys::files::{Files, RealFiles};

/// How often to check for messages that are due.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// Longest time that the messages of one build may delay those of others.
const EACH_BUILD: Duration = Duration::from_secs(60);
/// Time before a commit status that could not be posted is retried; doubled up to [`STATUS_DELAY_MAX`].
const STATUS_DELAY: Duration = Duration::from_secs(10);
const STATUS_DELAY_MAX: Duration = Duration::from_secs(3600);
/// After this time from the end of a build, its commit status is no longer retried.
const STATUS_AGE_MAX: Duration = Duration::from_secs(3 * 24 * 3600);

/// Sends messages and statuses until the service stops.
///
/// # Errors
///
/// None: failures are shown, and retried.
pub(super) fn work(chain: &Chain) -> Result<(), StoreError> {
    let mut seen = 0;
    let mut waits = StatusWaits::default();
    while !chain.is_stopping() {
        chain.health.report_alive(Part::Messages);
        match notify_all(chain, &mut waits) {
            Ok(()) => chain.health.report_success(Part::Messages),
            Err(error) => {
                let why = error_chain(&error);
                tracing::warn!(error = why, "cannot send the notifications of a build");
                chain.health.report_malfunction(Part::Messages, Malfunction::Failing, &why);
            }
        }
        seen = chain.wait(seen, CHECK_INTERVAL);
    }
    Ok(())
}

/// Why the messages of a build could not be queued or sent; they are retried.
#[derive(Debug, thiserror::Error)]
enum NotifyBuildError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// When failed commit statuses are due again.
#[derive(Debug, Default)]
struct StatusWaits {
    builds: BTreeMap<i64, Wait>,
    /// By the URL of the service that hosts the repository.
    services: BTreeMap<String, Wait>,
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    until: Instant,
    delay: Duration,
}

impl Wait {
    /// The wait after another failure.
    fn longer(before: Option<&Self>, after: Option<Duration>) -> Self {
        let delay = before.map_or(STATUS_DELAY, |wait| (wait.delay * 2).min(STATUS_DELAY_MAX));
        Self { until: Instant::now() + after.unwrap_or(delay), delay }
    }

    fn is_over(wait: Option<&Self>) -> bool {
        wait.is_none_or(|wait| wait.until <= Instant::now())
    }
}

/// Does whatever is due. A failure for one build does not stop the others; the first error is returned.
fn notify_all(chain: &Chain, waits: &mut StatusWaits) -> Result<(), NotifyBuildError> {
    let mut first = Ok(());
    for build in chain.store.untold()? {
        // A burst of pushes leaves thousands.
        chain.health.report_alive(Part::Messages);
        if chain.is_stopping() {
            return first;
        }
        first = first.and(queue_messages(chain, &build));
    }
    for build in chain.store.unsent()? {
        if chain.is_stopping() {
            return first;
        }
        first = first.and(send_messages(chain, &build));
    }
    for build in chain.store.without_status()? {
        first = first.and(post_status(chain, &build, waits));
    }
    first
}

/// Puts the messages about a verdict into the build's outbox.
fn queue_messages(chain: &Chain, build: &BuildRow) -> Result<(), NotifyBuildError> {
    let repository = chain.config.repository(&build.repository);
    chain.store.begin_stage(build.id, StageName::Notify)?;
    let note = match repository.map(|repository| chain.config.notify_of(repository)) {
        Some(notify) if notify.mail.is_some() || !notify.webhook.is_empty() => {
            queue(chain, build, &notify)?;
            "the messages are queued"
        }
        _ => "no mail or webhook is configured",
    };
    chain.store.end_stage(build.id, StageName::Notify, StageState::Done, note)?;
    Ok(chain.store.set_told(build)?)
}

/// Sends those of a build's messages that are due.
fn send_messages(chain: &Chain, build: &BuildRow) -> Result<(), NotifyBuildError> {
    let flushed = Flush::new(Messages::Due).within(EACH_BUILD, EACH_BUILD).run(
        &outbox(chain, build.id),
        &mut || {
            chain.health.report_alive(Part::Messages);
            !chain.is_stopping()
        },
    )?;
    let stages = chain.store.stages(build.id)?;
    let said = stages.iter().find(|stage| stage.name == StageName::Notify);
    let note = match flushed.waiting.iter().chain(&flushed.parked).next() {
        // Without its name in the outbox, which says nothing to people.
        Some(message) => Some(message.to_string().replacen(&message.name, "", 1).trim().to_owned()),
        None => (!flushed.sent.is_empty()).then(|| "the messages are sent".into()),
    };
    if let Some(note) = note.filter(|note| said.is_some_and(|said| said.note != *note)) {
        chain.store.set_note(build.id, StageName::Notify, &note)?;
    }
    if flushed.waiting.is_empty() {
        for message in &flushed.parked {
            let message = message.to_line();
            tracing::warn!(
                build = build.id,
                message,
                "a message was rejected and will not be retried"
            );
        }
        chain.store.set_sent(build)?;
    }
    Ok(())
}

/// Posts the commit status of a build, unless a retry is not due yet.
fn post_status(
    chain: &Chain,
    build: &BuildRow,
    waits: &mut StatusWaits,
) -> Result<(), NotifyBuildError> {
    chain.health.report_alive(Part::Messages);
    let wanted = status::wanted(build);
    let repository = chain.config.repository(&build.repository);
    let Some(spec) = repository.and_then(|repository| repository.status.as_ref()) else {
        return Ok(chain.store.set_status(build, wanted)?);
    };
    let is_due =
        Wait::is_over(waits.builds.get(&build.id)) && Wait::is_over(waits.services.get(&spec.api));
    if build.commit_id.is_empty() && build.ended.is_some() {
        // It was cancelled before the newest commit was looked up.
        return Ok(chain.store.set_status(build, NOT_TOLD)?);
    }
    if build.commit_id.is_empty() || !is_due || chain.is_stopping() {
        return Ok(());
    }
    let why = match status::post(&chain.config, spec, build) {
        Posted::Accepted => {
            waits.builds.remove(&build.id);
            waits.services.remove(&spec.api);
            return Ok(chain.store.set_status(build, wanted)?);
        }
        Posted::RetryLater { why, scope, after } => {
            tracing::warn!(
                build = build.id,
                why,
                "cannot post the commit status; it will be retried"
            );
            match scope {
                Scope::Service => {
                    let wait = Wait::longer(waits.services.get(&spec.api), after);
                    waits.services.insert(spec.api.clone(), wait);
                }
                Scope::Commit => {
                    let wait = Wait::longer(waits.builds.get(&build.id), after);
                    waits.builds.insert(build.id, wait);
                }
            }
            let now = Timestamp::now().as_millisecond();
            let age_max = STATUS_AGE_MAX.as_millis() as i64;
            if build.ended.is_none_or(|ended| now - ended < age_max) {
                return Ok(());
            }
            format!("{why}; giving up")
        }
        Posted::Rejected(why) => why,
    };
    tracing::warn!(build = build.id, why, "cannot post the commit status");
    log_line(chain, build, &format!("the commit status could not be posted: {why}"));
    waits.builds.remove(&build.id);
    // The final status of a running build is still posted.
    let noted = if build.ended.is_some() { NOT_TOLD } else { wanted };
    Ok(chain.store.set_status(build, noted)?)
}

/// Adds a line to the log of an ended build.
fn log_line(chain: &Chain, build: &BuildRow, line: &str) {
    let limit = u64::from(chain.config.keep.log_megabytes) << 20;
    // Its files may have been removed.
    if let Ok(mut log) = BuildLog::open(&chain.places.log(build.id), limit) {
        log.say(StageName::Notify, line);
    }
}

/// What is recorded for a status that will never be posted.
const NOT_TOLD: &str = "not-told";

fn outbox(chain: &Chain, build: i64) -> Outbox {
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    Outbox::in_folder(files, &chain.places.build(build))
}

fn queue(chain: &Chain, build: &BuildRow, notify: &NotifySpec) -> Result<(), NotifyBuildError> {
    let before = chain.store.verdict_before(build)?;
    let announcement = announcement(chain, build, before);
    Ok(outbox(chain, build.id).queue(&announcement, notify, Existing::Keep)?)
}

/// The announcement of a build's verdict. `before` is the verdict before it.
fn announcement(chain: &Chain, build: &BuildRow, before: Option<Verdict>) -> Announcement {
    let what = match (build.verdict, before) {
        (Some(Verdict::Accepted), Some(Verdict::Failed | Verdict::NotPassed)) => {
            AnnouncementKind::Mended
        }
        (Some(Verdict::Accepted), _) => AnnouncementKind::Accepted,
        (Some(Verdict::NotPassed), _) => AnnouncementKind::Rejected,
        (Some(Verdict::Superseded), _) => AnnouncementKind::Superseded,
        (Some(Verdict::Cancelled), _) => AnnouncementKind::Cancelled,
        (Some(Verdict::Failed) | None, Some(Verdict::Failed)) => AnnouncementKind::Failed,
        (Some(Verdict::Failed) | None, _) => AnnouncementKind::Broken,
    };
    let at = build
        .ended
        .and_then(|at| Timestamp::from_millisecond(at).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let origin = format!(
        "{}\n{}\n{}\n{}",
        chain.config.folder.display(),
        build.id,
        build.repository,
        build.created
    );
    let short = build.commit_id.get(..10).unwrap_or(&build.commit_id);
    let name = format!("{} {} {short}", build.repository, build.branch);
    let mut rows = vec![("commit", build.commit_id.clone()), ("author", build.author.clone())];
    rows.push(("message", build.message.clone()));
    if let Some(url) = &chain.config.public_url {
        rows.push(("build", format!("{}/builds/{}", url.trim_end_matches('/'), build.id)));
    } else {
        rows.push(("build", build.id.to_string()));
    }
    let run = chain.places.run(build);
    let report = run.as_deref().map_or(Ok(None), report).unwrap_or_else(|error| {
        let why = error_chain(&error);
        tracing::warn!(build = build.id, why, "the event log of a run cannot be read");
        log_line(chain, build, &format!("the message contains no figures, because the event log of the run cannot be read: {why}"));
        rows.push(("report", format!("cannot be read: {why}")));
        None
    });
    let folder = chain.places.build(build.id);
    let growth = Growth::read(&folder);
    let program = growth.as_ref().filter(|growth| growth.exported_accuracy.is_some());
    let program = program.and_then(|growth| growth.exported_program(&chain.places.grown(build.id)));
    let mut lists = Vec::new();
    if let Some(growth) = &growth {
        rows.push(("program", growth.program.clone()));
        let share = |share: f64| format!("{:.2} %", share * 100.0);
        rows.push(("accuracy of the original program", share(growth.accuracy)));
        if let Some(accuracy) = growth.exported_accuracy {
            rows.push(("accuracy of the grown program", share(accuracy)));
        }
        lists.extend(growth.lists());
    }
    Announcement::of_build(&BuildVerdict {
        key: &format!("verdict-{}", build.verdicts),
        what,
        at,
        origin: &origin,
        name: &name,
        why: &build.why,
        rows: &rows,
        accuracy: build.accuracy,
        threshold: build.threshold,
        folder: run.as_deref().unwrap_or(&folder),
        report: report.as_ref(),
        lists: &lists,
        program: program.as_ref(),
    })
}

/// The report of a run; `None` for a program that is not a study, and has no event log.
fn report(run: &Path) -> Result<Option<Report>, LedgerError> {
    let records = ledger::read(&RealFiles, &run.join("events.jsonl"))?;
    Ok((!records.is_empty()).then(|| Report::from_records(&records)))
}

#[cfg(test)]
mod tests;
