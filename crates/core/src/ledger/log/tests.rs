//! Tests of `ledger::log`.

use std::sync::Mutex;

use jiff::Timestamp;

use super::*;
use crate::ledger::event::samples_tests as samples;
use crate::sys::clock::FakeClock;
use crate::sys::faults::{Fault, FaultKind, FaultyFiles, OnCrash};
use crate::sys::simulated_disk::{SimulatedDisk, Survival};

const PATH: &str = "/events.jsonl";

fn open(files: &dyn Files) -> Ledger {
    let clock = Arc::new(FakeClock::default());
    Ledger::open(files, Path::new(PATH), Fence::none(), clock).unwrap()
}

#[test]
fn what_was_appended_is_read_after_reopening() {
    let disk = SimulatedDisk::default();
    let mut ledger = open(&disk);
    for event in samples::all() {
        ledger.append(event).unwrap();
    }
    let before = ledger.records().to_vec();
    disk.reboot(Survival::OnlySynced);
    assert_eq!(open(&disk).records(), before);
    assert_eq!(read(&disk, Path::new(PATH)).unwrap(), before);
}

#[test]
fn a_torn_last_event_is_repaired_and_told() {
    let disk = SimulatedDisk::default();
    open(&disk).append(samples::epoch(1, 1, 0.5)).unwrap();
    let mut file = disk.open(Path::new(PATH), WriteMode::Append).unwrap();
    file.write(b"{\"v\":1,\"eve").unwrap();
    let mut ledger = open(&disk);
    assert_eq!(ledger.repaired().unwrap().bytes, 11);
    ledger.append(samples::epoch(1, 2, 0.4)).unwrap();
    let ledger = open(&disk);
    assert_eq!((ledger.records().len(), ledger.repaired()), (2, None));
}

#[test]
fn an_append_cut_at_any_step_leaves_the_event_wholly_or_not_at_all() {
    for kind in [FaultKind::Crash, FaultKind::TornCrash, FaultKind::NoSpace, FaultKind::Io] {
        for at in 1..=12 {
            for survival in Survival::ALL {
                let disk = SimulatedDisk::default();
                let fault = Fault { kind, at };
                let faulty = FaultyFiles::new(disk.share(), fault, OnCrash::FailFromThenOn);
                let acknowledged = append_two(&faulty);
                disk.reboot(survival);
                let context = format!("{fault:?} {survival:?}");
                let mut ledger = open(&disk);
                let found = ledger.records().len();
                assert!(found >= acknowledged, "lost an acknowledged event: {context}");
                assert!(found <= acknowledged + 1, "{context}");
                ledger.append(samples::epoch(9, 9, 0.1)).unwrap();
                assert_eq!(open(&disk).records().len(), found + 1, "{context}");
            }
        }
    }
}

fn append_two(files: &dyn Files) -> usize {
    let clock = Arc::new(FakeClock::default());
    let Ok(mut ledger) = Ledger::open(files, Path::new(PATH), Fence::none(), clock) else {
        return 0;
    };
    (1..=2).take_while(|&epoch| ledger.append(samples::epoch(1, epoch, 0.5)).is_ok()).count()
}

#[test]
fn after_a_failed_append_the_same_ledger_can_go_on() {
    for at in 3..=6 {
        let disk = SimulatedDisk::default();
        let fault = Fault { kind: FaultKind::Io, at };
        let faulty = FaultyFiles::new(disk.share(), fault, OnCrash::FailFromThenOn);
        let mut ledger = open(&faulty);
        let appended =
            (1..=3).filter(|&epoch| ledger.append(samples::epoch(1, epoch, 0.5)).is_ok()).count();
        assert_eq!(ledger.records().len(), appended);
        assert_eq!(open(&disk).records().len(), appended, "{fault:?}");
    }
}

#[test]
fn a_full_disk_names_the_log_and_the_bytes() {
    let disk = SimulatedDisk::default();
    let fault = Fault { kind: FaultKind::NoSpace, at: 3 };
    let mut ledger = open(&FaultyFiles::new(disk.share(), fault, OnCrash::FailFromThenOn));
    let error = ledger.append(samples::epoch(1, 1, 0.5)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("events.jsonl") && text.contains("bytes needed"), "{text}");
}

