//! `[data]`: where images come from and how many are set aside.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[data]` of a study file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DataSpec {
    /// Where the images come from.
    pub source: Source,
    /// What happens when MNIST can neither be found nor fetched, and no folder was named for it.
    pub fallback: Fallback,
    /// Images carved out of the training split; the gate and the policies read these.
    #[schemars(range(min = 1))]
    pub validation: usize,
    /// Use only so many training images, after validation has been carved out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub train: Option<usize>,
    /// The folder of `source = "idx"`, or, in place of the usual ones, of `source = "mnist"`. A
    /// relative one is taken from the folder of the study file; with `--set`, from the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Whether the pictures to classify show digits in ink on paper, which are made light on dark and
    /// centred as MNIST's are. If not, they are taken whole. Unless said, `mnist` and `synthetic` do
    /// and `idx` does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centre_digits: Option<bool>,
}

impl DataSpec {
    /// Whether pictures to classify are digits that are centred as MNIST's are.
    pub fn centres_digits(&self) -> bool {
        self.centre_digits.unwrap_or(match self.source {
            Source::Mnist | Source::Synthetic => true,
            Source::Idx | Source::Own => false,
        })
    }
}

impl Default for DataSpec {
    fn default() -> Self {
        Self {
            source: Source::Mnist,
            fallback: Fallback::None,
            validation: 5000,
            train: None,
            path: None,
            centre_digits: None,
        }
    }
}

/// Where images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The MNIST database, found on disk or downloaded.
    Mnist,
    /// A folder of IDX files of any image size and class count.
    Idx,
    /// The built-in drawn digits.
    Synthetic,
    /// Images that a program hands over to the library; the command cannot load them.
    Own,
}

/// What happens when MNIST can neither be found nor fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// Warn, record it, and train on the built-in digits.
    Synthetic,
    /// Fail.
    None,
}
