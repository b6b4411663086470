//! The lock of a run folder, so that only one process writes to it.
//!
//! The file `lock` is held with `flock`, which the kernel releases when the process ends in any way; its
//! content names the holder. Where `flock` does not work, as between machines that share a network folder,
//! claims decide (see `claim/`). A process that takes over raises the [`Fence`], so that an earlier holder
//! that is alive after all can no longer write.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::claim::{
    BEAT_EVERY, Claim, ClaimError, ClaimFolder, Claimant, Granted, Kernel, RealFolder, claimed_by,
};
use super::fence::{EPOCH_MAX, Fence, FenceError};
use super::files::{FileError, Files, Operation};
use super::process::{Cause, ProcessName};

pub use super::holder::Holder;

/// Name of the lock's file in a run folder.
pub const LOCK_FILE: &str = "lock";
/// Name of the fence's file in a run folder.
pub const FENCE_FILE: &str = "fence";

/// A lock that this process holds until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    // Dropped before the file: once the file is closed, others may lock it, and would find the claim.
    _claim: Claim,
    file: File,
    fence: Fence,
    took_over: Option<TakenOver>,
}

/// A request for a lock.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// The command of this process, shown to others that find the lock held.
    pub command: String,
    /// How long a holder on another machine is watched for heartbeats, which it writes every second, before
    /// it counts as dead.
    pub patience: Duration,
}

impl LockRequest {
    /// A request with the default patience of 20 s.
    pub fn new(command: impl Into<String>) -> Self {
        Self { command: command.into(), patience: Duration::from_secs(20) }
    }
}

/// The holder of a lock that ended without releasing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// The previous holder.
    pub from: Holder,
    /// Why it counts as dead; `None` for a holder on another machine without heartbeats.
    pub cause: Option<Cause>,
}

/// Why a run folder cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A living process holds it.
    #[error("{} is locked by {}", path.display(), describe(holder.as_deref()))]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// The holder; `None` in the moment before a new holder has written its identity.
        holder: Option<Box<Holder>>,
    },
    /// The fence could not be raised.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

fn describe(holder: Option<&Holder>) -> String {
    match holder {
        None => "a process that has not written its identity yet".into(),
        Some(holder) => format!(
            "process {} on {} since {:.0} ({})",
            holder.process.pid, holder.process.host, holder.since, holder.command
        ),
    }
}

impl RunLock {
    /// Locks a run folder, without waiting for another holder to release it.
    ///
    /// # Errors
    ///
    /// [`LockError::Locked`] when a living process holds it.
    pub fn acquire(
        files: &Arc<dyn Files>,
        folder: &Path,
        request: &LockRequest,
    ) -> Result<Self, LockError> {
        let path = folder.join(LOCK_FILE);
        let (mut file, kernel) = open_locked(&path)?;
        let last = read_holder(&mut file, &path)?;
        let holder = Holder {
            process: ProcessName::current(),
            since: Timestamp::now(),
            command: request.command.clone(),
            fence: 0,
        };
        let claimant =
            Claimant { holder, patience: request.patience, beat_every: BEAT_EVERY, kernel };
        let granted = claim(files, folder, &claimant, last.as_ref())?;
        sign(&mut file, &path, granted.claim.holder())?;
        let took_over = granted.from.map(|(from, cause)| TakenOver { from, cause });
        Ok(Self { file, fence: granted.fence, took_over, _claim: granted.claim })
    }

    /// The permission to write into the folder.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// The previous holder, if it died without releasing the lock.
    pub fn took_over(&self) -> Option<&TakenOver> {
        self.took_over.as_ref()
    }
}

/// Claims a folder among all the machines that share it.
fn claim(
    files: &Arc<dyn Files>,
    folder: &Path,
    claimant: &Claimant,
    last: Option<&Holder>,
) -> Result<Granted, LockError> {
    let path = folder.join(FENCE_FILE);
    let used = last.map_or(0, |holder| holder.fence).min(EPOCH_MAX);
    let last_epoch = || Ok(Fence::last(&**files, &path)?.max(used));
    let raise = |epoch| Fence::raise(files, &path, epoch - 1, &claimant.holder.process);
    let shared: Arc<dyn ClaimFolder> = Arc::new(RealFolder(folder.into()));
    claimant.take(&shared, last, last_epoch, raise).map_err(|error| match error {
        ClaimError::Held(holder) => LockError::Locked { path: folder.join(LOCK_FILE), holder },
        ClaimError::Fence(error) => error.into(),
        ClaimError::Folder(error) => FileError::new(Operation::Open, folder, 0, error).into(),
    })
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // The file is emptied, not removed: otherwise two processes could lock two files of the same name.
        // If that fails, the next holder only has to find out that this process is dead.
        if self.fence.check().is_ok() {
            let _ = self.file.set_len(0);
        }
    }
}

/// The process that holds a run folder now, without locking it; `None` if there is none. A holder on another
/// machine is also returned if it died, which cannot be seen from here.
///
/// # Errors
///
/// When the file cannot be read.
pub fn holder(folder: &Path) -> Result<Option<Holder>, LockError> {
    let path = folder.join(LOCK_FILE);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::new(Operation::Read, &path, 0, error).into()),
    };
    match file.try_lock_shared() {
        Ok(()) => claimed_by(&RealFolder(folder.into()))
            .map_err(|error| FileError::new(Operation::List, folder, 0, error).into()),
        Err(_) => read_holder(&mut file, &path),
    }
}

fn open_locked(path: &Path) -> Result<(File, Kernel), LockError> {
    let failed = |e| FileError::new(Operation::Open, path, 0, e);
    loop {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let kernel = match file.try_lock() {
            Ok(()) if excludes_others(path) => Kernel::Granted,
            Ok(()) => Kernel::CannotTell,
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Locked {
                    path: path.into(),
                    holder: read_holder(&mut file, path)?.map(Box::new),
                });
            }
            Err(TryLockError::Error(_)) => Kernel::CannotTell,
        };
        // The file may have been removed between opening and locking it.
        let ours = file.metadata().map_err(failed)?;
        match fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {
                return Ok((file, kernel));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error).into()),
        }
    }
}

/// Whether the lock that this process has just acquired excludes a second one; some file systems grant every
/// lock.
fn excludes_others(path: &Path) -> bool {
    let second = File::open(path).map(|file| file.try_lock());
    matches!(second, Ok(Err(TryLockError::WouldBlock)))
}

/// Longest content of the file that is read.
const LIMIT_BYTES: u64 = 16 * 1024;

/// The holder that is recorded in the file; `None` if the file is empty, or incomplete after a crash.
fn read_holder(file: &mut File, path: &Path) -> Result<Option<Holder>, LockError> {
    let mut text = Vec::new();
    file.rewind()
        .and_then(|()| file.take(LIMIT_BYTES).read_to_end(&mut text))
        .map_err(|e| FileError::new(Operation::Read, path, 0, e))?;
    Ok(serde_json::from_slice(&text).ok())
}

/// Writes the holder into the file. It is written in place, because a lock belongs to a file, not to its
/// name.
fn sign(file: &mut File, path: &Path, holder: &Holder) -> Result<(), LockError> {
    let text = serde_json::to_vec(holder).unwrap_or_default();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(&text))
        .and_then(|()| file.sync_all())
        .map_err(|e| FileError::new(Operation::Write, path, text.len() as u64, e).into())
}

#[cfg(test)]
mod tests;
