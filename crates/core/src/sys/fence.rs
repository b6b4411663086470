//! A fencing token: a number in the run folder that grows with every writer, so that a stalled old writer
//! notices before a write that it has been replaced.
//!
//! The check and the write after it are two steps, which no file system can make atomic. What a replaced
//! writer may still write between the two causes no damage: checkpoints never replace one another, and
//! events repeat what the new writer records.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::files::{FileError, Files};
use super::process::ProcessName;

/// Permission to write to a run folder. Clones share it.
#[derive(Debug, Clone)]
pub struct Fence(Option<Arc<Raised>>);

#[derive(Debug)]
struct Raised {
    files: Arc<dyn Files>,
    path: PathBuf,
    mark: Mark,
}

/// Content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    fence: u64,
    /// Distinguishes two writers that raised the fence at the same moment.
    by: ProcessName,
}

const LIMIT_BYTES: u64 = 4096;

/// The highest number; a file with a higher one is damaged.
pub(super) const EPOCH_MAX: u64 = i64::MAX as u64;

/// Why a writer may no longer write.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// Another writer has taken over.
    #[error(
        "process {by_pid} on {by_host} has taken over the run of {} (its fence is {theirs}, ours {ours})", path.display()
    )]
    Replaced {
        /// The fence file.
        path: PathBuf,
        /// Our number.
        ours: u64,
        /// The new writer's number.
        theirs: u64,
        /// The new writer's process id.
        by_pid: u32,
        /// The new writer's machine.
        by_host: String,
    },
    /// The fence file is damaged.
    #[error("{} has no valid fence number", path.display())]
    Unreadable {
        /// The fence file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Fence {
    /// Permission that cannot be withdrawn, for folders without other writers.
    pub fn none() -> Self {
        Self(None)
    }

    /// Replaces all earlier writers that use the fence file `path`. `at_least` is a number that is known to
    /// have been used, in case the file is lost.
    pub(crate) fn raise(
        files: &Arc<dyn Files>,
        path: &Path,
        at_least: u64,
        by: &ProcessName,
    ) -> Result<Self, FenceError> {
        let last = Self::last(&**files, path)?;
        let mark = Mark { fence: last.max(at_least) + 1, by: by.clone() };
        let text = serde_json::to_vec(&mark)
            .map_err(|source| FenceError::Unreadable { path: path.into(), source })?;
        files.write_atomically(path, &text)?;
        let fence =
            Self(Some(Arc::new(Raised { files: Arc::clone(files), path: path.into(), mark })));
        fence.check()?;
        Ok(fence)
    }

    /// The number in the fence file `path`; 0 if it is missing or damaged.
    pub(super) fn last(files: &dyn Files, path: &Path) -> Result<u64, FenceError> {
        match read(files, path) {
            Ok(mark) if mark.fence <= EPOCH_MAX => Ok(mark.fence),
            Err(FenceError::File(error)) if error.is_not_found() => Ok(0),
            // A damaged file has no number, and no earlier writer passes its check any more.
            Ok(_) | Err(FenceError::Unreadable { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The number; 0 without a fence.
    pub fn number(&self) -> u64 {
        self.0.as_ref().map_or(0, |raised| raised.mark.fence)
    }

    /// Checks that this writer is still the newest one.
    ///
    /// # Errors
    ///
    /// If it is not, or the file cannot be read, so that this is unknown.
    pub fn check(&self) -> Result<(), FenceError> {
        let Some(raised) = &self.0 else {
            return Ok(());
        };
        let found = read(&*raised.files, &raised.path)?;
        if found == raised.mark {
            return Ok(());
        }
        Err(FenceError::Replaced {
            path: raised.path.clone(),
            ours: raised.mark.fence,
            theirs: found.fence,
            by_pid: found.by.pid,
            by_host: found.by.host,
        })
    }
}

fn read(files: &dyn Files, path: &Path) -> Result<Mark, FenceError> {
    let text = files.read(path, LIMIT_BYTES)?;
    serde_json::from_slice(&text)
        .map_err(|source| FenceError::Unreadable { path: path.into(), source })
}

#[cfg(test)]
mod tests;
