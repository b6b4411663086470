//! Events of the supervisor, appended while no trainer holds the run's lock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Event, Ledger, LedgerError, RunFolder, RunFolderError};
use crate::notify::{SendReport, notify_at_study_end};
use crate::spec::{SpecError, StudyDocument};
use crate::sys::clock::RealClock;
use crate::sys::faults::FaultError;
use crate::sys::files::real_files;
use crate::sys::lock::{LockError, LockRequest};

#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error(transparent)]
    Faults(#[from] FaultError),
    #[error(transparent)]
    RunFolder(#[from] RunFolderError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the run's [notify] settings cannot be read")]
    Study(#[from] SpecError),
}

pub(super) fn restart(
    run_folder: &Path,
    cause: &str,
    attempt: u32,
    delay: Duration,
) -> Result<(), RecordError> {
    let event =
        Event::SupervisorRestarted { cause: cause.into(), attempt, delay: delay.as_secs_f64() };
    append(run_folder, event)
}

pub(super) fn give_up(run_folder: &Path, cause: &str, restarts: u32) -> Result<(), RecordError> {
    let event = Event::SupervisorGaveUp { cause: cause.into(), restarts };
    append(run_folder, event)
}

/// Tells of what was recorded, as the run's `[notify]` says.
pub(super) fn tell(
    run_folder: &Path,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<SendReport, RecordError> {
    let run = RunFolder::open(real_files()?, run_folder)?;
    let study = StudyDocument::new(run.study_file().display().to_string(), run.read_study()?);
    Ok(notify_at_study_end(&run, &study.parse()?.notify, keep_going))
}

fn append(run_folder: &Path, event: Event) -> Result<(), RecordError> {
    let run = RunFolder::open(real_files()?, run_folder)?;
    // Not held longer than this: the next trainer needs it.
    let lock = run.lock(&LockRequest::new("burgeon supervise"))?;
    let clock = Arc::new(RealClock::default());
    let mut ledger = Ledger::open(&**run.files(), &run.events_file(), lock.fence(), clock)?;
    Ok(ledger.append(event)?)
}
