//! `manifest.json`: describes a checkpoint and holds the hashes of its files.
//!
//! It begins with its own hash, `{"sha256":"…`, of everything after the 64 digits. So the file is plain
//! JSON, and every byte of it is covered.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Name of the file that makes a folder a checkpoint.
pub(super) const MANIFEST_FILE: &str = "manifest.json";

/// Version of the layout of folder and manifest. It does not cover the content of the parts.
pub const FORMAT_VERSION: u32 = 1;

/// The largest manifest that is written or read. Most of it is [`Meta::state`].
pub const MANIFEST_LIMIT_BYTES: usize = 16 << 20;

const PARTS_MAX: usize = 64;

/// The description of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Number of the trial.
    pub trial: u32,
    /// Finished epochs.
    pub epoch: u32,
    /// Finished steps of the epoch after those.
    pub step: u64,
    /// Hash of the trial's spec.
    pub spec_hash: String,
    /// Hash of the images and labels.
    pub data_hash: String,
    /// Whether no earlier checkpoint of the trial had better weights.
    pub best: bool,
    /// The rest of the training state, which is too small for its own files.
    pub state: Value,
}

/// Content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT_VERSION`] of its writer.
    pub version: u32,
    /// Fencing number of its writer.
    pub fence: u64,
    /// The description of the checkpoint.
    pub meta: Meta,
    /// All other files in the folder.
    pub parts: Vec<PartEntry>,
}

/// One file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEntry {
    /// Its name in the folder.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Longer than any manifest.
    #[error("is longer than {MANIFEST_LIMIT_BYTES} bytes")]
    TooLong,
    /// Its first bytes are not those of a manifest.
    #[error("does not start with its hash")]
    NoHash,
    /// Its content does not match its hash.
    #[error("does not match its hash")]
    WrongHash,
    /// Its hash is right, but it is not JSON, or a key is missing.
    #[error("cannot be read")]
    Json(#[from] serde_json::Error),
    /// Written by another version of burgeon.
    #[error("has format version {found}; this burgeon reads version {FORMAT_VERSION}")]
    Version {
        /// Its version.
        found: u64,
    },
    /// It lists a file with an invalid name, or two files with the same name.
    #[error("lists the file `{name}`, whose name is invalid or repeated")]
    PartName {
        /// The name of the file.
        name: String,
    },
    /// It lists too many files.
    #[error("lists {found} files; at most {PARTS_MAX} are allowed")]
    TooManyParts {
        /// The number of files.
        found: usize,
    },
}

/// A checkpoint of another study or of other data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} changed since the checkpoint was written (hash {then} then, {now} now)")]
pub struct Mismatch {
    /// What differs: `study` or `data`.
    pub what: &'static str,
    /// Its hash in the checkpoint.
    pub then: String,
    /// Its hash now.
    pub now: String,
}

impl Meta {
    /// Checks that the checkpoint is of this study and this data.
    ///
    /// # Errors
    ///
    /// If it is not, and training must not continue from it.
    pub fn check(&self, spec_hash: &str, data_hash: &str) -> Result<(), Mismatch> {
        for (what, then, now) in
            [("study", &self.spec_hash, spec_hash), ("data", &self.data_hash, data_hash)]
        {
            if then != now {
                return Err(Mismatch { what, then: then.clone(), now: now.into() });
            }
        }
        Ok(())
    }
}

const OPENING: &[u8] = b"{\"sha256\":\"";
const HASH_DIGITS: usize = 64;

impl Manifest {
    /// The content of the file.
    ///
    /// # Errors
    ///
    /// If [`parse_manifest`] would refuse it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        check_parts(&self.parts)?;
        let json = serde_json::to_string(self)?;
        let rest = format!("\",{}\n", json.strip_prefix('{').unwrap_or(&json));
        let bytes = [OPENING, sha256(rest.as_bytes()).as_bytes(), rest.as_bytes()].concat();
        if bytes.len() > MANIFEST_LIMIT_BYTES {
            return Err(ManifestError::TooLong);
        }
        Ok(bytes)
    }
}

/// Parses and verifies a manifest. Memory stays within a small multiple of its length.
///
/// # Errors
///
/// If any bit differs from what was written, or the version is another.
pub fn parse_manifest(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    if bytes.len() > MANIFEST_LIMIT_BYTES {
        return Err(ManifestError::TooLong);
    }
    let (hash, rest) = bytes
        .strip_prefix(OPENING)
        .and_then(|rest| rest.split_at_checked(HASH_DIGITS))
        .ok_or(ManifestError::NoHash)?;
    if sha256(rest).as_bytes() != hash {
        return Err(ManifestError::WrongHash);
    }
    // The version first, because the other keys depend on it.
    let Version { version } = serde_json::from_slice(bytes)?;
    if version != u64::from(FORMAT_VERSION) {
        return Err(ManifestError::Version { found: version });
    }
    let manifest: Manifest = serde_json::from_slice(bytes)?;
    check_parts(&manifest.parts)?;
    Ok(manifest)
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

fn check_parts(parts: &[PartEntry]) -> Result<(), ManifestError> {
    if parts.len() > PARTS_MAX {
        return Err(ManifestError::TooManyParts { found: parts.len() });
    }
    for (index, part) in parts.iter().enumerate() {
        let is_repeated = parts[..index].iter().any(|other| other.name == part.name);
        if is_repeated || !is_part_name(&part.name) {
            let name = part.name.clone();
            return Err(ManifestError::PartName { name });
        }
    }
    Ok(())
}

fn is_part_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('.')
        && name != MANIFEST_FILE
}

/// SHA-256 in lower-case hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
