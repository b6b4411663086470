//! Reads checkpoints and verifies every byte.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::CheckpointError;
use super::manifest::{
    MANIFEST_FILE, MANIFEST_LIMIT_BYTES, Manifest, ManifestError, Meta, parse_manifest, sha256,
};
use super::place::Place;
use crate::sys::files::{FileError, Files, LEFTOVER_WRITE};

/// An undamaged checkpoint: every byte is as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Its folder.
    pub path: PathBuf,
    /// The position in the trial at which it was taken.
    pub place: Place,
    /// Its description.
    pub meta: Meta,
    /// The content of its files, by name.
    pub parts: BTreeMap<String, Vec<u8>>,
}

/// The result of [`newest_valid`].
#[derive(Debug, Default)]
pub struct Found {
    /// The newest undamaged checkpoint, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// Newer, damaged ones, newest first.
    pub rejected: Vec<Rejection>,
}

/// A damaged checkpoint.
#[derive(Debug, thiserror::Error)]
#[error("checkpoint file {} {reason}", path.display())]
pub struct Rejection {
    /// The position in the trial at which it was taken.
    pub place: Place,
    /// The damaged file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub reason: RejectionReason,
}

/// What is wrong with a file of a checkpoint.
#[derive(Debug)]
pub enum RejectionReason {
    /// It is missing, or cannot be read.
    Unreadable(FileError),
    /// It is the manifest, and is damaged.
    Manifest(ManifestError),
    /// It is too short or too long.
    Length {
        /// Its length in bytes when it was written.
        expected: u64,
        /// Its length in bytes now; `expected + 1` if it is only known to be longer.
        found: u64,
    },
    /// Its bytes have changed.
    Hash,
}

impl fmt::Display for RejectionReason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Unreadable(error) if error.is_not_found() => write!(f, "is missing"),
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::Manifest(error) => write!(f, "{error}"),
            Self::Length { expected, found } if found < expected => {
                write!(f, "has only {found} of its {expected} bytes")
            }
            Self::Length { expected, .. } => write!(f, "has more than its {expected} bytes"),
            Self::Hash => write!(f, "does not match its hash"),
        }
    }
}

impl std::error::Error for RejectionReason {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => std::error::Error::source(error),
            Self::Manifest(error) => std::error::Error::source(error),
            Self::Length { .. } | Self::Hash => None,
        }
    }
}

/// Reads the newest undamaged checkpoint in `folder`. It changes nothing, so it can run while another
/// process writes. A missing folder has no checkpoints.
///
/// # Errors
///
/// If the folder cannot be listed, or the newest readable checkpoint has another format version: continuing
/// from an older one would silently lose progress.
pub fn newest_valid(files: &dyn Files, folder: &Path) -> Result<Found, CheckpointError> {
    let mut found = Found::default();
    for place in places(files, folder)?.into_iter().rev() {
        match load(files, &folder.join(place.to_string()), place) {
            Ok(checkpoint) => {
                found.checkpoint = Some(checkpoint);
                break;
            }
            Err(Rejection {
                path,
                reason: RejectionReason::Manifest(source @ ManifestError::Version { .. }),
                ..
            }) => return Err(CheckpointError::Manifest { path, source }),
            Err(rejection) => found.rejected.push(rejection),
        }
    }
    Ok(found)
}

/// The place of the newest checkpoint in a folder, damaged or not; `None` if there is none.
///
/// # Errors
///
/// If the folder cannot be listed.
pub fn newest_place(files: &dyn Files, folder: &Path) -> Result<Option<Place>, FileError> {
    Ok(places(files, folder)?.pop())
}

impl Checkpoint {
    /// Writes the checkpoint into another folder of checkpoints, as it is. Answers whether it is whole there.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn copy_into(&self, files: &dyn Files, folder: &Path) -> Result<bool, FileError> {
        let Ok(manifest) = files.read(&self.path.join(MANIFEST_FILE), MANIFEST_LIMIT_BYTES as u64)
        else {
            // Removed since it was read, by an attempt that runs on.
            return Ok(false);
        };
        files.create_folders(folder)?;
        let name = self.place.to_string();
        let temporary = folder.join(format!("{LEFTOVER_WRITE}{name}"));
        if files.kind(&temporary)?.is_some() {
            files.remove_folder(&temporary)?;
        }
        files.create_folder(&temporary)?;
        for (part, bytes) in &self.parts {
            files.write_synced(&temporary.join(part), bytes)?;
        }
        files.write_synced(&temporary.join(MANIFEST_FILE), &manifest)?;
        files.sync_folder(&temporary)?;
        files.rename(&temporary, &folder.join(name))?;
        files.sync_folder(folder)?;
        Ok(load(files, &folder.join(self.place.to_string()), self.place).is_ok())
    }
}

/// All checkpoints in a folder, ascending.
pub(super) fn places(files: &dyn Files, folder: &Path) -> Result<Vec<Place>, FileError> {
    let names = match files.list(folder) {
        Err(error) if error.is_not_found() => Vec::new(),
        other => other?,
    };
    let mut places: Vec<Place> = names.iter().filter_map(|name| name.parse().ok()).collect();
    places.sort_unstable();
    Ok(places)
}

fn load(files: &dyn Files, path: &Path, place: Place) -> Result<Checkpoint, Rejection> {
    let manifest = load_manifest(files, path, place)?;
    let mut parts = BTreeMap::new();
    for entry in manifest.parts {
        let part = path.join(&entry.name);
        let reject = |reason| Rejection { place, path: part.clone(), reason };
        let expected = entry.bytes;
        let bytes = match files.read(&part, expected) {
            Ok(bytes) => bytes,
            Err(FileError::TooLarge { .. }) => {
                let found = expected.saturating_add(1);
                return Err(reject(RejectionReason::Length { expected, found }));
            }
            Err(error) => return Err(reject(RejectionReason::Unreadable(error))),
        };
        let found = bytes.len() as u64;
        if found != expected {
            return Err(reject(RejectionReason::Length { expected, found }));
        }
        if sha256(&bytes) != entry.sha256 {
            return Err(reject(RejectionReason::Hash));
        }
        parts.insert(entry.name, bytes);
    }
    Ok(Checkpoint { path: path.into(), place, meta: manifest.meta, parts })
}

pub(super) fn load_manifest(
    files: &dyn Files,
    path: &Path,
    place: Place,
) -> Result<Manifest, Rejection> {
    let path = path.join(MANIFEST_FILE);
    let parsed = match files.read(&path, MANIFEST_LIMIT_BYTES as u64) {
        Ok(bytes) => parse_manifest(&bytes).map_err(RejectionReason::Manifest),
        Err(error) => Err(RejectionReason::Unreadable(error)),
    };
    parsed.map_err(|reason| Rejection { place, path, reason })
}
