//! What a child inherits from its parent.

use serde::{Deserialize, Serialize};

/// What a child inherits from its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inherit {
    /// Nothing: it starts from fresh weights.
    Nothing,
    /// Every weight that fits; its epochs are counted from 1.
    Weights,
    /// Like `Weights`, but shrunk and perturbed (Ash and Adams 2020), so that a network that fits nearly
    /// every training image can still learn.
    Refreshed,
    /// The whole training state: the child continues its parent's training.
    State,
}
