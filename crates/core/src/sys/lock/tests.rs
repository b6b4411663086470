//! Tests of `sys::lock`.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::sys::files::RealFiles;
use crate::sys::heartbeat;

fn files() -> Arc<dyn Files> {
    Arc::new(RealFiles)
}

fn request() -> LockRequest {
    LockRequest { command: "burgeon tune lenet.toml".into(), patience: Duration::from_millis(20) }
}

fn leave_lock_of(folder: &Path, process: ProcessName) {
    let holder =
        Holder { process, since: Timestamp::UNIX_EPOCH, command: "burgeon tune".into(), fence: 6 };
    fs::write(folder.join(LOCK_FILE), serde_json::to_vec(&holder).unwrap()).unwrap();
}

#[test]
fn a_second_writer_is_refused_and_told_who_holds_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let _first = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
    let error = RunLock::acquire(&files(), folder.path(), &request()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LockError::Locked { .. }));
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    assert!(text.contains("burgeon tune lenet.toml"), "{text}");
    let found = holder(folder.path()).unwrap().unwrap();
    assert_eq!(found.process, ProcessName::current());
}

#[test]
fn a_lock_that_was_given_back_is_free_and_taken_over_from_nobody() {
    let folder = tempfile::tempdir().unwrap();
    drop(RunLock::acquire(&files(), folder.path(), &request()).unwrap());
    assert_eq!(holder(folder.path()).unwrap(), None);
    let lock = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
    assert_eq!(lock.took_over(), None);
    assert_eq!(lock.fence().number(), 2);
}

#[test]
fn locks_of_dead_processes_are_taken_over() {
    let this = ProcessName::current();
    let mut dead = vec![
        (Cause::Exited, ProcessName { pid: u32::MAX, ..this.clone() }),
        (Cause::PidReused, ProcessName { started: Some(1), ..this.clone() }),
    ];
    // A machine without an id of its own cannot be told from another one of its name.
    if this.machine.is_some() {
        dead.push((Cause::Rebooted, ProcessName { boot: "before".into(), ..this.clone() }));
    }
    for (cause, process) in dead {
        let folder = tempfile::tempdir().unwrap();
        leave_lock_of(folder.path(), process.clone());
        let lock = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
        let taken = lock.took_over().unwrap();
        assert_eq!((taken.cause, &taken.from.process), (Some(cause), &process));
        assert_eq!(lock.fence().number(), 7, "the fence goes on from the dead holder's");
    }
}

#[test]
fn a_living_holder_is_respected_even_where_the_kernel_knows_no_locks() {
    let folder = tempfile::tempdir().unwrap();
    leave_lock_of(folder.path(), ProcessName::current());
    let error = RunLock::acquire(&files(), folder.path(), &request()).unwrap_err();
    assert!(matches!(error, LockError::Locked { holder: Some(_), .. }));
}

fn elsewhere() -> ProcessName {
    ProcessName {
        boot: "another".into(),
        host: "another".into(),
        machine: None,
        ..ProcessName::current()
    }
}

#[test]
fn a_silent_holder_on_another_machine_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    leave_lock_of(folder.path(), elsewhere());
    let new = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
    assert_eq!(new.took_over().unwrap().cause, None);
    assert_eq!(new.fence().number(), 7);
}

#[test]
fn a_holder_on_another_machine_that_does_nothing_but_live_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let lock = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
    // As another machine sees it: our lock is not there, and our process cannot be seen.
    let claimant = Claimant {
        holder: Holder {
            process: elsewhere(),
            since: Timestamp::UNIX_EPOCH,
            command: "burgeon tune".into(),
            fence: 0,
        },
        patience: Duration::from_secs(600),
        beat_every: BEAT_EVERY,
        kernel: Kernel::Granted,
    };
    let refused = claim(&files(), folder.path(), &claimant, None).unwrap_err();
    assert!(matches!(refused, LockError::Locked { holder: Some(_), .. }), "{refused}");
    lock.fence().check().unwrap();
}

#[test]
fn a_lock_that_was_given_back_leaves_no_claim() {
    let folder = tempfile::tempdir().unwrap();
    let names = || -> Vec<_> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let lock = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
    assert_eq!(names(), ["claim-1", "fence", "lock"]);
    drop(lock);
    assert_eq!(names(), ["fence", "lock"]);
}

#[test]
fn a_holder_on_another_machine_whose_heart_beats_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    leave_lock_of(folder.path(), elsewhere());
    let heart = heartbeat::Heartbeat::open(folder.path()).unwrap();
    let beating = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while beating.load(Ordering::SeqCst) {
                heart.beat().unwrap();
            }
        });
        let patient = LockRequest { patience: Duration::from_secs(60), ..request() };
        let answer = RunLock::acquire(&files(), folder.path(), &patient);
        beating.store(false, Ordering::SeqCst);
        assert!(matches!(answer, Err(LockError::Locked { .. })));
    });
}

#[test]
fn a_signature_cut_short_is_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(LOCK_FILE), b"{\"pid\":12,\"sta").unwrap();
    let lock = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
    assert_eq!(lock.took_over(), None);
}
