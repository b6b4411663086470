//! One writer a run folder.
//!
//! The file `lock` is held with `flock`, which the kernel lets go of when its holder dies, however
//! it dies; its content says who that is. Where `flock` does not reach (some network folders, two
//! machines on one of them), the content decides: a holder that is seen to be dead is replaced,
//! one that cannot be seen is watched for a while. Whoever takes over raises the [`Fence`], so
//! that a holder wrongly taken for dead does no harm.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fence::{Fence, FenceError};
use super::files::{FileError, Files, Operation};
use super::heartbeat;
use super::process::{Cause, Liveness, ProcessName};

/// Name of the lock's file in a run folder.
pub const LOCK_FILE: &str = "lock";
/// Name of the fence's file in a run folder.
pub const FENCE_FILE: &str = "fence";

/// A lock that this process holds until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    fence: Fence,
    took_over: Option<TakenOver>,
}

/// Who wants a lock, and how patiently.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// What the process does, shown to whoever finds the lock held.
    pub command: String,
    /// How long a holder on another machine is watched for signs of life before it is taken for
    /// dead. Must be longer than the time between its heartbeats.
    pub patience: Duration,
}

impl LockRequest {
    /// A request with the usual patience of 5 s.
    pub fn new(command: impl Into<String>) -> Self {
        Self { command: command.into(), patience: Duration::from_secs(5) }
    }
}

/// Content of the lock's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    #[serde(flatten)]
    pub process: ProcessName,
    /// Since when.
    pub since: Timestamp,
    /// What it does.
    pub command: String,
    /// Its fencing number.
    pub fence: u64,
}

/// A lock that its last holder never gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// Who that was.
    pub from: Holder,
    /// Why it was held to be gone; `None` for a holder on another machine that gave no sign of
    /// life.
    pub cause: Option<Cause>,
}

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A living process holds it.
    #[error("{} is locked by {}", path.display(), describe(holder.as_deref()))]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// Who; `None` in the moment before a new holder has signed.
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
        None => "a process that has not signed yet".into(),
        Some(holder) => format!(
            "process {} on {} since {:.0} ({})",
            holder.process.pid, holder.process.host, holder.since, holder.command
        ),
    }
}

impl RunLock {
    /// Locks a run folder, now or not at all.
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
        let this = ProcessName::current();
        let last = read_holder(&mut file, &path)?;
        let took_over = match &last {
            None => None,
            Some(holder) => Some(judge(holder, &this, kernel, folder, request.patience)?),
        };
        let used = last.map_or(0, |holder| holder.fence);
        let fence = Fence::raise(files, &folder.join(FENCE_FILE), used, &this)?;
        let holder = Holder {
            process: this,
            since: Timestamp::now(),
            command: request.command.clone(),
            fence: fence.number(),
        };
        sign(&mut file, &path, &holder)?;
        Ok(Self { file, fence, took_over })
    }

    /// Leave to write, for everything that publishes into the folder.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Whose lock this was, if that holder died with it.
    pub fn took_over(&self) -> Option<&TakenOver> {
        self.took_over.as_ref()
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // The file stays: removing it would let two processes lock two files of one name. Failing
        // to empty it only makes the next holder look for a dead one.
        if self.fence.check().is_ok() {
            let _ = self.file.set_len(0);
        }
    }
}

/// Who holds a run folder now, without asking for its lock; `None` when nobody does.
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
        Ok(()) => Ok(None),
        Err(_) => read_holder(&mut file, &path),
    }
}

/// What the kernel said about the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    /// Nobody else on this kernel, or where `flock` reaches, holds it.
    Granted,
    /// This file system knows no locks.
    CannotTell,
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
            Ok(()) => Kernel::Granted,
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Locked {
                    path: path.into(),
                    holder: read_holder(&mut file, path)?.map(Box::new),
                });
            }
            Err(TryLockError::Error(_)) => Kernel::CannotTell,
        };
        // Somebody may have removed the file between our opening and our locking it.
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

/// Content longer than this is not a holder's.
const LIMIT_BYTES: u64 = 16 * 1024;

