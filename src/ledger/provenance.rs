//! Where a run comes from: enough to make it again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Content of `provenance.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of burgeon.
    pub version: String,
    /// The git commit that it was built from.
    pub commit: Option<String>,
    /// Whether files differed from that commit.
    pub dirty: Option<bool>,
    /// The command line.
    pub command: Vec<String>,
    /// What computes.
    pub device: String,
    /// Threads that compute.
    pub threads: usize,
    /// The processor's name, where the system tells.
    pub cpu: Option<String>,
    /// The instruction set that the CPU computes with: `portable`, `avx2` or `avx512`; runs of
    /// version 0.1.0 do not tell.
    #[serde(default)]
    pub instruction_set: Option<String>,
    /// The study's seed.
    pub seed: u64,
    /// Hash of the study's spec.
    pub spec_hash: String,
    /// Where the images come from.
    pub data: DataOrigin,
    /// When the run began.
    pub started_at: Timestamp,
}

/// Where images come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataOrigin {
    /// What was read: a folder, an address, or the name of a generator.
    pub origin: String,
    /// The folder that was read, named from the root; `None` where there is none, or its name is
    /// not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Why not what the study asked for; `None` when it is.
    pub fallback: Option<String>,
    /// How validation images are chosen, where they are carved out of the training file
    /// ([`SPLIT_VERSION`](crate::data::SPLIT_VERSION)); version 0.1.0 did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<u32>,
    /// SHA-256 of every file or array, by name, in hex.
    pub sha256: BTreeMap<String, String>,
}

/// The processor's name, where the system tells.
pub fn cpu_name() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
