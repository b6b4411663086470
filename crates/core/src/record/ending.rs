//! Why a training ended.

use serde::{Deserialize, Serialize};

/// Why a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All planned epochs were trained.
    Completed,
    /// Early stopping: validation accuracy no longer rose.
    StoppedEarly,
    /// The loss or the weights became infinite or NaN.
    Diverged,
    /// It was ended early because it could no longer have passed the gate.
    GivenUp,
    /// A time limit of the study passed; the best epoch counts.
    OutOfTime,
    /// A stop was requested; the state is saved, and training can continue. No recorded trial has this
    /// ending.
    Stopped,
}
