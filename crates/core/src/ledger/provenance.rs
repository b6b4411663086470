//! The provenance of a run: what is needed to repeat it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The content of `provenance.json`.
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
    /// Name of the device.
    pub device: String,
    /// Number of CPU threads.
    pub threads: usize,
    /// Name of the processor, if known.
    pub cpu: Option<String>,
    /// The instruction set of the CPU kernels: `portable`, `avx2` or `avx512`. Not recorded by version
    /// 0.1.0.
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
    /// What was read, in words: a folder, an address, or the built-in generator.
    pub origin: String,
    /// Absolute path of the folder that was read; `None` if there is none, or it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Why the built-in digits replace the requested data; `None` if they do not.
    pub fallback: Option<String>,
    /// Version of the rule that chooses validation images from the training images
    /// ([`SPLIT_VERSION`](crate::data::SPLIT_VERSION)). Not recorded by version 0.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<u32>,
    /// SHA-256 of every file or array, by name, in hex.
    pub sha256: BTreeMap<String, String>,
}

/// The name of the processor; `None` where the system does not provide it.
pub fn cpu_name() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