/// The holder that signed; `None` for an empty file, and for one cut short by a crash while its
/// holder signed.
fn read_holder(file: &mut File, path: &Path) -> Result<Option<Holder>, LockError> {
    let mut text = Vec::new();
    file.rewind()
        .and_then(|()| file.take(LIMIT_BYTES).read_to_end(&mut text))
        .map_err(|e| FileError::new(Operation::Read, path, 0, e))?;
    Ok(serde_json::from_slice(&text).ok())
}

/// Written in place, as a lock belongs to a file, not to its name.
fn sign(file: &mut File, path: &Path, holder: &Holder) -> Result<(), LockError> {
    let text = serde_json::to_vec(holder).unwrap_or_default();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(&text))
        .and_then(|()| file.sync_all())
        .map_err(|e| FileError::new(Operation::Write, path, text.len() as u64, e).into())
}

/// Whether a lock that still carries a signature may be taken.
fn judge(
    holder: &Holder,
    this: &ProcessName,
    kernel: Kernel,
    folder: &Path,
    patience: Duration,
) -> Result<TakenOver, LockError> {
    let locked = || LockError::Locked {
        path: folder.join(LOCK_FILE),
        holder: Some(Box::new(holder.clone())),
    };
    let cause = match this.liveness_of(&holder.process) {
        Liveness::Dead(cause) => Some(cause),
        Liveness::Alive => return Err(locked()),
        // On one kernel its word is enough, whatever container the holder was in.
        Liveness::Unknown
            if kernel == Kernel::Granted
                && !this.boot.is_empty()
                && this.boot == holder.process.boot =>
        {
            Some(Cause::Exited)
        }
        Liveness::Unknown if gives_signs_of_life(folder, patience) => return Err(locked()),
        Liveness::Unknown => None,
    };
    Ok(TakenOver { from: holder.clone(), cause })
}

/// Watches the heartbeat change, which needs no agreement between the clocks of two machines.
fn gives_signs_of_life(folder: &Path, patience: Duration) -> bool {
    let path = folder.join(heartbeat::HEARTBEAT_FILE);
    let before = fs::read(&path).ok();
    let started = Instant::now();
    while started.elapsed() < patience {
        std::thread::sleep((patience / 20).min(Duration::from_millis(250)));
        if fs::read(&path).ok() != before {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::sys::files::RealFiles;

    fn files() -> Arc<dyn Files> {
        Arc::new(RealFiles)
    }

    fn request() -> LockRequest {
        LockRequest {
            command: "burgeon tune lenet.toml".into(),
            patience: Duration::from_millis(20),
        }
    }

    fn leave_lock_of(folder: &Path, process: ProcessName) {
        let holder = Holder {
            process,
            since: Timestamp::UNIX_EPOCH,
            command: "burgeon tune".into(),
            fence: 6,
        };
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
        let dead = [
            (Cause::Exited, ProcessName { pid: u32::MAX, ..this.clone() }),
            (Cause::PidReused, ProcessName { started: Some(1), ..this.clone() }),
            (Cause::Rebooted, ProcessName { boot: "before".into(), ..this.clone() }),
        ];
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

    #[test]
    fn a_silent_holder_on_another_machine_is_replaced_and_fenced_off() {
        let folder = tempfile::tempdir().unwrap();
        let old = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
        // Another machine does not see our flock; removing the file has the same effect here.
        fs::remove_file(folder.path().join(LOCK_FILE)).unwrap();
        let elsewhere = ProcessName {
            boot: "another".into(),
            host: "another".into(),
            ..ProcessName::current()
        };
        leave_lock_of(folder.path(), elsewhere);
        let new = RunLock::acquire(&files(), folder.path(), &request()).unwrap();
        assert_eq!(new.took_over().unwrap().cause, None);
        assert!(matches!(old.fence().check(), Err(FenceError::Replaced { .. })));
        drop(old);
        new.fence().check().unwrap();
        assert!(holder(folder.path()).unwrap().is_some(), "the old one must not sign off for us");
    }

    #[test]
    fn a_holder_on_another_machine_whose_heart_beats_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = ProcessName {
            boot: "another".into(),
            host: "another".into(),
            ..ProcessName::current()
        };
        leave_lock_of(folder.path(), elsewhere);
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
}
