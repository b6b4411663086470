//! Versions: a folder of files with a manifest, written as a whole and never changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::RegistryError;
use super::measured::{pack, unpack};
use super::record::sha256;
use crate::sys::files::{Files, LEFTOVER_WRITE};

/// File of the manifest, in the folder of a version.
pub(super) const MANIFEST_FILE: &str = "version.json";
/// The file with the correctly classified held-out images.
const RIGHT_FILE: &str = "held-out-right.bin";
/// The largest manifest, most of which are indices of held-out images that were seen in training.
pub(super) const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// The largest file of a version.
pub(super) const FILE_BYTES_MAX: u64 = 4 << 30;

/// The manifest of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Version of this format.
    pub v: u32,
    /// The number of the version.
    pub version: u64,
    /// When it was added.
    pub added: Timestamp,
    /// The version of burgeon that added it.
    pub burgeon: String,
    /// The name of its study.
    pub study: String,
    /// Where it was added from.
    pub run: String,
    /// Hash of its weights.
    pub weights_hash: String,
    /// Number of its parameters.
    pub parameters: u64,
    /// `[channels, height, width]` of its input.
    pub shape: [usize; 3],
    /// The names of its classes, by label.
    pub classes: Vec<String>,
    /// SHA-256 of the held-out images that it was measured on.
    pub held_out: String,
    /// The accuracy on them, 0..=1, including those seen in training.
    pub accuracy: f64,
    /// Held-out images that are among its training and validation images, by index.
    pub seen: Vec<u32>,
    /// Whether that was checked.
    pub data_checked: bool,
    /// The model whose weights its study started from, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<String>,
    /// Bytes of the model file.
    pub size_bytes: u64,
    /// Milliseconds per image on the machine that added it, the median of many.
    pub latency_ms: f64,
    /// Its files by name.
    pub files: BTreeMap<String, FileEntry>,
}

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
}

/// The content of a file for a version.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The content of this file.
    Copy(PathBuf),
}

/// A version before it is added: `manifest` without number, time and files.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Its manifest.
    pub manifest: Manifest,
    /// Which of the held-out images it classifies correctly.
    pub right: Vec<bool>,
    /// Its files by name.
    pub files: Vec<(String, Content)>,
}

/// Parses the number of a version as users write it: `3`, `v3` or `000003`.
///
/// # Errors
///
/// If it is not a version number.
pub(crate) fn parse_version(text: &str) -> Result<u64, RegistryError> {
    let digits = text.strip_prefix('v').unwrap_or(text);
    let is_number = (1..=18).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|&number: &u64| is_number && number > 0)
        .ok_or_else(|| RegistryError::NotAVersion { text: text.into() })
}

/// The folder of a version.
pub(crate) fn version_name(version: u64) -> String {
    format!("{version:06}")
}

/// Writes a version into `folder`, which must not exist, and returns its manifest and the hash of that. After a crash,
/// the folder is complete or does not exist.
pub(super) fn write(
    files: &dyn Files,
    folder: &Path,
    draft: Draft,
) -> Result<(Manifest, String), RegistryError> {
    let Draft { mut manifest, right, files: contents } = draft;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.with_file_name(format!("{LEFTOVER_WRITE}{name}"));
    let written = (|| {
        files.create_folder(&temporary)?;
        let right = (RIGHT_FILE.to_owned(), Content::Bytes(pack(&right)));
        for (name, content) in contents.into_iter().chain([right]) {
            let bytes = match content {
                Content::Bytes(bytes) => bytes,
                Content::Copy(path) => files.read(&path, FILE_BYTES_MAX)?,
            };
            files.write_synced(&temporary.join(&name), &bytes)?;
            let entry = FileEntry { bytes: bytes.len() as u64, sha256: sha256(&bytes) };
            manifest.files.insert(name, entry);
        }
        let mut json = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
        json.push(b'\n');
        files.write_synced(&temporary.join(MANIFEST_FILE), &json)?;
        files.sync_folder(&temporary)?;
        files.rename(&temporary, folder)?;
        files.sync_folder(crate::sys::files::parent(folder))?;
        Ok(sha256(&json))
    })();
    match written {
        Ok(hash) => Ok((manifest, hash)),
        Err(error) => {
            // Frees as much space as possible; the next writer removes the rest.
            let _ = files.remove_folder(&temporary);
            Err(error)
        }
    }
}

/// Reads a manifest. Returns it with its hash.
pub(super) fn read(files: &dyn Files, folder: &Path) -> Result<(Manifest, String), RegistryError> {
    let path = folder.join(MANIFEST_FILE);
    let bytes = files.read(&path, MANIFEST_BYTES_MAX)?;
    let damaged = |why: String| RegistryError::Damaged { path: path.clone(), why };
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if manifest.v != 1 {
        return Err(damaged("it was written by another version of burgeon".into()));
    }
    // Names become paths.
    let is_name = |name: &String| {
        !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
    };
    match manifest.files.keys().find(|name| !is_name(name)) {
        Some(name) => Err(damaged(format!("{name:?} is not a valid file name"))),
        None => Ok((manifest, sha256(&bytes))),
    }
}

impl Manifest {
    /// The bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.values().fold(0, |sum: u64, file| sum.saturating_add(file.bytes))
    }

    /// Checks every file by its hash.
    pub(super) fn check_files(
        &self,
        files: &dyn Files,
        folder: &Path,
    ) -> Result<(), RegistryError> {
        for (name, entry) in &self.files {
            let path = folder.join(name);
            check_file(files, &path, entry)?;
        }
        Ok(())
    }

    /// Checks that every file exists and has its length, which is fast.
    pub(super) fn check_lengths(
        &self,
        files: &dyn Files,
        folder: &Path,
    ) -> Result<(), RegistryError> {
        for (name, entry) in &self.files {
            let path = folder.join(name);
            // Its last byte, and none after it.
            let end = files.read_at(&path, entry.bytes.saturating_sub(1), 2)?;
            if end.len() as u64 != entry.bytes.min(1) {
                let why = format!("it should have {} bytes", entry.bytes);
                return Err(RegistryError::Damaged { path, why });
            }
        }
        Ok(())
    }

    /// Which of the held-out images it classifies correctly.
    pub(super) fn right(
        &self,
        files: &dyn Files,
        folder: &Path,
        images: usize,
    ) -> Result<Vec<bool>, RegistryError> {
        let path = folder.join(RIGHT_FILE);
        let damaged = |why: &str| RegistryError::Damaged { path: path.clone(), why: why.into() };
        let entry =
            self.files.get(RIGHT_FILE).ok_or_else(|| damaged("the manifest does not list it"))?;
        let bytes = check_file(files, &path, entry)?;
        unpack(&bytes, images).ok_or_else(|| damaged("it belongs to other held-out images"))
    }
}

/// Reads a file and checks its hash.
fn check_file(files: &dyn Files, path: &Path, entry: &FileEntry) -> Result<Vec<u8>, RegistryError> {
    let damaged = |why: String| RegistryError::Damaged { path: path.into(), why };
    let bytes = match files.read(path, entry.bytes) {
        Ok(bytes) => bytes,
        Err(crate::sys::files::FileError::TooLarge { .. }) => {
            return Err(damaged(format!("it has more than its {} bytes", entry.bytes)));
        }
        Err(error) => return Err(error.into()),
    };
    let found = hex::encode(Sha256::digest(&bytes));
    if found == entry.sha256 {
        return Ok(bytes);
    }
    Err(damaged(format!("its SHA-256 is {found}, not {}", entry.sha256)))
}

#[cfg(test)]
mod tests;
