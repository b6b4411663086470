//! A folder that several processes make things in, each of which is unfinished at first.
//!
//! Invariant: what looks unfinished is cleared away only while no process is in the folder. Whoever makes something
//! there enters first, and the kernel lets go of what a process held, however it dies. Where a file system cannot lock
//! folders, as some network folders cannot, nothing is ever cleared away.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// Being in a folder, until this is dropped.
#[derive(Debug)]
#[must_use = "the folder is left when this is dropped"]
pub(crate) struct InFolder {
    handle: Option<File>,
}

/// How often somebody who is just clearing up is waited for, and how long each time.
const WAITS: usize = 100;
const WAIT: Duration = Duration::from_millis(10);

impl InFolder {
    /// Enters a folder; where nobody else is in it, `clear` is called before anybody else can come in.
    pub(crate) fn enter(folder: &Path, clear: impl FnOnce()) -> Self {
        // Without a folder on a real disk there is nothing to lock, nor to clear up.
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

    /// Calls `clear` if nobody else is in the folder, and leaves it.
    #[cfg(feature = "train")]
    pub(crate) fn leave(self, clear: impl FnOnce()) {
        self.clear_if_alone(clear);
    }

    fn clear_if_alone(&self, clear: impl FnOnce()) {
        if self.handle.as_ref().is_some_and(|handle| handle.try_lock().is_ok()) {
            clear();
        }
    }
}

#[cfg(test)]
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
