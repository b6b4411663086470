//! A piece of work for the cluster, and what whoever waits for it is told.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::attempts::Attempt;
use super::job::{Outcome, Part};
use super::seam::SchedulerError;
use crate::ledger::Recorded;
use crate::sys::fence::FenceError;
use crate::sys::files::FileError;

/// A piece of work.
pub(crate) struct Work<'a> {
    pub(crate) trial: u32,
    pub(crate) part: Part,
    /// The folder of its attempts.
    pub(crate) folder: &'a Path,
    /// The content of `task.json`.
    pub(crate) task: Vec<u8>,
}

/// What whoever waits for the work wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Continue,
    /// Stop waiting, and leave the job alone: a later process finds it again.
    Leave,
    /// Stop waiting, and cancel the job: its result is not needed.
    Cancel,
    /// A time limit of the study has passed: end with what there is.
    EndInTime,
}

/// What happens to the work.
#[derive(Debug)]
pub(crate) enum News<'a> {
    /// Nothing; asked several times a second.
    Nothing,
    /// A job was submitted.
    Submitted { submission: u32, job: &'a str },
    /// An attempt has recorded further events.
    Events { events: &'a [Recorded] },
    /// A submission is over.
    Over(Ended<'a>),
    /// A node gets no more jobs.
    Excluded { node: &'a str, why: &'static str },
}

/// A submission that is over.
#[derive(Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) submission: u32,
    pub(crate) job: Option<String>,
    pub(crate) node: Option<String>,
    /// Why it came to nothing; `None` if its result was taken.
    pub(crate) why: Option<&'a str>,
    pub(crate) queue_seconds: f64,
    /// Seconds that its attempts held nodes.
    pub(crate) seconds: f64,
}

/// Whoever waits for the work.
pub(crate) type Tell<'t> =
    dyn FnMut(News) -> Result<Ask, Box<dyn std::error::Error + Send + Sync>> + 't;

/// How waiting ended.
#[derive(Debug)]
pub(crate) enum Taken {
    /// With the result of this attempt, which counts from now on.
    Result(Attempt, Outcome),
    /// On request.
    Left,
    /// A time limit of the study passed before anything was trained to its end.
    OutOfTime,
}

/// Why the work came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error("{0}")]
    Trial(String),
    #[error("it was begun {begun} times, but its nodes failed: {last}; see {}", output.display())]
    Nodes { begun: usize, last: String, output: PathBuf },
    #[error(
        "it was interrupted {times} times{}; see {}",
        if *is_fruitless { " in a row without a step of progress, so `[run] time-limit` is too short for it" } else { "" },
        output.display()
    )]
    Interrupted { times: usize, is_fruitless: bool, output: PathBuf },
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Fence(#[from] FenceError),
    #[error(transparent)]
    Told(Box<dyn std::error::Error + Send + Sync>),
}

/// How often whoever waits is asked what it wants.
const TICK: Duration = Duration::from_millis(100);

/// Waits, and asks meanwhile what is wanted.
pub(super) fn pause(tell: &mut Tell, time: Duration) -> Result<Ask, WorkError> {
    let until = Instant::now() + time;
    loop {
        match tell(News::Nothing).map_err(WorkError::Told)? {
            Ask::Continue => {}
            other => {
                // So that a request that cannot be met at once is not repeated without a pause.
                std::thread::sleep(TICK);
                return Ok(other);
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Ask::Continue);
        }
        std::thread::sleep(left.min(TICK));
    }
}
