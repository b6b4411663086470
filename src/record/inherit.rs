//! What a child keeps of what its parent learned.

use serde::{Deserialize, Serialize};

/// What a child keeps of what its parent learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inherit {
    /// Nothing: the parent's weights are broken, or there is no parent.
    Nothing,
    /// Every weight that fits; the epochs start anew.
    Weights,
    /// As `Weights`, but every weight is shrunk and perturbed, so that a network that is sure of
    /// nearly every image can learn what was added to it.
    Refreshed,
    /// Weights, optimizer and position: the parent's training goes on.
    State,
}
