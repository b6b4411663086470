//! Decisions with their figures, which are never changed. Each holds the hash of the one before, so that a changed or
//! missing one is noticed.

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
    /// Who made it: user and machine, or through which server.
    pub by: String,
    /// What was decided.
    pub action: Action,
    /// The alias that was to move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The version that it pointed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The version that was added, promoted, refused or gone back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// SHA-256 of that version's `version.json`, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Whether it was promoted by force, whatever the judgement.
    #[serde(default)]
    pub forced: bool,
    /// The judgement with its figures, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// The retraining that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retraining: Option<Retraining>,
    /// The judgement on the held-out images of feedback, where there were some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement_of_feedback: Option<Judgement>,
    /// Versions that were cleared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<u64>,
    /// SHA-256 of the record before, in hex; empty for the first.
    pub previous: String,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// A version was added.
    Added,
    /// An alias moved to a version.
    Promoted,
    /// A version was judged and refused; nothing moved.
    Refused,
    /// An alias went back to the version before.
    RolledBack,
    /// Old versions were cleared.
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
