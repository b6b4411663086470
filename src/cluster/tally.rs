//! How often a piece of work was begun again, and why.

use serde::{Deserialize, Serialize};

/// Why a job came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// It was preempted, or reached its time limit; it goes on from its checkpoint.
    Interrupted,
    /// The same, but without a step of progress.
    Fruitless,
    /// The node, the scheduler or somebody ended it, or it never began.
    Node,
    /// The trial failed by itself.
    Trial,
}

/// The counts of a piece of work so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) interruptions: usize,
    /// Interruptions in a row without progress.
    pub(crate) fruitless: usize,
    pub(crate) node_failures: usize,
    pub(crate) trial_failures: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, cause: Cause) {
        match cause {
            Cause::Interrupted => {
                self.interruptions += 1;
                self.fruitless = 0;
            }
            Cause::Fruitless => {
                self.interruptions += 1;
                self.fruitless += 1;
            }
            Cause::Node => self.node_failures += 1,
            Cause::Trial => self.trial_failures += 1,
        }
    }
}
