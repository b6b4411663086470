//! `[tune]`: how a study looks for a better network, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[tune]` of a study file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TuneSpec {
    /// Who proposes the next edits.
    pub policy: Policy,
    /// When the study is over.
    pub goal: Goal,
    /// Most trials, the first one included.
    #[schemars(range(min = 1, max = 100_000))]
    pub trials: usize,
    /// Most seconds of training, over all trials; no limit unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Most parameters a grown network may have; no limit unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub parameters: Option<usize>,
}

impl Default for TuneSpec {
    fn default() -> Self {
        Self { policy: Policy::Grow, goal: Goal::Pass, trials: 8, seconds: None, parameters: None }
    }
}

/// Who proposes the next edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Reads the curves, says what is wrong, and makes the cheapest edit that can help.
    Grow,
}

/// When a study is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// At the first trial that opens the gate.
    Pass,
}
