//! The drift state on disk: written atomically, and used only if it is intact and of the same version, reference and
//! settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burgeon_drift::Reference;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::watched::{By, OwnedKept, Told, Watched, Watching};
use crate::serve::predict::slots::Served;
use crate::sys::error_chain;
use crate::sys::files::{FileError, Files, Operation, RealFiles};

const FILE: &str = "drift.json";
/// Larger than a state with a million values and 264 windows.
const BYTES_MAX: u64 = 64 << 20;

/// The file of the state.
#[derive(Debug)]
pub(super) struct Place(PathBuf);

/// What the file holds.
pub(super) enum Found {
    /// Nothing, or the state of the version under other settings.
    Nothing,
    /// The state of the version.
    State(Box<Watched>),
    /// The state of another version, with the alarms that people were told of.
    OtherVersion { version: String, told: Vec<(By, Told)> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    v: u32,
    version: String,
    manifest: String,
    /// SHA-256 of the reference that it was compared with.
    reference: String,
    /// Whether there is an alarm; read by `burgeon retrain`.
    #[serde(default)]
    alarm: bool,
    /// SHA-256 of the state.
    sha256: String,
    /// JSON as text, so that the hash is that of exactly these bytes.
    state: String,
}

impl Place {
    /// The file in the folder of the request log.
    pub(super) fn in_folder(requests: &Path) -> Self {
        Self(requests.join(FILE))
    }

    /// Reads the state of a version.
    ///
    /// # Errors
    ///
    /// A sentence, if it is damaged.
    pub(super) fn read(
        &self,
        served: &Served,
        reference: &Arc<Reference>,
        watching: &Watching,
    ) -> Result<Found, String> {
        let path = self.0.display();
        let bytes = match RealFiles.read(&self.0, BYTES_MAX) {
            Err(error) if error.is_not_found() => return Ok(Found::Nothing),
            read => read.map_err(|error| error_chain(&error))?,
        };
        let stored: Stored =
            serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))?;
        if sha256(stored.state.as_bytes()) != stored.sha256 {
            return Err(format!("{path} is damaged: its hash does not match"));
        }
        if stored.v != 1 {
            return Ok(Found::Nothing);
        }
        let kept: OwnedKept =
            serde_json::from_str(&stored.state).map_err(|error| format!("{path}: {error}"))?;
        if stored.version != served.version || stored.manifest != served.manifest {
            return Ok(Found::OtherVersion { version: stored.version, told: kept.told() });
        }
        if stored.reference != of_reference(reference) {
            return Ok(Found::Nothing);
        }
        let watched = Watched::resume(Arc::clone(reference), watching, kept)
            .map_err(|error| format!("{path}: {}", error_chain(&error)))?;
        Ok(watched.map_or(Found::Nothing, |watched| Found::State(Box::new(watched))))
    }

    /// Writes the state, replacing the old one.
    pub(super) fn write(&self, served: &Served, watched: &Watched) -> Result<(), FileError> {
        let broken = |error: serde_json::Error| {
            FileError::new(Operation::Write, &self.0, 0, std::io::Error::other(error))
        };
        let state = serde_json::to_string(&watched.kept()).map_err(broken)?;
        let stored = Stored {
            v: 1,
            version: served.version.clone(),
            manifest: served.manifest.clone(),
            reference: of_reference(watched.detector().reference()),
            alarm: watched.is_alarm(),
            sha256: sha256(state.as_bytes()),
            state,
        };
        let bytes = serde_json::to_vec(&stored).map_err(broken)?;
        RealFiles.write_atomically(&self.0, &bytes)
    }
}

/// Whether the state in the folder of a request log has an alarm for the version with this manifest.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn is_alarm(requests: &Path, manifest: &str) -> Result<bool, FileError> {
    let bytes = match RealFiles.read(&requests.join(FILE), BYTES_MAX) {
        Err(error) if error.is_not_found() => return Ok(false),
        read => read?,
    };
    let stored = serde_json::from_slice::<Stored>(&bytes);
    Ok(stored.is_ok_and(|stored| stored.v == 1 && stored.manifest == manifest && stored.alarm))
}

fn of_reference(reference: &Reference) -> String {
    sha256(&serde_json::to_vec(reference).unwrap_or_default())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
