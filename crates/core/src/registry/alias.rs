//! Aliases: names that point to versions, and are moved atomically.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{Action, Record};

/// How many previous versions an alias remembers.
const HISTORY_MAX: usize = 100;

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alias {
    /// Version of this format.
    pub v: u32,
    /// Its name.
    pub alias: String,
    /// The version that it points to.
    pub version: u64,
    /// SHA-256 of that version's `version.json`, in hex.
    pub manifest: String,
    /// The number of the record of the decision that moved it here.
    pub record: u64,
    /// When it was moved.
    pub at: Timestamp,
    /// The previous versions; a rollback returns to the last one.
    pub history: Vec<u64>,
}

impl Alias {
    /// The alias after a decision; `None` if the decision moves no alias.
    pub fn after(before: Option<&Self>, record: &Record) -> Option<Self> {
        let (name, version) = (record.alias.clone()?, record.to?);
        let mut history = before.map(|before| before.history.clone()).unwrap_or_default();
        match record.action {
            Action::Promoted => history.extend(before.map(|before| before.version)),
            Action::RolledBack => {
                // Those above were cleared, or are the same version.
                while history.pop().is_some_and(|last| last != version) {}
            }
            Action::Added | Action::Refused | Action::Cleared => return None,
        }
        let surplus = history.len().saturating_sub(HISTORY_MAX);
        history.drain(..surplus);
        let (manifest, at) = (record.manifest.clone()?, record.at);
        Some(Self { v: 1, alias: name, version, manifest, record: record.record, at, history })
    }
}
