//! `[tune]`: how a study looks for a better network, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::keep::Keep;
use super::space::SearchSpace;

/// `[tune]` of a study file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TuneSpec {
    /// How the next trial is chosen.
    pub policy: Policy,
    /// When the study is over, and which trial wins.
    pub goal: Goal,
    /// Largest number of trials, the first one included.
    #[schemars(range(min = 1, max = 100_000))]
    pub trials: usize,
    /// Trials that train at the same time and share the cores. Trial k is proposed from the results
    /// of the trials up to k − `jobs`, so this number affects what is tried, but the order in which
    /// trials finish does not.
    #[schemars(range(min = 1, max = 256))]
    pub jobs: usize,
    /// Time limit of the study in seconds, from the start of its first trial, not counting the time between
    /// a stop and a resume. When it is reached, the running trial ends, and its best epoch counts.
    /// Training ends early enough for the evaluation, as earlier epochs took; evaluating the first epoch,
    /// writing the model, and reading the test images come on top. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Largest number of parameters that a network may have. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub parameters: Option<usize>,
    /// Largest number of floating-point operations that a network may need for one image, forward.
    /// Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub flops: Option<usize>,
    /// Which trials' checkpoints stay on disk: "needed" for those that may still be used, "all",
    /// or a number of the newest other trials to keep besides those needed.
    #[serde(skip_serializing_if = "Keep::is_needed")]
    pub keep: Keep,
    /// What `random`, `tpe` and `asha` choose from.
    #[serde(skip_serializing_if = "SearchSpace::is_default_space")]
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

/// How the next trial is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Diagnoses the last trial and makes the cheapest edit that can help.
    Grow,
    /// Samples every trial from the search space at random.
    Random,
    /// Begins with what is usual within the search space, then samples it where good trials are dense:
    /// tree-structured Parzen estimator (Bergstra et al. 2011).
    Tpe,
    /// Samples as `tpe` does, trains each trial for a few epochs, and repeatedly continues the training
    /// of the best third only: asynchronous successive halving (Li et al. 2018).
    Asha,
}

/// When a study is over, and which trial wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// At the first trial that passes the gate, which wins.
    Pass,
    /// When the budget is used up; the most accurate trial wins.
    Best,
    /// When the budget is used up or nothing is left to shrink; of the trials that pass the gate, the
    /// one with the fewest parameters wins.
    Smallest,
}
