//! The records of decisions, which are never changed. Each contains the hash of the previous one, so that changed or
//! missing records are detected.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::judge::Judgement;
use crate::retrain::Retraining;

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Version of this format.
    pub v: u32,
    /// Its number, from 1.
    pub record: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it: the user and machine, or a server.
    pub by: String,
    /// The decision.
    pub action: Action,
    /// The alias that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The version that the alias pointed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The version that was added, promoted, refused or rolled back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// SHA-256 of that version's `version.json`, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Whether it was promoted by force, regardless of the judgement.
    #[serde(default)]
    pub forced: bool,
    /// The judgement, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// The retraining that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retraining: Option<Retraining>,
    /// The judgement on held-out feedback, if there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement_of_feedback: Option<Judgement>,
    /// The removed versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<u64>,
    /// SHA-256 of the previous record, in hex; empty for the first.
    pub previous: String,
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// A version was added.
    Added,
    /// An alias moved to a version.
    Promoted,
    /// A version was judged and refused; no alias moved.
    Refused,
    /// An alias was rolled back to the previous version.
    RolledBack,
    /// Old versions were removed.
    Cleared,
}

impl Action {
    /// Whether an alias moves.
    pub fn moves(self) -> bool {
        matches!(self, Self::Promoted | Self::RolledBack)
    }
}

/// SHA-256 in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
