//! A task for another machine: what to train, and where its files are.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::record::{Ending, EpochRecord, Inherit, RangeTest};
use crate::spec::Edit;

/// The part of a trial's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// The training.
    Train,
    /// The network of a fold, counted from 2.
    Fold(u32),
    /// The learning rate range test.
    Rates,
}

impl Part {
    /// The folder of its attempts, in that of the trial.
    pub(crate) fn folder(self) -> PathBuf {
        match self {
            Self::Train => "attempts".into(),
            Self::Fold(fold) => PathBuf::from("folds").join(fold.to_string()).join("attempts"),
            Self::Rates => PathBuf::from("rates").join("attempts"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Train => f.write_str("train"),
            Self::Fold(fold) => write!(f, "fold-{fold}"),
            Self::Rates => f.write_str("rates"),
        }
    }
}

/// The error of text that is not a part of a trial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use train, fold-N or rates")]
pub(crate) struct PartError;

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let fold = || text.strip_prefix("fold-")?.parse().ok().map(Self::Fold);
        match text {
            "train" => Ok(Self::Train),
            "rates" => Ok(Self::Rates),
            _ => fold().filter(|part| part.to_string() == text).ok_or(PartError),
        }
    }
}

/// What a job trains: the content of `task.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) trial: u32,
    /// The trial's study file.
    pub(crate) spec: String,
    /// Hash of the study as the study's process parsed it.
    pub(crate) spec_hash: String,
    /// The trial's folder, or that of the fold, relative to the run folder.
    pub(crate) folder: PathBuf,
    pub(crate) parent: Option<TaskParent>,
    /// Whether the trial may be given up once it cannot pass the gate.
    pub(crate) may_give_up: bool,
    /// Whether to measure how hard the data is.
    #[serde(default)]
    pub(crate) samples_data: bool,
    /// Whether to record where the time goes.
    pub(crate) profile: bool,
    /// The trial's own epochs, for the network of a fold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) trained: Vec<EpochRecord>,
    /// The middle of a range test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) middle: Option<f64>,
}

/// The trial that a task's trial was grown from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskParent {
    pub(crate) trial: u32,
    pub(crate) spec: String,
    /// Its folder of checkpoints, relative to the run folder.
    pub(crate) folder: PathBuf,
    pub(crate) edits: Vec<Edit>,
    pub(crate) inherit: Inherit,
}

/// The result of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The training of a trial, or of a fold's network.
    Trained { curve: Vec<EpochRecord>, ending: Ending, train_seconds: f64, images_per_second: f64 },
    /// A range test; `None` if the network cannot be tested.
    Tested(Option<RangeTest>),
    /// The images have no such fold.
    Unsupported,
}

#[cfg(test)]
mod tests;
