//! How often a task was restarted, and why.

use serde::{Deserialize, Serialize};

/// Why a job is followed by another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RetryCause {
    /// It was preempted or reached its time limit; the next one resumes from its checkpoint.
    Interrupted,
    /// The same, but without any progress.
    #[serde(rename = "fruitless")]
    NoProgress,
    /// The node, the scheduler or a user ended it, or it never started.
    Node,
    /// The trial failed by itself.
    Trial,
}

/// The retries of a task so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RetryCounts {
    pub(crate) interruptions: usize,
    /// Interruptions in a row without progress.
    pub(crate) without_progress: usize,
    pub(crate) node_failures: usize,
    pub(crate) trial_failures: usize,
}

impl RetryCounts {
    pub(crate) fn add(&mut self, cause: RetryCause) {
        match cause {
            RetryCause::Interrupted => {
                self.interruptions += 1;
                self.without_progress = 0;
            }
            RetryCause::NoProgress => {
                self.interruptions += 1;
                self.without_progress += 1;
            }
            RetryCause::Node => self.node_failures += 1,
            RetryCause::Trial => self.trial_failures += 1,
        }
    }
}
