//! The interface to a scheduler: submit, state, cancel.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A scheduler of jobs on other machines. Its calls may take seconds, and may fail though they did what they were asked.
pub trait Scheduler: Send + Sync {
    /// Submits a job; answers its id.
    ///
    /// # Errors
    ///
    /// When the scheduler did not confirm it. It may have taken the job all the same, so that it is looked up by its name
    /// before it is submitted again.
    fn submit(&self, job: &Job) -> Result<String, SchedulerError>;

    /// The states of these jobs, all at once. A name may have several jobs, if one was submitted twice, and none, if the
    /// scheduler does not know it yet or any more.
    ///
    /// # Errors
    ///
    /// When the scheduler cannot be asked. That says nothing of the jobs.
    fn states(&self, jobs: &[JobRef]) -> Result<BTreeMap<String, Vec<JobStatus>>, SchedulerError>;

    /// Cancels jobs. Those that have ended are no error.
    ///
    /// # Errors
    ///
    /// When the scheduler cannot be asked.
    fn cancel(&self, jobs: &[JobRef]) -> Result<(), SchedulerError>;
}

/// A job to submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name, which no other job has or will have.
    pub name: String,
    /// The shell script that it runs.
    pub script: PathBuf,
    /// The file that takes what it prints.
    pub output: PathBuf,
    /// Nodes that it must not run on.
    pub excluded: Vec<String>,
}

/// A job as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRef {
    /// Its name.
    pub name: String,
    /// Its id, if that is known.
    pub id: Option<String>,
}

/// What a scheduler says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: JobState,
    /// The node that it runs or ran on.
    pub node: Option<String>,
    /// Why it waits, in the scheduler's words.
    pub reason: Option<String>,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// It waits for a node, perhaps not for the first time.
    Pending,
    /// It runs, or is about to begin or to end.
    Running,
    /// It has ended, and will not run again by itself.
    Ended(JobEnd),
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobEnd {
    /// With exit code 0.
    Completed,
    /// With another exit code, or by a signal.
    Failed,
    /// By the time limit.
    TimedOut,
    /// By a job of higher priority.
    Preempted,
    /// With its node.
    NodeFailed,
    /// By somebody.
    Cancelled,
}

impl JobState {
    /// Its name, as a user's command writes it and as it is shown.
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

    /// Whether the job may still do something.
    pub fn is_alive(self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

/// Why a scheduler did not do what it was asked.
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
        /// The time that it had.
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
    /// Its program printed something else than it should.
    #[error("{program} printed {line:?}; {right}")]
    Unclear {
        /// The program.
        program: String,
        /// The line.
        line: String,
        /// What it should print.
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
