//! `[tune]`: how a study looks for a better network, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::keep::Keep;
use super::space::SearchSpace;

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
    /// Trials that train at the same time and share the cores. What is proposed for a trial rests
    /// on those before it but for the last `jobs`, so the number decides what is tried, and who
    /// ends first does not.
    #[schemars(range(min = 1, max = 256))]
    pub jobs: usize,
    /// Most seconds that the study may take, from its first trial on and without the time that it was
    /// stopped; the trial that trains when they have passed ends, and its best epoch counts. No limit
    /// unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Most parameters a grown network may have; no limit unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub parameters: Option<usize>,
    /// Most floating-point operations that a grown network may take for one image, forward; no
    /// limit unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub flops: Option<usize>,
    /// Which trials' checkpoints stay on the disk while the study goes on: "needed", "all", or a
    /// number of trials that are kept besides those that something may still need.
    #[serde(skip_serializing_if = "Keep::is_needed")]
    pub keep: Keep,
    /// What `random`, `tpe` and `asha` choose from.
    #[serde(skip_serializing_if = "SearchSpace::is_usual")]
    pub space: SearchSpace,
}

impl Default for TuneSpec {
    fn default() -> Self {
        Self {
            policy: Policy::Grow,
            goal: Goal::Pass,
            trials: 8,
            jobs: 1,
            seconds: None,
            parameters: None,
            flops: None,
            keep: Keep::Needed,
            space: SearchSpace::default(),
        }
    }
}

/// Who proposes the next edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Reads the curves, says what is wrong, and makes the cheapest edit that can help.
    Grow,
    /// Draws every trial from the search space at random.
    Random,
    /// Draws from where good trials lie dense (Bergstra et al. 2011).
    Tpe,
    /// Draws at random, trains shortly, and trains on only the best third again and again (Li et
    /// al. 2018).
    Asha,
}

/// When a study is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// At the first trial that opens the gate.
    Pass,
    /// When the budget ends; the most accurate trial wins.
    Best,
    /// When the budget ends or nothing is left to shrink; of the trials that open the gate, the
    /// one with the fewest parameters wins.
    Smallest,
}
