//! The interface to a scheduler: submit, state, cancel.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A scheduler of jobs on other machines. Its calls may take seconds, and may fail although they took effect.
pub trait Scheduler: Send + Sync {
    /// Submits a job; returns its id.
    ///
    /// # Errors
    ///
    /// If the scheduler did not confirm it. It may have accepted the job all the same, so the job is looked up by its
    /// name before it is submitted again.
    fn submit(&self, job: &Job) -> Result<String, SchedulerError>;

    /// The states of these jobs, in one call. A name may have several jobs if one was submitted twice, and none if the
    /// scheduler does not know it yet or any more.
    ///
    /// # Errors
    ///
    /// If the scheduler cannot be asked. The states of the jobs are then unknown.
    fn states(&self, jobs: &[JobRef]) -> Result<BTreeMap<String, Vec<JobStatus>>, SchedulerError>;

    /// Cancels jobs. It is not an error if some have ended.
    ///
    /// # Errors
    ///
    /// If the scheduler cannot be asked.
    fn cancel(&self, jobs: &[JobRef]) -> Result<(), SchedulerError>;
}

/// A job to submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name, which no other job has or will have.
    pub name: String,
    /// The shell script that it runs.
    pub script: PathBuf,
    /// The file for its output.
    pub output: PathBuf,
    /// Nodes that it must not run on.
    pub excluded: Vec<String>,
}

/// A job to ask the scheduler about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRef {
    /// Its name.
    pub name: String,
    /// Its id, if that is known.
    pub id: Option<String>,
}

/// The status of a job according to the scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: JobState,
    /// The node that it runs or ran on.
    pub node: Option<String>,
    /// Why it waits, according to the scheduler.
    pub reason: Option<String>,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// It waits for a node, possibly after being requeued.
    Pending,
    /// It runs, or is starting or ending.
    Running,
    /// It has ended, and will not be requeued.
    Ended(JobEnd),
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobEnd {
    /// With exit code 0.
    Completed,
    /// With another exit code, or by a signal.
    Failed,
    /// Because of its time limit.
    TimedOut,
    /// Preempted by a job of higher priority.
    Preempted,
    /// Because its node failed.
    NodeFailed,
    /// Cancelled by a user.
    Cancelled,
}

impl JobState {
    /// Its name, for users' commands and for display.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Ended(JobEnd::Completed) => "completed",
            Self::Ended(JobEnd::Failed) => "failed",
            Self::Ended(JobEnd::TimedOut) => "timeout",
            Self::Ended(JobEnd::Preempted) => "preempted",
            Self::Ended(JobEnd::NodeFailed) => "node-failed",
            Self::Ended(JobEnd::Cancelled) => "cancelled",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        use JobEnd::{Cancelled, Completed, Failed, NodeFailed, Preempted, TimedOut};
        let ends = [Completed, Failed, TimedOut, Preempted, NodeFailed, Cancelled].map(Self::Ended);
        let mut all = [Self::Pending, Self::Running].into_iter().chain(ends);
        all.find(|state| state.name() == name)
    }

    /// Whether the job has not ended.
    pub fn is_alive(self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

/// Why a call of the scheduler failed.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// Its program cannot be started.
    #[error("{program} cannot be run; run burgeon on a machine that can submit jobs")]
    Missing {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// Its program did not end in time.
    #[error("{program} did not answer within {} s", limit.as_secs())]
    Silent {
        /// The program.
        program: String,
        /// The time limit.
        limit: Duration,
    },
    /// Its program failed.
    #[error("{program}: {said}")]
    Refused {
        /// The program.
        program: String,
        /// What it printed.
        said: String,
    },
    /// Its program printed unexpected output.
    #[error("{program} printed {line:?}; {right}")]
    Unclear {
        /// The program.
        program: String,
        /// The line.
        line: String,
        /// What it should have printed.
        right: &'static str,
    },
}

impl SchedulerError {
    /// Whether the same call may succeed a little later: the scheduler is down, busy or slow.
    pub fn is_passing(&self) -> bool {
        const PASSING: [&str; 9] = [
            "Unable to contact",
            "timed out",
            "Connection refused",
            "Connection reset",
            "Zero Bytes were transmitted",
            "temporarily",
            "Slurm backup controller",
            "try again",
            "Unexpected message",
        ];
        match self {
            Self::Silent { .. } => true,
            Self::Refused { said, .. } => PASSING.iter().any(|words| said.contains(words)),
            Self::Missing { .. } | Self::Unclear { .. } => false,
        }
    }
}
