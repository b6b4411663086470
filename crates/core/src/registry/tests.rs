//! The registry on disks that fail, with versions that are no real networks.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::retrain::{Cause, Retraining};
use crate::sys::clock::FakeClock;
use crate::sys::faults::{Fault, FaultKind, FaultyFiles, OnCrash};
use crate::sys::files::{FileError, Files, RealFiles};
use crate::sys::simulated_disk::{SimulatedDisk, Survival};

const IMAGES: usize = 200;

fn classes() -> Vec<String> {
    vec!["cat".into(), "dog".into()]
}

fn held_out() -> HeldOut {
    let pixels: Vec<u8> = (0..IMAGES * 4).map(|at| (at % 251) as u8).collect();
    let labels = (0..IMAGES).map(|at| (at % 2) as u16).collect();
    HeldOut::new("the test", [1, 2, 2], "pad", &classes(), pixels, labels)
}

/// A version that has the first so many images right.
fn draft(right: usize) -> Draft {
    let right: Vec<bool> = (0..IMAGES).map(|at| at < right).collect();
    let accuracy = right.iter().filter(|right| **right).count() as f64 / IMAGES as f64;
    let manifest = Manifest {
        v: 1,
        version: 0,
        added: Timestamp::UNIX_EPOCH,
        burgeon: "0".into(),
        study: "pets".into(),
        run: "runs/pets-0001".into(),
        weights_hash: format!("{accuracy}"),
        parameters: 10,
        shape: [1, 2, 2],
        classes: classes(),
        held_out: held_out().set.sha256,
        accuracy,
        seen: Vec::new(),
        data_checked: true,
        started_from: None,
        size_bytes: 100,
        latency_ms: 0.5,
        files: Default::default(),
    };
    let content = Content::Bytes(format!("weights {accuracy}").into_bytes());
    Draft { manifest, right, files: vec![("model.safetensors".into(), content)] }
}

fn begin(files: Arc<dyn Files>, folder: &Path) -> Registry {
    Registry::begin(files, folder, &Settings::new("pets", 0.8), &held_out()).unwrap()
}

#[test]
fn a_registry_without_held_out_images_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry");
    let none = HeldOut::new("the test", [1, 2, 2], "pad", &classes(), Vec::new(), Vec::new());
    let refused = Registry::begin(Arc::new(RealFiles), &path, &Settings::new("pets", 0.8), &none)
        .unwrap_err();
    assert!(matches!(refused, RegistryError::HeldOut { images: 0, .. }), "{refused}");
    assert!(!path.exists());
}

fn writer(registry: &Registry) -> Result<Writer, RegistryError> {
    Writer::unlocked(registry, Arc::new(FakeClock::default()))
}

/// A registry with three versions, of which the first is in production.
fn filled(files: Arc<dyn Files>, folder: &Path) -> Registry {
    let registry = begin(files, folder);
    let writer = writer(&registry).unwrap();
    for right in [180, 181, 120] {
        writer.add(draft(right)).unwrap();
    }
    writer.promote(PRODUCTION, 1, Force::No).unwrap();
    registry
}

fn production(registry: &Registry) -> u64 {
    registry.alias(PRODUCTION).unwrap().unwrap().version
}

#[test]
fn a_version_is_promoted_refused_forced_and_rolled_back_and_all_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let registry = filled(Arc::new(RealFiles), folder.path());
    let writer = writer(&registry).unwrap();
    let accepted = writer.promote(PRODUCTION, 2, Force::No).unwrap();
    assert_eq!(accepted.record.action, Action::Promoted);
    let paired = accepted.record.judgement.unwrap().paired.unwrap();
    assert_eq!((paired.version, paired.only_before, paired.only_new), (1, 0, 1));
    let refused = writer.promote(PRODUCTION, 3, Force::No).unwrap();
    assert_eq!((refused.record.action, production(&registry)), (Action::Refused, 2));
    let reasons = refused.record.judgement.unwrap().reasons;
    assert!(reasons.iter().any(|reason| reason.contains("below the gate")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("significantly worse")), "{reasons:?}");
    let forced = writer.promote(PRODUCTION, 3, Force::Yes).unwrap();
    assert!(forced.record.forced && !forced.record.judgement.unwrap().accepted);
    assert_eq!(production(&registry), 3);
    for version in [2, 1] {
        writer.roll_back(PRODUCTION).unwrap();
        assert_eq!(production(&registry), version);
    }
    assert!(matches!(writer.roll_back(PRODUCTION), Err(RegistryError::NothingBefore { .. })));
    // After a rollback, the next promotion is gone back from to where it began.
    writer.promote(PRODUCTION, 2, Force::No).unwrap();
    writer.roll_back(PRODUCTION).unwrap();
    assert_eq!(production(&registry), 1);
    assert_eq!(registry.verify().unwrap().faults, Vec::<String>::new());
    assert_eq!(registry.records().unwrap().len(), 3 + 8);
}

