//! What the record of a decision says about the retraining that led to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A retraining, as far as its decision is to be understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Retraining {
    /// Its number, from 1.
    pub round: u64,
    /// Why it began.
    pub cause: Cause,
    /// When it began; labels that came later are not part of it.
    pub begun: Timestamp,
    /// Images of feedback that it was trained on, those of the retrainings before included.
    pub images: usize,
    /// Images of feedback that it was judged by.
    pub held_out: usize,
    /// New images by who gave their labels.
    pub sources: BTreeMap<String, usize>,
    /// SHA-256 of the study's own data, in hex; empty while it is not known.
    pub data: String,
    /// Why it was given up or rolled back, if no judgement says so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Why a model is trained again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// There is an alarm of drift, and labels are at hand.
    Drift,
    /// Enough labels came.
    Feedback,
    /// The content of the study's data changed.
    Data,
    /// It was time.
    Schedule,
    /// Somebody asked for it.
    Hand,
}

impl Cause {
    /// As it is shown.
    pub fn words(self) -> &'static str {
        match self {
            Self::Drift => "drift, with labels at hand",
            Self::Feedback => "feedback",
            Self::Data => "changed data",
            Self::Schedule => "the schedule",
            Self::Hand => "by hand",
        }
    }
}
