//! What the record of a decision says about the retraining that led to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A retraining: why it began, and which feedback it used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Retraining {
    /// Its number, from 1.
    #[serde(rename = "round")]
    pub number: u64,
    /// Why it began.
    pub cause: Cause,
    /// When it began; labels given later are not part of it.
    pub begun: Timestamp,
    /// Feedback images that it was trained on, including those of earlier retrainings.
    pub images: usize,
    /// Feedback images that it was judged on.
    pub held_out: usize,
    /// The number of new images from each source of labels.
    pub sources: BTreeMap<String, usize>,
    /// SHA-256 of the study's own data, in hex; empty until it is known.
    pub data: String,
    /// When its training ended; `None` if no network passed the gate of the study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained: Option<Timestamp>,
    /// Why it was refused or rolled back, unless a judgement says so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Why a model is retrained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// There is a drift alarm, and there are enough labels.
    Drift,
    /// Enough new labels were given.
    Feedback,
    /// The content of the study's data changed.
    Data,
    /// A scheduled time was reached.
    Schedule,
    /// A user asked for it.
    Hand,
}

impl Cause {
    /// As users see it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Drift => "drift alarm",
            Self::Feedback => "new feedback",
            Self::Data => "changed data",
            Self::Schedule => "schedule",
            Self::Hand => "requested by a user",
        }
    }
}
