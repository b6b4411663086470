//! Tests of `ledger::run_folder`.

use std::collections::BTreeMap;
use std::collections::HashSet;

use jiff::Timestamp;

use super::super::provenance::{DataOrigin, cpu_name};
use super::*;
use crate::sys::files::RealFiles;

fn files() -> Arc<dyn Files> {
    Arc::new(RealFiles)
}

#[test]
fn runs_are_numbered_from_one_and_by_name() {
    let runs = tempfile::tempdir().unwrap();
    let create = |name| RunFolder::create(files(), runs.path(), name).unwrap().name();
    assert_eq!(create("lenet"), "lenet-0001");
    assert_eq!(create("lenet"), "lenet-0002");
    assert_eq!(create("lenet-5"), "lenet-5-0001");
    assert_eq!(create("lenet"), "lenet-0003");
}

#[test]
fn racing_processes_get_folders_of_their_own() {
    let runs = tempfile::tempdir().unwrap();
    let race = || {
        let create = |_| RunFolder::create(files(), runs.path(), "race").unwrap().name();
        (0..25).map(create).collect::<Vec<_>>()
    };
    let names = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..4).map(|_| scope.spawn(race)).collect();
        racers.into_iter().flat_map(|racer| racer.join().unwrap()).collect::<HashSet<_>>()
    });
    assert_eq!(names.len(), 100);
}

#[test]
fn the_latest_run_is_the_newest_that_was_begun() {
    let runs = tempfile::tempdir().unwrap();
    let latest = || RunFolder::find_latest(&files(), runs.path(), "lenet").unwrap();
    assert!(latest().is_none());
    for begun in [true, true, false] {
        let run = RunFolder::create(files(), runs.path(), "lenet").unwrap();
        if begun {
            run.write_study("name = \"lenet\"").unwrap();
        }
    }
    RunFolder::create(files(), runs.path(), "lenet-5").unwrap().write_study("").unwrap();
    assert_eq!(latest().unwrap().name(), "lenet-0002");
    let nowhere = runs.path().join("nowhere");
    assert!(RunFolder::find_latest(&files(), &nowhere, "lenet").unwrap().is_none());
}

#[test]
fn a_folder_without_a_study_is_no_run() {
    let runs = tempfile::tempdir().unwrap();
    let error = RunFolder::open(files(), runs.path()).unwrap_err();
    assert!(matches!(error, RunFolderError::NotARun { .. }));
}

#[test]
fn a_name_cannot_leave_the_folder_of_runs() {
    let runs = tempfile::tempdir().unwrap();
    for name in ["", "../up", "a/b", ".hidden", "-x", "a b", "a\0"] {
        let error = RunFolder::create(files(), runs.path(), name).unwrap_err();
        assert!(matches!(error, RunFolderError::Name { .. }), "{name:?}");
    }
}

fn begin(runs: &Path, name: &str) -> RunFolder {
    RunFolder::begin(files(), runs, name, &provenance(), "name = \"lenet\"", &[]).unwrap()
}

#[test]
fn what_was_never_begun_is_removed_by_the_next_that_begins_and_nothing_else() {
    let runs = tempfile::tempdir().unwrap();
    let path = |name: &str| runs.path().join(name);
    assert_eq!(begin(runs.path(), "lenet").name(), "lenet-0001");
    // Killed after each of the steps that a run begins with.
    RunFolder::create(files(), runs.path(), "lenet").unwrap();
    let run = RunFolder::create(files(), runs.path(), "lenet").unwrap();
    run.write_provenance(&provenance()).unwrap();
    let run = RunFolder::create(files(), runs.path(), "lenet").unwrap();
    run.write_provenance(&provenance()).unwrap();
    std::fs::write(run.path().join(".study.toml.tmp"), "name").unwrap();
    let run = RunFolder::create(files(), runs.path(), "lenet").unwrap();
    run.write_start(&[("model.safetensors", b"weights")]).unwrap();
    std::fs::write(run.start().join(".spec.toml.tmp"), "").unwrap();
    // Of another study, of a run whose study was deleted, and somebody's own.
    RunFolder::create(files(), runs.path(), "other").unwrap();
    for (folder, file) in [("lenet-0006", "events.jsonl"), ("lenet-0007/start", "notes.txt")] {
        std::fs::create_dir_all(path(folder)).unwrap();
        std::fs::write(path(folder).join(file), "").unwrap();
    }
    std::fs::create_dir(path("lenet-7")).unwrap();
    std::fs::write(path("lenet-0009"), "a file").unwrap();
    assert_eq!(begin(runs.path(), "lenet").name(), "lenet-0010");
    let mut left = files().list(runs.path()).unwrap();
    left.sort();
    let kept = ["lenet-0001", "lenet-0006", "lenet-0007", "lenet-0009", "lenet-0010"];
    assert_eq!(left, [&kept[..], &["lenet-7", "other-0001"]].concat());
}

#[test]
fn what_another_process_is_about_to_begin_is_left_alone() {
    let runs = tempfile::tempdir().unwrap();
    let other = InFolder::enter(runs.path(), || {});
    RunFolder::create(files(), runs.path(), "lenet").unwrap();
    assert_eq!(begin(runs.path(), "lenet").name(), "lenet-0002");
    assert!(runs.path().join("lenet-0001").exists());
    drop(other);
    assert_eq!(begin(runs.path(), "lenet").name(), "lenet-0003");
    assert!(!runs.path().join("lenet-0001").exists());
}

#[test]
fn processes_that_begin_at_the_same_time_leave_each_other_alone() {
    let runs = tempfile::tempdir().unwrap();
    let race = || (0..25).map(|_| begin(runs.path(), "race").name()).collect::<Vec<_>>();
    let names = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..4).map(|_| scope.spawn(race)).collect();
        racers.into_iter().flat_map(|racer| racer.join().unwrap()).collect::<HashSet<_>>()
    });
    assert_eq!(names.len(), 100);
    assert!(names.iter().all(|name| runs.path().join(name).join("study.toml").exists()));
}

#[test]
fn what_is_written_is_read_back() {
    let runs = tempfile::tempdir().unwrap();
    let run = RunFolder::create(files(), runs.path(), "lenet").unwrap();
    run.write_study("name = \"lenet\"\n").unwrap();
    let provenance = provenance();
    run.write_provenance(&provenance).unwrap();
    run.write_accuracy(0.9912).unwrap();
    let again = RunFolder::open(files(), run.path()).unwrap();
    assert_eq!(again.read_study().unwrap(), "name = \"lenet\"\n");
    assert_eq!(again.read_provenance().unwrap(), provenance);
    let accuracy = files().read(&again.accuracy_file(), 99).unwrap();
    assert_eq!(accuracy, b"0.9912\n");
    assert!(again.trial(7).checkpoints().ends_with("lenet-0001/trials/007/checkpoints"));
}

fn provenance() -> Provenance {
    Provenance {
        version: "0.1.0".into(),
        commit: None,
        dirty: Some(false),
        command: vec!["burgeon".into(), "tune".into()],
        device: "cpu".into(),
        threads: 2,
        cpu: cpu_name(),
        instruction_set: Some("avx2".into()),
        seed: 42,
        spec_hash: "ab".into(),
        data: DataOrigin {
            origin: "data/mnist".into(),
            dir: None,
            split: None,
            fallback: None,
            sha256: BTreeMap::from([("train-images".into(), "cd".into())]),
        },
        started_at: Timestamp::UNIX_EPOCH,
    }
}
