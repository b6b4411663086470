//! A task for the cluster, and the updates that its caller receives.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::attempts::{Attempt, ReadError};
use super::scheduler::SchedulerError;
use super::task::{Outcome, Part};
use crate::ledger::Recorded;
use crate::sys::fence::FenceError;
use crate::sys::files::FileError;

/// A task to run.
pub(crate) struct TaskRequest<'a> {
    pub(crate) trial: u32,
    pub(crate) part: Part,
    /// The folder of its attempts.
    pub(crate) folder: &'a Path,
    /// The content of `task.json`.
    pub(crate) task: Vec<u8>,
}

/// What the caller wants to happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    Continue,
    /// Stop waiting, and leave the job running: a later process finds it again.
    Detach,
    /// Stop waiting, and cancel the job: its result is not needed.
    Cancel,
    /// A time limit of the study has passed: end with the current state.
    OutOfTime,
}

/// An update about the task.
#[derive(Debug)]
pub(crate) enum TaskUpdate<'a> {
    /// Nothing new; sent several times a second, so that the caller can send heartbeats and take control.
    Waiting,
    /// A job was submitted.
    Submitted { submission: u32, job: &'a str },
    /// An attempt has recorded further events.
    Events { events: &'a [Recorded] },
    /// A submission has ended.
    SubmissionEnded(SubmissionEnd<'a>),
    /// A node was excluded.
    Excluded { node: &'a str, why: &'static str },
}

/// A submission that has ended.
#[derive(Debug)]
pub(crate) struct SubmissionEnd<'a> {
    pub(crate) submission: u32,
    pub(crate) job: Option<String>,
    pub(crate) node: Option<String>,
    /// Why it failed; `None` if its result was accepted.
    pub(crate) why: Option<&'a str>,
    pub(crate) queue_seconds: f64,
    /// Seconds that its attempts occupied nodes.
    pub(crate) seconds: f64,
}

/// The callback of the caller: receives updates, and returns what should happen next.
pub(crate) type OnUpdate<'t> =
    dyn FnMut(TaskUpdate) -> Result<Control, Box<dyn std::error::Error + Send + Sync>> + 't;

/// How waiting for a task ended.
#[derive(Debug)]
pub(crate) enum TaskEnd {
    /// With the result of this attempt, which is now accepted.
    Result(Attempt, Outcome),
    /// At the request of the caller; the job continues or was cancelled.
    Detached,
    /// A time limit of the study passed before anything was trained to its end.
    OutOfTime,
}

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    #[error("{0}")]
    Trial(String),
    #[error("it was started {begun} times, but its nodes failed: {last}; see {}", output.display())]
    Nodes { begun: usize, last: String, output: PathBuf },
    #[error(
        "it was interrupted {times} times{}; see {}",
        if *is_without_progress { " in a row without any progress, so `[run] time-limit` is too short" } else { "" },
        output.display()
    )]
    Interrupted { times: usize, is_without_progress: bool, output: PathBuf },
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Fence(#[from] FenceError),
    #[error(transparent)]
    Handler(Box<dyn std::error::Error + Send + Sync>),
}

/// How often the caller is updated while the task waits.
const TICK: Duration = Duration::from_millis(100);

/// Waits, and updates the caller meanwhile.
pub(super) fn pause(on_update: &mut OnUpdate, time: Duration) -> Result<Control, TaskError> {
    let until = Instant::now() + time;
    loop {
        match on_update(TaskUpdate::Waiting).map_err(TaskError::Handler)? {
            Control::Continue => {}
            other => {
                // A request that cannot be fulfilled at once must not be repeated without a pause.
                std::thread::sleep(TICK);
                return Ok(other);
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Control::Continue);
        }
        std::thread::sleep(left.min(TICK));
    }
}

/// Calls the scheduler, which may take a minute, and updates the caller meanwhile. What the caller wants is asked again
/// after the call.
pub(super) fn during<T: Send>(
    on_update: &mut OnUpdate,
    call: impl FnOnce() -> T + Send,
) -> Result<T, TaskError> {
    std::thread::scope(|scope| {
        let (alive, ended) = channel::<()>();
        let calling = scope.spawn(move || {
            let _alive = alive;
            call()
        });
        while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            on_update(TaskUpdate::Waiting).map_err(TaskError::Handler)?;
        }
        Ok(calling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
