//! The report of a graft.

use serde::{Deserialize, Serialize};

/// What a child inherited from its parent's weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraftReport {
    /// Arrays of the child with values of the parent, in whole or in part.
    pub carried: Vec<String>,
    /// Arrays of the child with fresh initial values.
    pub fresh: Vec<String>,
    /// Whether the child computes the same outputs as the parent until its first step.
    #[serde(default)]
    pub preserved: bool,
    /// What changes the outputs, as clauses.
    #[serde(default)]
    pub changed: Vec<String>,
    /// Whether the optimizer's state was carried over as well.
    #[serde(default)]
    pub optimizer: bool,
}