#[test]
fn a_damaged_middle_is_refused_with_its_line_number() {
    let disk = SimulatedDisk::default();
    let mut ledger = open(&disk);
    for epoch in 1..=3 {
        ledger.append(samples::epoch(1, epoch, 0.5)).unwrap();
    }
    disk.flip(Path::new(PATH), 0);
    let error = read(&disk, Path::new(PATH)).unwrap_err();
    assert!(matches!(
        error,
        LedgerError::Damaged { source: LineError::Damaged { line: 1, .. }, .. }
    ));
}

#[test]
fn an_event_comes_once_however_often_it_is_replayed() {
    let disk = SimulatedDisk::default();
    let mut ledger = open(&disk);
    let [first, second] = [samples::epoch(1, 1, f64::NAN), samples::epoch(1, 2, 0.3)];
    assert_eq!(ledger.append_once(first.clone()).unwrap(), Appended::Now);
    assert_eq!(ledger.append_once(second).unwrap(), Appended::Now);
    let mut ledger = open(&disk);
    let Event::EpochFinished { mut seconds, .. } = first.clone() else { unreachable!() };
    seconds += 1.0;
    let mut slower = first;
    if let Event::EpochFinished { seconds: at, .. } = &mut slower {
        *at = seconds;
    }
    assert_eq!(ledger.append_once(slower).unwrap(), Appended::Before);
    let other = samples::epoch(1, 2, 0.2);
    assert_eq!(ledger.append_once(other).unwrap(), Appended::Now, "other values are news");
}

#[test]
fn a_hundred_thousand_trials_are_recorded_once_however_often_they_are_replayed() {
    let mut ledger = Ledger::without_file();
    for turn in [Appended::Now, Appended::Before] {
        for trial in 1..=100_000 {
            for event in samples::of_a_trial(trial) {
                assert_eq!(ledger.append_once(event).unwrap(), turn);
            }
        }
    }
    assert_eq!(ledger.records().len(), 400_000);
}

#[test]
fn a_log_of_more_than_a_quarter_of_a_gigabyte_is_read_and_goes_on() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let event = Event::DataFallback { reason: "x".repeat(1_000_000) };
    let line = Recorded { at: Timestamp::UNIX_EPOCH, event }.to_line().unwrap() + "\n";
    let mut file = std::fs::File::create(&path).unwrap();
    for _ in 0..270 {
        file.write_all(line.as_bytes()).unwrap();
    }
    drop((file, line));
    let clock = Arc::new(FakeClock::default());
    let files = crate::sys::files::RealFiles;
    let mut ledger = Ledger::open(&files, &path, Fence::none(), clock).unwrap();
    assert_eq!(ledger.records().len(), 270);
    ledger.append(samples::epoch(1, 1, 0.5)).unwrap();
}

#[test]
fn an_observer_gets_the_lines_of_the_file() {
    let disk = SimulatedDisk::default();
    let seen = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&seen);
    let mut ledger = open(&disk).observed_by(move |_, line| {
        sink.lock().unwrap().push_str(&format!("{line}\n"));
    });
    for event in samples::all() {
        ledger.append(event).unwrap();
    }
    let file = disk.read(Path::new(PATH), LOG_LIMIT_BYTES).unwrap();
    assert_eq!(file, seen.lock().unwrap().as_bytes());
}

#[test]
fn a_replaced_writer_appends_nothing() {
    use crate::sys::process::ProcessName;
    let disk = SimulatedDisk::default();
    let files = disk.share();
    let this = ProcessName::current();
    let fence = Fence::raise(&files, Path::new("/fence"), 0, &this).unwrap();
    let clock = Arc::new(FakeClock::default());
    let mut old = Ledger::open(&disk, Path::new(PATH), fence, clock).unwrap();
    old.append(samples::epoch(1, 1, 0.5)).unwrap();
    Fence::raise(&files, Path::new("/fence"), 0, &this).unwrap();
    let error = old.append(samples::epoch(1, 2, 0.5)).unwrap_err();
    assert!(matches!(error, LedgerError::Fence(FenceError::Replaced { .. })));
    assert_eq!(open(&disk).records().len(), 1);
}
