//! Tests of `checkpoint::store`.

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
    let mut newer =
        Manifest { version: FORMAT_VERSION + 1, fence: 0, meta: meta(9, false), parts: Vec::new() };
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
