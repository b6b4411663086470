//! Tests of `sys::standing`.

use std::sync::Arc;

use super::super::files::{Files, RealFiles};
use super::super::lock::{LockRequest, RunLock};
use super::*;

#[test]
fn a_holder_is_seen_from_its_lock_to_its_end_and_not_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    let this = ProcessName::current();
    let look = || standing(folder.path(), &this);
    assert_eq!(look(), Standing::Free);
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    let request = LockRequest::new("burgeon tune");
    let lock = RunLock::acquire(&files, folder.path(), &request).unwrap();
    let Standing::Held(holder) = look() else { panic!("{:?}", look()) };
    assert_eq!((holder.process, &*holder.command), (this.clone(), "burgeon tune"));
    drop(lock);
    assert_eq!(look(), Standing::Free);
}

#[test]
fn one_that_ended_is_nobody_and_one_elsewhere_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let this = ProcessName::current();
    let mut seen = Vec::new();
    for process in [
        ProcessName { started: Some(1), ..this.clone() },
        ProcessName { boot: "another".into(), host: "elsewhere".into(), ..this.clone() },
    ] {
        let since = jiff::Timestamp::UNIX_EPOCH;
        let holder = Holder { process, since, command: String::new(), fence: 1 };
        fs::write(folder.path().join(LOCK_FILE), serde_json::to_vec(&holder).unwrap()).unwrap();
        seen.push(standing(folder.path(), &this));
    }
    assert_eq!(seen[0], Standing::Free);
    assert!(matches!(&seen[1], Standing::Elsewhere(holder) if holder.process.host == "elsewhere"));
    fs::write(folder.path().join(LOCK_FILE), "{").unwrap();
    assert_eq!(standing(folder.path(), &this), Standing::Free);
}
