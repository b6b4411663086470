//! A run folder on a small tmpfs that fills up: the full disk as a real kernel makes it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use burgeon::unstable::checkpoint::{CheckpointStore, Meta};
use burgeon::unstable::ledger::{Event, Ledger};
use burgeon::unstable::sys::clock::RealClock;
use burgeon::unstable::sys::fence::Fence;
use burgeon::unstable::sys::files::{Files, RealFiles};

use crate::skipping::{Group, tests};
use crate::support::{Bench, End, expect_code, stderr};

/// Unmounts itself.
struct SmallDisk {
    folder: tempfile::TempDir,
}

pub fn group() -> Group {
    Group {
        name: "full_disk",
        missing: SmallDisk::mount("64k").err(),
        tests: tests![
            a_full_disk_keeps_the_last_checkpoint_and_training_goes_on_once_there_is_room,
            a_full_disk_keeps_every_event_and_the_log_goes_on_once_there_is_room,
            a_study_on_a_disk_that_fills_up_ends_with_exit_1_and_goes_on_once_there_is_room,
        ],
    }
}

impl SmallDisk {
    /// Why not, where this user may not mount.
    fn mount(size: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output()
            .map_err(|error| format!("cannot mount a tmpfs: {error}"))?;
        if !mounted.status.success() {
            let said = String::from_utf8_lossy(&mounted.stderr);
            return Err(format!("cannot mount a tmpfs: {}", said.trim()));
        }
        Ok(Self { folder })
    }

    fn fill(&self) -> PathBuf {
        self.take(1 << 30)
    }

    /// Takes so many bytes, or as many as there are.
    fn take(&self, bytes: usize) -> PathBuf {
        let path = self.folder.path().join("ballast");
        let mut ballast = std::fs::File::create(&path).unwrap();
        let _ = std::iter::repeat_n([0; 4096], bytes / 4096)
            .try_for_each(|block| ballast.write_all(&block));
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

fn files() -> Arc<dyn Files> {
    Arc::new(RealFiles)
}

fn write(store: &mut CheckpointStore, epoch: u32) -> Result<(), String> {
    let meta = Meta {
        trial: 1,
        epoch,
        step: 1,
        spec_hash: String::new(),
        data_hash: String::new(),
        best: false,
        state: serde_json::Value::Null,
    };
    let weights = vec![epoch as u8; 40_000];
    store.write(meta, &[("weights.bpk", &weights)]).map(drop).map_err(|e| e.to_string())
}

fn newest(folder: &Path) -> u32 {
    let found = burgeon::unstable::checkpoint::newest_valid(&RealFiles, folder).unwrap();
    found.checkpoint.unwrap().meta.epoch
}

fn a_full_disk_keeps_the_last_checkpoint_and_training_goes_on_once_there_is_room() {
    let disk = SmallDisk::mount("256k").unwrap();
    let folder = disk.folder.path().join("checkpoints");
    let mut store = CheckpointStore::open(files(), &folder, Fence::none()).unwrap();
    write(&mut store, 1).unwrap();
    write(&mut store, 2).unwrap();
    let ballast = disk.fill();

    let error = write(&mut store, 3).unwrap_err();
    assert!(error.contains("e0003-s000001"), "{error}");
    assert!(error.contains("bytes needed") && error.contains("no space left"), "{error}");
    assert_eq!(newest(&folder), 2);

    std::fs::remove_file(ballast).unwrap();
    write(&mut store, 3).unwrap();
    assert_eq!(newest(&folder), 3);
}

fn a_full_disk_keeps_every_event_and_the_log_goes_on_once_there_is_room() {
    let disk = SmallDisk::mount("256k").unwrap();
    let path = disk.folder.path().join("events.jsonl");
    let clock = Arc::new(RealClock::default());
    let mut ledger = Ledger::open(&RealFiles, &path, Fence::none(), clock).unwrap();
    let event = || Event::DataFallback { reason: "x".repeat(5000) };
    ledger.append(event()).unwrap();
    let ballast = disk.fill();

    let mut appended = 1;
    let error = loop {
        match ledger.append(event()) {
            Ok(()) => appended += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("events.jsonl") && error.contains("bytes needed"), "{error}");
    assert_eq!(burgeon::unstable::ledger::read(&RealFiles, &path).unwrap().len(), appended);

    std::fs::remove_file(ballast).unwrap();
    ledger.append(event()).unwrap();
    assert_eq!(burgeon::unstable::ledger::read(&RealFiles, &path).unwrap().len(), appended + 1);
}

fn a_study_on_a_disk_that_fills_up_ends_with_exit_1_and_goes_on_once_there_is_room() {
    let whole = Bench::new();
    expect_code(&whole.burgeon(&["tune", "study.toml"]), 0);
    let disk = SmallDisk::mount("16m").unwrap();
    let bench = Bench::new();
    let runs = disk.folder.path().to_str().unwrap();
    let tune = ["tune", "study.toml", "--resume", "auto", "--runs", runs];
    // Room for a few checkpoints, not for the study.
    let ballast = disk.take((16 << 20) - (96 << 10));

    let failed = bench.burgeon(&tune);
    expect_code(&failed, 1);
    let said = stderr(&failed);
    assert!(said.contains(runs) && said.contains("needed"), "{said}");

    std::fs::remove_file(ballast).unwrap();
    expect_code(&bench.burgeon(&tune), 0);
    let run = disk.folder.path().join("growing-0001");
    assert!(End::of(&run) == End::of(&whole.run()), "other bits after a full disk");
}
