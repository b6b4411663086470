//! The process that holds a run folder, as it is recorded in the lock and in claims.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::process::ProcessName;

/// The process that holds a lock or a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    #[serde(flatten)]
    pub process: ProcessName,
    /// The time since when it holds it.
    pub since: Timestamp,
    /// Its command.
    pub command: String,
    /// Its fencing number, higher than those of all earlier holders.
    pub fence: u64,
}
