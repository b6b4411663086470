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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checkpoint::RejectionReason;
    use crate::sys::faults::{Fault, FaultKind, FaultyFiles, OnCrash};
    use crate::sys::process::ProcessName;
    use crate::sys::simulated_disk::{SimulatedDisk, Survival};

    const FOLDER: &str = "/checkpoints";

    fn meta(epoch: u32, best: bool) -> Meta {
        Meta {
            trial: 1,
            epoch,
            step: 412,
            spec_hash: "ab".into(),
            data_hash: "cd".into(),
            best,
            state: json!({"epoch": epoch}),
        }
    }

    fn open(files: Arc<dyn Files>) -> CheckpointStore {
        CheckpointStore::open(files, FOLDER, Fence::none()).unwrap()
    }

    fn write(store: &mut CheckpointStore, epoch: u32, best: bool) -> Result<(), CheckpointError> {
        let weights = vec![epoch as u8; 100];
        let optimizer = vec![epoch as u8 + 100; 200];
        let parts: [(&str, &[u8]); 2] = [("weights.bpk", &weights), ("optimizer.bpk", &optimizer)];
        store.write(meta(epoch, best), &parts).map(drop)
    }

    /// The epoch that the newest valid checkpoint is of, having checked that all of it is.
    fn newest(store: &mut CheckpointStore) -> Option<u32> {
        let checkpoint = store.newest_valid().unwrap().checkpoint?;
        let epoch = checkpoint.meta.epoch;
        assert_eq!(checkpoint.meta.state, json!({"epoch": epoch}));
        assert_eq!(checkpoint.parts["weights.bpk"], vec![epoch as u8; 100]);
        assert_eq!(checkpoint.parts["optimizer.bpk"], vec![epoch as u8 + 100; 200]);
        Some(epoch)
    }

    fn names(disk: &SimulatedDisk) -> Vec<String> {
        disk.list(Path::new(FOLDER)).unwrap()
    }

    #[test]
    fn the_newest_two_and_the_best_are_kept() {
        let disk = SimulatedDisk::default();
        let mut store = open(disk.share());
        for (epoch, best) in [(1, true), (2, true), (3, false), (4, false), (5, false)] {
            write(&mut store, epoch, best).unwrap();
        }
        let kept = ["e0002-s000412", "e0004-s000412", "e0005-s000412"];
        assert_eq!(names(&disk), kept);
        let mut store = open(disk.share());
        write(&mut store, 6, false).unwrap();
        assert!(names(&disk).contains(&"e0002-s000412".into()), "also by a later process");
        write(&mut store, 7, true).unwrap();
        assert_eq!(names(&disk), ["e0006-s000412", "e0007-s000412"]);
    }

    #[test]
    fn a_write_cut_at_any_step_leaves_the_old_or_the_new_never_a_mixture() {
        let steps = {
            let faulty = faulty(&prepared(), FaultKind::Crash, 0);
            let mut store = open(Arc::new(faulty.clone()));
            write(&mut store, 4, true).unwrap();
            faulty.steps()
        };
        assert!(steps >= 12, "{steps} steps cannot be all of them");
        let mut news = 0;
        for kind in [FaultKind::Crash, FaultKind::TornCrash, FaultKind::NoSpace, FaultKind::Io] {
            for at in 1..=steps {
                for survival in Survival::ALL {
                    let disk = prepared();
                    let faulty = Arc::new(faulty(&disk, kind, at));
                    let done = CheckpointStore::open(faulty, FOLDER, Fence::none())
                        .is_ok_and(|mut store| write(&mut store, 4, true).is_ok());
                    disk.reboot(survival);

                    let context = format!("{kind:?} at step {at}, {survival:?}");
                    let mut store = open(disk.share());
                    let found = newest(&mut store);
                    assert!(found == Some(3) || found == Some(4), "{found:?}: {context}");
                    assert!(!done || found == Some(4), "lost a finished write: {context}");
                    news += u32::from(found == Some(4));
                    assert!(names(&disk).iter().all(|name| !name.starts_with('.')), "{context}");

                    write(&mut store, 5, false).unwrap();
                    assert_eq!(newest(&mut store), Some(5), "{context}");
                    assert!(names(&disk).len() <= 4, "{context}: {:?}", names(&disk));
                }
            }
        }
        assert!(news > 0, "some faults come after the rename");
    }

    fn prepared() -> SimulatedDisk {
        let disk = SimulatedDisk::default();
        let mut store = open(disk.share());
        for (epoch, best) in [(1, true), (2, false), (3, false)] {
            write(&mut store, epoch, best).unwrap();
        }
        disk.reboot(Survival::OnlySynced);
        disk
    }

    fn faulty(disk: &SimulatedDisk, kind: FaultKind, at: u64) -> FaultyFiles {
        FaultyFiles::new(disk.share(), Fault { kind, at }, OnCrash::FailFromThenOn)
    }

    #[test]
    fn a_flipped_byte_in_any_file_is_detected_named_and_survived() {
        let newest_folder = Path::new(FOLDER).join("e0003-s000412");
        for name in ["weights.bpk", "optimizer.bpk", MANIFEST_FILE] {
            let path = newest_folder.join(name);
            let length = prepared().read(&path, u64::MAX).unwrap().len();
            for offset in 0..length {
                let disk = prepared();
                disk.flip(&path, offset);
                let mut store = open(disk.share());
                let found = store.newest_valid().unwrap();
                assert_eq!(found.checkpoint.unwrap().meta.epoch, 2, "{name} at {offset}");
                assert_eq!(found.rejected.len(), 1);
                assert_eq!(found.rejected[0].path, path);
                let warning = found.rejected[0].to_string();
                assert!(warning.contains(name), "{warning}");
            }
        }
    }

    #[test]
    fn a_missing_cut_or_grown_file_is_detected() {
        for change in 0..3 {
            let disk = prepared();
            let path = Path::new(FOLDER).join("e0003-s000412/weights.bpk");
            match change {
                0 => disk.remove_file(&path).unwrap(),
                1 => disk.write_synced(&path, &[3; 99]).unwrap(),
                _ => disk.write_synced(&path, &[3; 101]).unwrap(),
            }
            let found = open(disk.share()).newest_valid().unwrap();
            assert_eq!(found.checkpoint.unwrap().meta.epoch, 2);
            assert_eq!(found.rejected[0].path, path);
        }
    }

    #[test]
    fn a_damaged_checkpoint_gives_way_to_the_next_one_written() {
        let disk = prepared();
        disk.flip(&Path::new(FOLDER).join("e0003-s000412/weights.bpk"), 7);
        let mut store = open(disk.share());
        assert_eq!(newest(&mut store), Some(2));
        write(&mut store, 3, false).unwrap();
        assert_eq!(newest(&mut store), Some(3));
        assert_eq!(names(&disk), ["e0001-s000412", "e0002-s000412", "e0003-s000412-2"]);
    }

    #[test]
    fn no_checkpoint_at_all_is_no_error() {
        let disk = SimulatedDisk::default();
        let found = newest_valid(&disk, Path::new("/nowhere")).unwrap();
        assert!(found.checkpoint.is_none() && found.rejected.is_empty());
    }

    #[test]
    fn when_all_are_damaged_all_are_reported() {
        let disk = prepared();
        for name in names(&disk) {
            disk.flip(&Path::new(FOLDER).join(name).join("optimizer.bpk"), 1);
        }
        let found = open(disk.share()).newest_valid().unwrap();
        assert!(found.checkpoint.is_none());
        assert_eq!(found.rejected.len(), 3);
        assert!(found.rejected.iter().all(|one| matches!(one.reason, RejectionReason::Hash)));
    }

    #[test]
    fn another_format_version_is_refused_rather_than_passed_over() {
        let disk = prepared();
        let mut newer = Manifest {
            version: FORMAT_VERSION + 1,
            fence: 0,
            meta: meta(9, false),
            parts: Vec::new(),
        };
        newer.meta.epoch = 9;
        let folder = Path::new(FOLDER).join("e0009-s000412");
        disk.create_folder(&folder).unwrap();
        disk.write_synced(&folder.join(MANIFEST_FILE), &newer.to_bytes().unwrap()).unwrap();
        let error = open(disk.share()).newest_valid().unwrap_err();
        assert!(error.to_string().contains("format version 2"), "{error}");
    }

    #[test]
    fn a_replaced_writer_publishes_nothing() {
        let disk = prepared();
        let files = disk.share();
        let this = ProcessName::current();
        let fence = Fence::raise(&files, Path::new("/fence"), 0, &this).unwrap();
        let mut old = CheckpointStore::open(disk.share(), FOLDER, fence).unwrap();
        Fence::raise(&files, Path::new("/fence"), 0, &this).unwrap();
        let before = names(&disk);
        assert!(matches!(write(&mut old, 4, true), Err(CheckpointError::Fence(_))));
        assert_eq!(names(&disk), before);
    }

    #[test]
    fn a_full_disk_is_told_with_file_and_bytes_and_the_room_is_given_back() {
        let disk = prepared();
        let mut store = open(Arc::new(faulty(&disk, FaultKind::NoSpace, 3)));
        let text = write(&mut store, 4, true).unwrap_err().to_string();
        assert!(text.contains("e0004-s000412") && text.contains("weights.bpk"), "{text}");
        assert!(text.contains("100 bytes needed"), "{text}");
        assert!(!names(&disk).iter().any(|name| name.starts_with('.')), "{:?}", names(&disk));
    }
}
