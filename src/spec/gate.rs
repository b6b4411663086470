//! `[gate]`: what a trial has to reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[gate]` of a study file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GateSpec {
    /// Accuracy on the validation images that opens the gate, as a fraction in 0..=1.
    pub accuracy: f64,
    /// Judge by the lower bound of the Wilson interval at this confidence (0.95, say) instead of
    /// the accuracy itself, so that luck on few images does not open the gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

impl Default for GateSpec {
    fn default() -> Self {
        Self { accuracy: 0.80, confidence: None }
    }
}
