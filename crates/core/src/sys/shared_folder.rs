//! A folder in which several processes create things that are incomplete at first.
//!
//! Invariant: incomplete things are removed only while no process is inside the folder. A process enters the
//! folder, with a shared lock, before it creates anything; the kernel releases the lock when the process ends
//! in any way. On file systems that cannot lock folders, nothing is ever removed.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// Guard of being inside a folder.
#[derive(Debug)]
#[must_use = "the folder is left when this is dropped"]
pub(crate) struct InFolder {
    handle: Option<File>,
}

/// How often, and how long each time, to wait for a process that is cleaning up.
const WAITS: usize = 100;
const WAIT: Duration = Duration::from_millis(10);

impl InFolder {
    /// Enters a folder. If no other process is inside, `clear` is called first, while none can enter.
    pub(crate) fn enter(folder: &Path, clear: impl FnOnce()) -> Self {
        // Without a folder on a real disk there is nothing to lock and nothing to clean up.
        let Ok(handle) = File::open(folder) else {
            return Self { handle: None };
        };
        let inside = Self { handle: Some(handle) };
        inside.clear_if_alone(clear);
        for _ in 0..WAITS {
            match inside.handle.as_ref().map(File::try_lock_shared) {
                Some(Err(TryLockError::WouldBlock)) => std::thread::sleep(WAIT),
                _ => break,
            }
        }
        inside
    }

    /// Calls `clear` if no other process is inside, and leaves the folder.
    #[cfg(any(test, feature = "train"))]
    pub(crate) fn leave(self, clear: impl FnOnce()) {
        self.clear_if_alone(clear);
    }

    fn clear_if_alone(&self, clear: impl FnOnce()) {
        if self.handle.as_ref().is_some_and(|handle| handle.try_lock().is_ok()) {
            clear();
        }
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;

    fn cleared(enter: impl FnOnce(&mut dyn FnMut())) -> bool {
        let mut cleared = false;
        enter(&mut || cleared = true);
        cleared
    }

    #[test]
    fn only_who_is_alone_clears_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = None;
        assert!(cleared(|clear| first = Some(InFolder::enter(folder.path(), clear))));
        let mut second = None;
        assert!(!cleared(|clear| second = Some(InFolder::enter(folder.path(), clear))));
        assert!(!cleared(|clear| first.take().unwrap().leave(clear)));
        assert!(cleared(|clear| second.take().unwrap().leave(clear)));
        assert!(cleared(|clear| drop(InFolder::enter(folder.path(), clear))));
    }

    #[test]
    fn a_folder_that_is_not_there_is_entered_and_never_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere");
        assert!(!cleared(|clear| InFolder::enter(&nowhere, || {}).leave(clear)));
    }
}
