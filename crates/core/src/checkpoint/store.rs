//! Writes checkpoints, and keeps the newest two and the best one.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::error::CheckpointError;
use super::load::{Found, load_manifest, newest_valid, places};
use super::manifest::{FORMAT_VERSION, MANIFEST_FILE, Manifest, Meta, PartEntry, sha256};
use super::place::Place;
use crate::sys::fence::Fence;
use crate::sys::files::{FileError, Files, LEFTOVER_WRITE};

/// Two, so that one is left if the newest is damaged.
const NEWEST_KEPT: usize = 2;

/// The checkpoints of one trial, open for writing.
#[derive(Debug)]
pub struct CheckpointStore {
    files: Arc<dyn Files>,
    folder: PathBuf,
    fence: Fence,
    /// All checkpoints, and whether each was the best so far when it was written.
    best: HashMap<Place, bool>,
    /// Damaged checkpoints, which are removed at the next write.
    rejected: HashSet<Place>,
}

/// A checkpoint that was written to disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Its folder.
    pub path: PathBuf,
    /// Number of the trial.
    pub trial: u32,
    /// The position in the trial at which it was taken.
    pub place: Place,
    /// Total size of its files.
    pub bytes: u64,
    /// Seconds that writing took.
    pub seconds: f64,
}

impl CheckpointStore {
    /// Opens the folder of a trial's checkpoints, creates it if it is missing, and removes what interrupted
    /// writes left in it.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or written, or another process has taken over the run.
    pub fn open(
        files: Arc<dyn Files>,
        folder: impl Into<PathBuf>,
        fence: Fence,
    ) -> Result<Self, CheckpointError> {
        let folder = folder.into();
        fence.check()?;
        files.create_folders(&folder)?;
        files.remove_leftovers(&folder)?;
        let mut store =
            Self { files, folder, fence, best: HashMap::new(), rejected: HashSet::new() };
        for place in places(&*store.files, &store.folder)? {
            match load_manifest(&*store.files, &store.path(place), place) {
                Ok(manifest) => store.best.insert(place, manifest.meta.best),
                Err(_) => store.best.insert(place, false),
            };
        }
        Ok(store)
    }

    /// Writes a checkpoint. Once this returns, the checkpoint survives a crash. `parts` are the names
    /// (lower-case letters, digits, `-`, `_`, `.`) and the content of its files.
    ///
    /// # Errors
    ///
    /// If a file cannot be written, or another process has taken over the run. Earlier checkpoints are
    /// unchanged, and the new one is either complete or missing.
    pub fn write(
        &mut self,
        meta: Meta,
        parts: &[(&str, &[u8])],
    ) -> Result<Written, CheckpointError> {
        let started = Instant::now();
        self.fence.check()?;
        let place = self.free_place(&meta)?;
        let (trial, is_best) = (meta.trial, meta.best);
        let manifest = self.seal(meta, parts, place)?;
        let bytes =
            parts.iter().map(|(_, part)| part.len() as u64).sum::<u64>() + manifest.len() as u64;
        self.publish(place, parts, &manifest, bytes)?;
        self.best.insert(place, is_best);
        self.remove_superseded()?;
        Ok(Written {
            path: self.path(place),
            trial,
            place,
            bytes,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Reads the newest undamaged checkpoint; see [`newest_valid`]. The damaged ones that it reports are
    /// removed when the next checkpoint is written.
    ///
    /// # Errors
    ///
    /// Those of [`newest_valid`].
    pub fn newest_valid(&mut self) -> Result<Found, CheckpointError> {
        let found = newest_valid(&*self.files, &self.folder)?;
        self.rejected.extend(found.rejected.iter().map(|rejection| rejection.place));
        Ok(found)
    }

    /// The trial's folder of checkpoints.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, place: Place) -> PathBuf {
        self.folder.join(place.to_string())
    }

    /// A place for a new checkpoint. A second one of the same step gets its own place, because replacing a
    /// folder would leave a moment with neither.
    fn free_place(&self, meta: &Meta) -> Result<Place, CheckpointError> {
        let taken = places(&*self.files, &self.folder)?;
        let same = taken
            .iter()
            .filter(|place| (place.epoch, place.step) == (meta.epoch, meta.step))
            .map(|place| place.attempt)
            .max();
        Ok(Place {
            epoch: meta.epoch,
            step: meta.step,
            attempt: same.map_or(1, |attempt| attempt.saturating_add(1)),
        })
    }

    fn seal(
        &self,
        meta: Meta,
        parts: &[(&str, &[u8])],
        place: Place,
    ) -> Result<Vec<u8>, CheckpointError> {
        let entry = |&(name, bytes): &(&str, &[u8])| PartEntry {
            name: name.into(),
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        };
        let manifest = Manifest {
            version: FORMAT_VERSION,
            fence: self.fence.number(),
            meta,
            parts: parts.iter().map(entry).collect(),
        };
        manifest.to_bytes().map_err(|source| CheckpointError::Manifest {
            path: self.path(place).join(MANIFEST_FILE),
            source,
        })
    }

    fn publish(
        &self,
        place: Place,
        parts: &[(&str, &[u8])],
        manifest: &[u8],
        bytes: u64,
    ) -> Result<(), CheckpointError> {
        let path = self.path(place);
        let temporary = self.folder.join(format!("{LEFTOVER_WRITE}{place}"));
        let failed = |source| {
            // Frees space on a full disk. If that fails too, `open` removes the folder later.
            let _ = self.files.remove_folder(&temporary);
            CheckpointError::Write { path: path.clone(), bytes, source }
        };
        self.write_temporary(&temporary, parts, manifest).map_err(failed)?;
        if let Err(error) = self.fence.check() {
            let _ = self.files.remove_folder(&temporary);
            return Err(error.into());
        }
        self.files.rename(&temporary, &path).map_err(failed)?;
        self.files.sync_folder(&self.folder).map_err(|source| CheckpointError::Write {
            path: path.clone(),
            bytes,
            source,
        })
    }

    fn write_temporary(
        &self,
        temporary: &Path,
        parts: &[(&str, &[u8])],
        manifest: &[u8],
    ) -> Result<(), FileError> {
        if self.files.kind(temporary)?.is_some() {
            self.files.remove_folder(temporary)?;
        }
        self.files.create_folder(temporary)?;
        for (name, bytes) in parts {
            self.files.write_synced(&temporary.join(name), bytes)?;
        }
        self.files.write_synced(&temporary.join(MANIFEST_FILE), manifest)?;
        self.files.sync_folder(temporary)
    }

    fn remove_superseded(&mut self) -> Result<(), CheckpointError> {
        // Listed again, because an earlier removal may have failed.
        let existing = places(&*self.files, &self.folder)?;
        let good = existing.iter().rev().filter(|place| !self.rejected.contains(*place));
        let newest = good.clone().take(NEWEST_KEPT);
        let best = good.clone().find(|place| self.best.get(place).is_some_and(|&is| is));
        let kept: HashSet<Place> = newest.chain(best).copied().collect();
        for place in existing {
            if !kept.contains(&place) {
                self.files.remove_folder_atomically(&self.path(place))?;
                self.best.remove(&place);
                self.rejected.remove(&place);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
