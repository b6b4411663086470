//! How a training ended.

use serde::{Deserialize, Serialize};

/// How a training ended, for the loop, the policies and the record alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All planned epochs are done.
    Completed,
    /// Validation accuracy no longer rose.
    StoppedEarly,
    /// Something stopped being a number.
    Diverged,
    /// It could not have passed the gate.
    GivenUp,
    /// The time that the study file allows had passed; the best epoch is kept.
    OutOfTime,
    /// Whoever watches asked for it; the state is saved, and the training can go on. Never the
    /// ending of a trial in the record.
    Stopped,
}