#[test]
fn an_alias_that_is_not_judged_moves_freely() {
    let folder = tempfile::tempdir().unwrap();
    let registry = filled(Arc::new(RealFiles), folder.path());
    let promoted = writer(&registry).unwrap().promote(CANDIDATE, 3, Force::No).unwrap();
    assert_eq!((promoted.record.action, promoted.record.judgement), (Action::Promoted, None));
    for name in ["", "../up", "Production", "a/b", &"a".repeat(65)] {
        let refused = writer(&registry).unwrap().promote(name, 3, Force::Yes);
        assert!(matches!(refused, Err(RegistryError::AliasName { .. })), "{name}");
    }
}

#[test]
fn what_does_not_fit_is_not_added() {
    let folder = tempfile::tempdir().unwrap();
    let registry = begin(Arc::new(RealFiles), folder.path());
    let writer = writer(&registry).unwrap();
    let other = |change: &dyn Fn(&mut Draft)| {
        let mut draft = draft(150);
        change(&mut draft);
        writer.add(draft).unwrap_err().to_string()
    };
    assert!(other(&|draft| draft.manifest.shape = [3, 2, 2]).contains("3×2×2"));
    assert!(other(&|draft| draft.manifest.classes.reverse()).contains("classes"));
    assert!(other(&|draft| draft.right.truncate(9)).contains("held-out"));
    assert!(other(&|draft| draft.manifest.seen = vec![1, 2, 3]).contains("3 of the 200"));
    assert_eq!(registry.versions().unwrap(), Vec::<u64>::new());
    let few = Draft { manifest: Manifest { seen: vec![7], ..draft(150).manifest }, ..draft(150) };
    writer.add(few).unwrap();
    let judged = writer.promote(PRODUCTION, 1, Force::Yes).unwrap().record.judgement.unwrap();
    assert_eq!((judged.images, judged.left_out), (199, 1));
}

#[test]
fn a_damaged_version_is_not_promoted_and_verify_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let registry = filled(Arc::new(RealFiles), folder.path());
    let model = registry.version_folder(2).join("model.safetensors");
    let good = std::fs::read(&model).unwrap();
    for bad in [&good[..3], b"other bytes than those", b"", &[&good[..], b"more"].concat()] {
        std::fs::write(&model, bad).unwrap();
        let refused = writer(&registry).unwrap().promote(PRODUCTION, 2, Force::Yes).unwrap_err();
        assert!(matches!(refused, RegistryError::Damaged { .. }), "{refused}");
        assert!(registry.verify().unwrap().faults[0].contains("model.safetensors"));
    }
    std::fs::remove_file(&model).unwrap();
    assert!(writer(&registry).unwrap().promote(PRODUCTION, 2, Force::Yes).is_err());
    assert_eq!(production(&registry), 1);
    std::fs::write(&model, &good).unwrap();
    assert_eq!(registry.verify().unwrap().faults, Vec::<String>::new());
    // A changed record breaks the chain.
    let record = registry.path().join("records/00000002.json");
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replace("\"test\"", "\"mallory\"")).unwrap();
    let faults = registry.verify().unwrap().faults;
    assert!(faults[0].contains("preceding record 3 was changed"), "{faults:?}");
    std::fs::remove_file(&record).unwrap();
    assert!(registry.verify().unwrap().faults[0].contains("record 2 is missing"));
}

