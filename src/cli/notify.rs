//! `burgeon notify`: lists and sends the messages of runs.

use std::path::PathBuf;
use std::sync::Arc;

use super::args::{Common, NotifyArguments};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::overrides;
use super::watchdog::Watchdog;
use crate::ledger::{RunFolder, RunFolderError};
use crate::notify::{Existing, Flush, MessageState, Outbox, StoredMessage, Which, queue_due};
use crate::spec::StudyDocument;
use crate::study::LaunchError;
use crate::sys::error_chain;
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
        (true, _) => Which::Parked,
        (false, true) => Which::Waiting,
        (false, false) => Which::Due,
    };
    let (mut lines, mut failed): (Vec<Line>, Option<CliError>) = (Vec::new(), None);
    for run in runs(arguments, common, &files)? {
        let folder = RunFolder::open(Arc::clone(&files), &run)?;
        let flush = arguments.flush.then_some(which);
        let mut keep_going = || stop.requested().is_none();
        let messages = match messages(&folder, flush, common, &mut keep_going) {
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

/// The messages of a run that are left, and those that were sent now.
fn messages(
    folder: &RunFolder,
    flush: Option<Which>,
    common: &Common,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Vec<StoredMessage>, CliError> {
    let outbox = Outbox::of(folder);
    let Some(which) = flush else {
        let messages = outbox.messages()?.into_iter();
        return Ok(messages.filter(|message| message.state != MessageState::Sent).collect());
    };
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
    queue_due(folder, &spec, existing)?;
    let flushed = Flush::new(which).run(&outbox, keep_going)?;
    Ok([flushed.sent, flushed.waiting, flushed.parked].concat())
}

/// The run folder that is named, or all those in the folder of `--runs`.
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
    let open = |name: String| match RunFolder::open(Arc::clone(files), folder.join(name)) {
        Ok(run) => Some(Ok(run.path().to_path_buf())),
        Err(RunFolderError::NotARun { .. }) => None,
        Err(error) => Some(Err(error.into())),
    };
    names.into_iter().filter_map(open).collect()
}

fn print(lines: &[Line], output: &Output) -> Result<(), CliError> {
    let text = if output.json {
        serde_json::to_string(lines).unwrap_or_default() + "\n"
    } else {
        let line = |Line { run, message }: &Line| format!("{run}: {message}\n");
        lines.iter().map(line).collect()
    };
    output.result(&text).map(drop)
}
