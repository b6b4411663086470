//! What became of a parent's weights in its child.

use serde::{Deserialize, Serialize};

/// What became of a parent's weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraftReport {
    /// Arrays of the child that hold the parent's numbers, whole or in part.
    pub carried: Vec<String>,
    /// Arrays of the child that start afresh.
    pub fresh: Vec<String>,
    /// Whether the child says what the parent said until its first step.
    #[serde(default)]
    pub preserved: bool,
    /// What changed in what the network says, in words.
    #[serde(default)]
    pub changed: Vec<String>,
    /// Whether the optimizer goes on with what it knows of the parent's gradients.
    #[serde(default)]
    pub optimizer: bool,
}
