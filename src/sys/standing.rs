//! Who holds a run folder, for onlookers: nothing is locked for that, not even for a moment, so that any number of
//! them disturb no process that wants the folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::holder::Holder;
use super::lock::LOCK_FILE;
use super::process::{Liveness, ProcessName};

/// Who holds a run folder, as far as the content of its lock tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No process, or one that has ended.
    Free,
    /// A living process of this machine.
    Held(Holder),
    /// A process on another machine or in another container, which may have ended.
    Elsewhere(Holder),
}

/// Longest content of a lock that is read.
const LIMIT_BYTES: u64 = 16 << 10;

/// Reads who holds a run folder; `this` is the process that asks. A lock that cannot be read counts as free.
pub fn standing(folder: &Path, this: &ProcessName) -> Standing {
    let Some(holder) = holder(&folder.join(LOCK_FILE)) else { return Standing::Free };
    match this.liveness_of(&holder.process) {
        Liveness::Alive => Standing::Held(holder),
        Liveness::Dead(_) => Standing::Free,
        Liveness::Unknown => Standing::Elsewhere(holder),
    }
}

fn holder(path: &Path) -> Option<Holder> {
    // Opening a pipe would wait for its other end.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    File::open(path).ok()?.take(LIMIT_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
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
        assert!(
            matches!(&seen[1], Standing::Elsewhere(holder) if holder.process.host == "elsewhere")
        );
        fs::write(folder.path().join(LOCK_FILE), "{").unwrap();
        assert_eq!(standing(folder.path(), &this), Standing::Free);
    }
}
