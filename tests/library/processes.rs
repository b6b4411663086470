//! Processes that really die, really hold locks and really get signals.
//!
//! Each test runs this very test program again, in the role of the process that it is about.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use burgeon::study::StopFlag;
use burgeon::unstable::checkpoint::{CheckpointStore, Meta, newest_valid};
use burgeon::unstable::ledger::{Event, Ledger, RunFolder};
use burgeon::unstable::sys::clock::RealClock;
use burgeon::unstable::sys::files::{FAULT_VARIABLE, RealFiles, real_files};
use burgeon::unstable::sys::lock::{LockError, LockRequest};

const FOLDER_VARIABLE: &str = "CRASH_TEST_FOLDER";
const EPOCHS: u32 = 3;

fn role(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(FOLDER_VARIABLE, folder)
        .stderr(Stdio::null());
    command
}

fn role_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER_VARIABLE).map(Into::into)
}

fn open_run(folder: &Path) -> RunFolder {
    RunFolder::open(real_files().unwrap(), folder).unwrap()
}

fn prepared_run() -> tempfile::TempDir {
    // In memory where there is such a folder: a killed process loses nothing that it wrote, synced
    // or not, and syncing some thousand times takes a disk a while.
    let memory = Path::new("/dev/shm");
    let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
    fs::write(folder.path().join("study.toml"), "").unwrap();
    folder
}

fn event(epoch: u32) -> Event {
    Event::TrialResumed { trial: 1, epoch, step: 0, fold: None }
}

fn weights(epoch: u32) -> Vec<u8> {
    vec![epoch as u8; 5000]
}

/// Goes on from where the last process got to, up to the last epoch: a checkpoint, then an event.
fn train(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let run = open_run(folder);
    let lock = run.lock(&LockRequest::new("test"))?;
    let clock = Arc::new(RealClock::default());
    let mut ledger = Ledger::open(&**run.files(), &run.events_file(), lock.fence(), clock)?;
    let checkpoints = run.trial(1).checkpoints();
    let mut store = CheckpointStore::open(Arc::clone(run.files()), checkpoints, lock.fence())?;
    let last = store.newest_valid()?.checkpoint.map_or(0, |checkpoint| checkpoint.meta.epoch);
    for epoch in last + 1..=EPOCHS {
        let meta = Meta {
            trial: 1,
            epoch,
            step: 0,
            spec_hash: String::new(),
            data_hash: String::new(),
            best: false,
            state: serde_json::Value::Null,
        };
        store.write(meta, &[("weights.bpk", &weights(epoch))])?;
        ledger.append(event(epoch))?;
    }
    Ok(())
}

/// Not a test of its own.
#[test]
fn trainer_role() {
    if let Some(folder) = role_folder() {
        let code = i32::from(train(&folder).is_err());
        std::process::exit(code);
    }
}

fn run_trainer(folder: &Path, fault: Option<String>) -> ExitStatus {
    let mut command = role("processes::trainer_role", folder);
    command.stdout(Stdio::null());
    if let Some(fault) = fault {
        command.env(FAULT_VARIABLE, fault);
    }
    command.status().unwrap()
}

#[test]
fn a_process_that_dies_or_fails_at_any_step_on_disk_leaves_a_run_that_goes_on() {
    for kind in ["crash", "torn", "enospc", "eio"] {
        let mut failures = 0;
        for at in 1.. {
            let folder = prepared_run();
            let status = run_trainer(folder.path(), Some(format!("{kind}@{at}")));
            let context = format!("{kind}@{at}: {status}");
            let events =
                burgeon::unstable::ledger::read(&RealFiles, &folder.path().join("events.jsonl"));
            let events = events.unwrap().len() as u32;
            let checkpoints = folder.path().join("trials/001/checkpoints");
            let found = newest_valid(&RealFiles, &checkpoints).unwrap();
            assert!(found.rejected.is_empty(), "{context}: {:?}", found.rejected);
            let saved = found.checkpoint.map_or(0, |checkpoint| {
                assert_eq!(checkpoint.parts["weights.bpk"], weights(checkpoint.meta.epoch));
                checkpoint.meta.epoch
            });
            assert!(saved == events || saved == events + 1, "{context}: {saved} and {events}");

            assert!(run_trainer(folder.path(), None).success(), "{context}");
            let newest = newest_valid(&RealFiles, &checkpoints).unwrap().checkpoint.unwrap();
            assert_eq!(newest.meta.epoch, EPOCHS, "{context}");
            if status.success() {
                break;
            }
            failures += 1;
        }
        assert!(failures > 30, "{kind} met only {failures} steps");
    }
}

/// Not a test of its own: holds the lock until it is killed.
#[test]
fn holder_role() {
    if let Some(folder) = role_folder() {
        let _lock = open_run(&folder).lock(&LockRequest::new("burgeon tune a.toml")).unwrap();
        println!("locked");
        loop {
            std::thread::park();
        }
    }
}

fn spawn_until(name: &str, folder: &Path, sign: &str) -> Child {
    let mut child = role(name, folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(sign) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "{name} ended early");
    }
    // Kept open, or its next line would end it.
    std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
    child
}

#[test]
fn a_lock_is_refused_while_its_holder_lives_and_taken_over_when_it_was_killed() {
    let folder = prepared_run();
    let mut holder = spawn_until("processes::holder_role", folder.path(), "locked");
    let run = open_run(folder.path());
    let Err(LockError::Locked { holder: Some(named), .. }) = run.lock(&LockRequest::new("b"))
    else {
        panic!("the lock was not refused");
    };
    assert_eq!(named.process.pid, holder.id());
    assert_eq!(named.command, "burgeon tune a.toml");

    holder.kill().unwrap();
    holder.wait().unwrap();
    let lock = run.lock(&LockRequest::new("b")).unwrap();
    assert_eq!(lock.took_over().unwrap().from.process.pid, holder.id());
    assert_eq!(lock.fence().number(), 2);
}

/// Not a test of its own: ends by the exit code of the signal that it gets, once there is a file
/// that lets it.
#[test]
fn stopper_role() {
    if let Some(folder) = role_folder() {
        let stop = StopFlag::on_signals().unwrap();
        println!("watching");
        loop {
            std::thread::sleep(Duration::from_millis(1));
            if let Some(signal) = stop.requested() {
                fs::write(folder.join("requested"), signal.name()).unwrap();
                while !folder.join("saved").exists() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                std::process::exit(i32::from(signal.exit_code()) + 1);
            }
        }
    }
}

fn signal(name: &str, child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

fn await_file(path: &Path) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_first_signal_only_asks_and_the_second_interrupt_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = spawn_until("processes::stopper_role", folder.path(), "watching");
    signal("INT", &child);
    await_file(&folder.path().join("requested"));
    signal("INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130), "it could not have ended by itself");
}

#[test]
fn asked_to_terminate_a_process_has_its_time_however_often_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = spawn_until("processes::stopper_role", folder.path(), "watching");
    for _ in 0..3 {
        signal("TERM", &child);
    }
    await_file(&folder.path().join("requested"));
    fs::write(folder.path().join("saved"), "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(144), "143, and 1 for ending by itself");
}