#[test]
fn versions_are_cleared_by_age_and_size_and_never_one_that_an_alias_needs() {
    let folder = tempfile::tempdir().unwrap();
    let registry = begin(Arc::new(RealFiles), folder.path());
    let clock = Arc::new(FakeClock::default());
    let open = || Writer::unlocked(&registry, clock.clone()).unwrap();
    for _ in 0..6 {
        open().add(draft(180)).unwrap();
    }
    open().promote(PRODUCTION, 1, Force::No).unwrap();
    open().promote(PRODUCTION, 3, Force::Yes).unwrap();
    let settings = |keep: &str| {
        let text = format!("name = \"pets\"\n[promotion]\naccuracy = 0.8\n[keep]\n{keep}\n");
        std::fs::write(folder.path().join("registry.toml"), text).unwrap();
    };
    settings("versions = 1\ndays = 30");
    assert_eq!(open().clear().unwrap(), Vec::<u64>::new(), "nothing is old yet");
    clock.advance(std::time::Duration::from_secs(31 * 24 * 60 * 60));
    open().add(draft(180)).unwrap();
    assert_eq!(open().clear().unwrap(), [2, 4, 5, 6]);
    assert_eq!(registry.versions().unwrap(), [1, 3, 7]);
    settings("versions = 0\nsize = \"1 B\"");
    assert_eq!(open().clear().unwrap(), [7], "3 serves, and a rollback goes to 1");
    // The number of a version that was cleared is not given again.
    assert_eq!(open().add(draft(180)).unwrap().version, 8);
    assert_eq!(registry.verify().unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_change_cut_anywhere_is_done_or_not_and_the_registry_goes_on() {
    let folder = Path::new("/registry");
    type Change = fn(&Writer) -> Result<(), RegistryError>;
    let changes: [(&str, Change); 3] = [
        ("add", |writer| writer.add(draft(190)).map(drop)),
        ("promote", |writer| writer.promote(PRODUCTION, 2, Force::No).map(drop)),
        ("force", |writer| writer.promote(CANDIDATE, 3, Force::Yes).map(drop)),
    ];
    for (name, change) in changes {
        for kind in [FaultKind::Crash, FaultKind::TornCrash, FaultKind::NoSpace, FaultKind::Io] {
            for survival in Survival::ALL {
                let mut at = 1;
                loop {
                    let disk = SimulatedDisk::default();
                    filled(disk.share(), folder);
                    let fault = Fault { kind, at };
                    let faulty = FaultyFiles::new(disk.share(), fault, OnCrash::FailFromThenOn);
                    let broken = Registry::open(Arc::new(faulty.clone()), folder).unwrap();
                    let done = writer(&broken).and_then(|writer| change(&writer)).is_ok();
                    disk.reboot(survival);
                    let what = format!("{name} {kind:?} at {at}, {survival:?}");
                    let registry = Registry::open(disk.share(), folder).unwrap();
                    // Before anybody repairs it: what serves is whole.
                    let alias = registry.alias(PRODUCTION).unwrap().unwrap();
                    registry.verified(alias.version, Some(&alias.manifest)).unwrap();
                    // And a next writer carries out or forgets the rest.
                    let next = writer(&registry).unwrap_or_else(|error| panic!("{what}: {error}"));
                    let faults = registry.verify().unwrap().faults;
                    assert_eq!(faults, Vec::<String>::new(), "{what}");
                    if done {
                        let versions = registry.versions().unwrap();
                        match name {
                            "add" => assert_eq!(versions, [1, 2, 3, 4], "{what}"),
                            "promote" => assert_eq!(production(&registry), 2, "{what}"),
                            _ => assert!(registry.alias(CANDIDATE).unwrap().is_some(), "{what}"),
                        }
                    }
                    next.add(draft(150)).unwrap();
                    if next.promote(PRODUCTION, 2, Force::Yes).is_err() {
                        assert_eq!(production(&registry), 2, "{what}");
                    }
                    assert_eq!(registry.verify().unwrap().faults, Vec::<String>::new(), "{what}");
                    if faulty.steps() < at {
                        break;
                    }
                    at += 1;
                }
                assert!(at > 4, "{name}: {at}");
            }
        }
    }
}

#[test]
fn a_decision_that_a_killed_writer_left_is_carried_out_by_the_next_one() {
    let disk = SimulatedDisk::default();
    let folder = Path::new("/registry");
    let registry = filled(disk.share(), folder);
    let before = disk.read(&registry.alias_file(PRODUCTION), 1 << 20).unwrap();
    writer(&registry).unwrap().promote(PRODUCTION, 2, Force::No).unwrap();
    disk.write_atomically(&registry.alias_file(PRODUCTION), &before).unwrap();
    assert_eq!(production(&registry), 1);
    let next = writer(&registry).unwrap();
    assert_eq!(production(&registry), 2);
    next.roll_back(PRODUCTION).unwrap();
    assert_eq!(production(&registry), 1);
}

#[test]
fn a_full_disk_takes_a_decision_back() {
    let disk = SimulatedDisk::default();
    let folder = Path::new("/registry");
    let registry = filled(disk.share(), folder);
    let records = registry.records().unwrap();
    // The record fits, the alias does not: steps are open, write, sync, rename and sync of each.
    let fault = Fault { kind: FaultKind::NoSpace, at: 6 };
    let full = FaultyFiles::new(disk.share(), fault, OnCrash::FailFromThenOn);
    let broken = Registry::open(Arc::new(full), folder).unwrap();
    let error = writer(&broken).unwrap().promote(PRODUCTION, 2, Force::No).unwrap_err();
    assert!(matches!(error, RegistryError::File(FileError::NoSpace { .. })), "{error}");
    assert_eq!(registry.records().unwrap(), records);
    writer(&registry).unwrap();
    assert_eq!(production(&registry), 1, "what was told to have failed has failed");
}

#[test]
fn of_processes_that_create_a_registry_at_once_one_does_and_its_images_are_whole() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let files: Arc<dyn Files> = Arc::new(RealFiles);
        let folder = folder.path().join("registry");
        let created: Vec<bool> = std::thread::scope(|scope| {
            let create = |images: usize| {
                let (files, folder) = (&files, &folder);
                scope.spawn(move || {
                    let pixels = (0..images).map(|at| at as u8).collect();
                    let labels = (0..images).map(|at| (at % 2) as u16).collect();
                    let held_out =
                        HeldOut::new("test", [1, 1, 1], "pad", &classes(), pixels, labels);
                    let settings = Settings::new("pets", 0.8);
                    Registry::create(files, folder, &settings, &held_out).unwrap().1
                })
            };
            let threads: Vec<_> = [100, 150, 200, 250].into_iter().map(create).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(created.iter().filter(|is_new| **is_new).count(), 1);
        let registry = Registry::open(files, folder).unwrap();
        let images = registry.held_out().unwrap().set.images;
        assert!([100, 150, 200, 250].contains(&images));
    }
}

#[test]
fn two_writers_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let registry = begin(Arc::new(RealFiles), folder.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let clock = Arc::new(FakeClock::default());
                    let writer = Writer::open(&registry, clock, "test", "a test").unwrap();
                    writer.add(draft(180)).unwrap();
                }
            });
        }
    });
    assert_eq!(registry.versions().unwrap(), (1..=20).collect::<Vec<u64>>());
    let verification = registry.verify().unwrap();
    assert_eq!((verification.records, verification.faults), (20, Vec::new()));
}

