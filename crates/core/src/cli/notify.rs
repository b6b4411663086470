//! `burgeon notify`: lists and sends the messages of runs.

#[cfg(feature = "serve")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::{Common, NotifyArguments};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::overrides;
use super::watchdog::Watchdog;
use crate::ledger::{RunFolder, RunFolderError};
use crate::notify::{
    Existing, Flush, MessageState, Messages, Outbox, StoredMessage, queue_run_events,
};
use crate::spec::StudyDocument;
use crate::study::LaunchError;
use crate::sys::error_chain;
#[cfg(feature = "serve")]
use crate::sys::files::PathKind;
use crate::sys::files::{Files, real_files};
use crate::sys::signals::{StopFlag, StopSignal};

/// A message, and the run that it is of, as `--json` prints it.
#[derive(serde::Serialize)]
struct Line {
    run: String,
    #[serde(flatten)]
    message: StoredMessage,
}

/// Sends what waits with `--flush`, and prints a line for each message that was sent or is left.
pub fn notify(
    arguments: &NotifyArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let watchdog = Watchdog::start().map_err(CliError::Signals)?;
    let stop = StopFlag::on_signals().map_err(CliError::Signals)?;
    let files = real_files().map_err(LaunchError::from)?;
    let which = match (arguments.parked, arguments.now) {
        (true, _) => Messages::Parked,
        (false, true) => Messages::Waiting,
        (false, false) => Messages::Due,
    };
    let (mut lines, mut failed): (Vec<Line>, Option<CliError>) = (Vec::new(), None);
    for run in runs(arguments, common, &files)? {
        let flush = arguments.flush.then_some(which);
        let mut keep_going = || stop.requested().is_none();
        #[cfg(feature = "serve")]
        if let Some(outbox) = outbox_without_study(&files, &run) {
            let messages = messages_in(&outbox, flush, &mut keep_going)?;
            let run = run.display().to_string();
            lines.extend(messages.into_iter().map(|message| Line { run: run.clone(), message }));
            continue;
        }
        let folder = match RunFolder::open(Arc::clone(&files), &run) {
            Err(RunFolderError::NotARun { .. }) if arguments.run.is_none() => continue,
            Err(error) if arguments.run.is_some() => return Err(error.into()),
            opened => opened.map_err(CliError::from),
        };
        let found = folder.and_then(|folder| messages(&folder, flush, common, &mut keep_going));
        let messages = match found {
            Ok(messages) => messages,
            Err(error) => {
                // The other runs' messages are sent all the same.
                output.warn(&format!("{}: {}", run.display(), error_chain(&error)));
                failed = Some(error);
                Vec::new()
            }
        };
        let run = run.display().to_string();
        lines.extend(messages.into_iter().map(|message| Line { run: run.clone(), message }));
    }
    print(&lines, output)?;
    if lines.is_empty() && failed.is_none() {
        output.note("no message is left to send");
    }
    if let Some(signal) = watchdog.signal() {
        return Ok(match signal {
            StopSignal::Interrupt => Exit::Interrupted,
            StopSignal::Terminate => Exit::Terminated,
        });
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let count = |state| lines.iter().filter(|line| line.message.state == state).count();
    let waiting = count(MessageState::Waiting);
    let parked = count(MessageState::Parked) + count(MessageState::Damaged);
    if arguments.flush && waiting + parked > 0 {
        let messages = if waiting == 1 { "message" } else { "messages" };
        return Err(CliError::Unsent { waiting: format!("{waiting} {messages}"), parked });
    }
    Ok(Exit::Success)
}

/// The outbox of a registry, or of a build whose program is no study; `None` for a run.
#[cfg(feature = "serve")]
fn outbox_without_study(files: &Arc<dyn Files>, folder: &Path) -> Option<Outbox> {
    if let Ok(registry) = crate::registry::Registry::open(Arc::clone(files), folder) {
        return Some(registry.outbox());
    }
    let is_run = RunFolder::open(Arc::clone(files), folder).is_ok();
    let outbox = Outbox::in_folder(Arc::clone(files), folder);
    let has_outbox = matches!(files.kind(outbox.folder()), Ok(Some(PathKind::Folder)));
    (!is_run && has_outbox).then_some(outbox)
}

/// The messages of a run that are left, and those that were sent now.
fn messages(
    folder: &RunFolder,
    flush: Option<Messages>,
    common: &Common,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Vec<StoredMessage>, CliError> {
    let outbox = Outbox::of(folder);
    if flush.is_none() {
        return messages_in(&outbox, flush, keep_going);
    }
    let overrides: Vec<_> = overrides(common)
        .into_iter()
        .filter(|set| set.key() == "notify" || set.key().starts_with("notify."))
        .collect();
    // What was made for other settings is made anew only for those who give them.
    let existing = if overrides.is_empty() { Existing::Keep } else { Existing::Adapt };
    let study = StudyDocument::new(folder.study_file().display().to_string(), folder.read_study()?)
        .with_overrides(overrides);
    study.check()?;
    let mut spec = study.parse()?.notify;
    spec.resolve_paths(|_, path| std::path::absolute(path))
        .map_err(|source| CliError::StudyFile { path: folder.study_file(), source })?;
    // A process may have been killed between an event and its messages.
    queue_run_events(folder, &spec, existing)?;
    messages_in(&outbox, flush, keep_going)
}

/// The messages of an outbox that are left, and those that were sent now.
fn messages_in(
    outbox: &Outbox,
    flush: Option<Messages>,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Vec<StoredMessage>, CliError> {
    let Some(which) = flush else {
        let messages = outbox.messages()?.into_iter();
        return Ok(messages.filter(|message| message.state != MessageState::Sent).collect());
    };
    let flushed = Flush::new(which).run(outbox, keep_going)?;
    Ok([flushed.sent, flushed.waiting, flushed.parked].concat())
}

/// The run folder that is named, or all that is in the folder of `--runs`.
fn runs(
    arguments: &NotifyArguments,
    common: &Common,
    files: &Arc<dyn Files>,
) -> Result<Vec<PathBuf>, CliError> {
    if let Some(run) = &arguments.run {
        return Ok(vec![run.clone()]);
    }
    let folder = &common.runs;
    let names =
        files.list(folder).map_err(|source| CliError::Runs { folder: folder.clone(), source })?;
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn print(lines: &[Line], output: &Output) -> Result<(), CliError> {
    let printed = if output.json {
        output.result_json(&lines)
    } else {
        let line = |Line { run, message }: &Line| format!("{run}: {message}\n");
        output.result(&lines.iter().map(line).collect::<String>())
    };
    printed.map(drop)
}
