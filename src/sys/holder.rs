//! Who holds a run folder, as its lock and its claims say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::process::ProcessName;

/// The process that holds a lock or a claim, as it signs for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    #[serde(flatten)]
    pub process: ProcessName,
    /// Since when.
    pub since: Timestamp,
    /// What it does.
    pub command: String,
    /// Its fencing number: higher than that of every holder before it.
    pub fence: u64,
}
