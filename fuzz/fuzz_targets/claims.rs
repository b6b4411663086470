//! The files by which processes keep out of each other's way: whatever stands in `lock`, `fence`,
//! `heartbeat` and a claim, a run is locked by one process or by none, and its epochs grow.
#![no_main]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use burgeon::unstable::sys::files::{Files, RealFiles};
use burgeon::unstable::sys::heartbeat::last_beat;
use burgeon::unstable::sys::lock::{LockError, LockRequest, RunLock, holder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder to work in");
    let path = folder.path();
    // A byte that stands in no JSON parts the files.
    let mut parts = bytes.split(|&byte| byte == 0);
    for name in ["lock", "fence", "heartbeat", "claim-3", "claim-9223372036854775807"] {
        if let Some(part) = parts.next() {
            fs::write(path.join(name), part).expect("a file");
        }
    }
    let _ = (last_beat(path), holder(path));
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    let request = LockRequest { command: "fuzz".into(), patience: Duration::ZERO };
    let take = || RunLock::acquire(&files, path, &request);
    let first = match take() {
        Ok(lock) => lock,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    first.fence().check().expect("whoever has the lock may write");
    assert!(matches!(take(), Err(LockError::Locked { .. })), "two have the lock");
    let epoch = first.fence().number();
    drop(first);
    let second = match take() {
        Ok(lock) => lock,
        // The highest epoch of all was taken: there is none after it.
        Err(error) if epoch == i64::MAX as u64 => return assert!(!error.to_string().is_empty()),
        Err(error) => panic!("a lock that was given back is free: {error}"),
    };
    assert!(second.fence().number() > epoch);
});