#[test]
fn a_retraining_is_told_with_its_decision_and_the_chain_of_records_holds() {
    let folder = tempfile::tempdir().unwrap();
    let registry = begin(Arc::new(RealFiles), folder.path());
    let clock = Arc::new(FakeClock::default());
    let open = || Writer::unlocked(&registry, clock.clone()).unwrap();
    open().add(draft(180)).unwrap();
    open().promote(PRODUCTION, 1, Force::No).unwrap();
    let retraining = Retraining {
        number: 1,
        cause: Cause::Drift,
        begun: Timestamp::UNIX_EPOCH,
        images: 3,
        held_out: 1,
        sources: [("ann".to_owned(), 3)].into(),
        data: String::new(),
        trained: None,
        why: "the gate of the study".into(),
    };
    let writer = open().for_retraining(retraining.clone(), None);
    let refused = writer.refuse(PRODUCTION).unwrap();
    assert_eq!((refused.action, refused.from, refused.to), (Action::Refused, Some(1), None));
    assert_eq!(registry.alias(PRODUCTION).unwrap().unwrap().version, 1);
    writer.add(draft(190)).unwrap();
    writer.promote(PRODUCTION, 2, Force::No).unwrap();
    let decided = registry.retrainings().unwrap();
    let actions: Vec<Action> = decided.iter().map(|(record, _)| record.action).collect();
    assert_eq!(actions, [Action::Refused, Action::Promoted]);
    assert!(decided.iter().all(|(_, found)| *found == retraining));
    assert_eq!(registry.verify().unwrap().faults, Vec::<String>::new());
}
