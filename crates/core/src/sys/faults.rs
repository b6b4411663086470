//! Fault injection: files that fail at a chosen step, to test that nothing is lost.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::{FileError, Files, Operation, PathKind, RealFiles, WritableFile, WriteMode};

/// Environment variable that makes a binary built with the feature `fault-injection`, as the tests
/// build it, fail at its n-th step on disk, such as `crash@17`; see [`Fault`]. Any other binary
/// ignores it.
pub const FAULT_VARIABLE: &str = "BURGEON_FAULT";

/// The real disk; in test builds with [`FAULT_VARIABLE`] set, files that fail accordingly.
///
/// # Errors
///
/// If the variable is not a valid fault.
pub fn real_files() -> Result<Arc<dyn Files>, FaultError> {
    let real: Arc<dyn Files> = Arc::new(RealFiles);
    match std::env::var_os(FAULT_VARIABLE) {
        Some(fault) if cfg!(feature = "fault-injection") => {
            let fault = fault.to_string_lossy().parse()?;
            Ok(Arc::new(FaultyFiles::new(real, fault, OnCrash::EndTheProcess)))
        }
        _ => Ok(real),
    }
}

/// What fails, and at which step that changes the disk (open, write, sync, truncate, rename, create,
/// remove), counted from 1. Reads are not counted.
///
/// Written `crash@17`, `torn@17`, `enospc@17`, `eio@17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The step; 0 for no fault, only to count steps.
    pub at: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The machine stops: that step and all later ones do nothing.
    Crash,
    /// The machine stops half-way through a write.
    TornCrash,
    /// The disk is full from that step on; half of a write still fits.
    NoSpace,
    /// The device fails at that one step.
    Io,
}

/// A fault that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a fault; use crash@N, torn@N, enospc@N or eio@N")]
pub struct FaultError {
    text: String,
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let parsed = || {
            let (kind, at) = text.split_once('@')?;
            let kind = match kind {
                "crash" => FaultKind::Crash,
                "torn" => FaultKind::TornCrash,
                "enospc" => FaultKind::NoSpace,
                "eio" => FaultKind::Io,
                _ => return None,
            };
            let at = at.parse().ok()?;
            Some(Self { kind, at })
        };
        parsed().ok_or_else(|| FaultError { text: text.into() })
    }
}

/// A disk with one [`Fault`].
#[derive(Debug, Clone)]
pub struct FaultyFiles {
    inner: Arc<dyn Files>,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    fault: Fault,
    steps: AtomicU64,
    on_crash: OnCrash,
}

/// What an injected crash does to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCrash {
    /// All later steps fail, so that a test can examine what is left.
    FailFromThenOn,
    /// The process is aborted.
    EndTheProcess,
}

impl FaultyFiles {
    /// The disk `inner` with a fault.
    pub fn new(inner: Arc<dyn Files>, fault: Fault, on_crash: OnCrash) -> Self {
        let plan = Plan { fault, steps: AtomicU64::new(0), on_crash };
        Self { inner, plan: Arc::new(plan) }
    }

    /// Number of steps that changed the disk so far.
    pub fn steps(&self) -> u64 {
        self.plan.steps.load(Ordering::SeqCst)
    }
}

enum Verdict {
    Go,
    /// Writes half of what it should, then fails.
    Half(io::Error),
    Fail(io::Error),
}

impl Plan {
    fn judge(&self, operation: Operation) -> Verdict {
        let step = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        let Fault { kind, at } = self.fault;
        if at == 0 || step < at {
            return Verdict::Go;
        }
        let writes = operation == Operation::Write;
        match kind {
            FaultKind::Crash => self.crash(),
            FaultKind::TornCrash if step == at && writes => {
                Verdict::Half(io::Error::other("injected crash"))
            }
            FaultKind::TornCrash => self.crash(),
            FaultKind::NoSpace if operation.needs_space() => {
                let full = io::Error::from_raw_os_error(libc::ENOSPC);
                if writes { Verdict::Half(full) } else { Verdict::Fail(full) }
            }
            FaultKind::Io if step == at => Verdict::Fail(io::Error::from_raw_os_error(libc::EIO)),
            FaultKind::NoSpace | FaultKind::Io => Verdict::Go,
        }
    }

    fn crash(&self) -> Verdict {
        match self.on_crash {
            OnCrash::EndTheProcess => std::process::abort(),
            OnCrash::FailFromThenOn => Verdict::Fail(io::Error::other("injected crash")),
        }
    }

    fn step(&self, operation: Operation, path: &Path) -> Result<(), FileError> {
        match self.judge(operation) {
            Verdict::Go => Ok(()),
            Verdict::Half(e) | Verdict::Fail(e) => Err(FileError::new(operation, path, 0, e)),
        }
    }
}

impl Operation {
    fn needs_space(self) -> bool {
        matches!(self, Self::Open | Self::Write | Self::CreateFolder)
    }
}

impl Files for FaultyFiles {
    fn open(&self, path: &Path, mode: WriteMode) -> Result<Box<dyn WritableFile>, FileError> {
        self.plan.step(Operation::Open, path)?;
        Ok(Box::new(FaultyFile {
            inner: self.inner.open(path, mode)?,
            path: path.to_path_buf(),
            plan: Arc::clone(&self.plan),
        }))
    }

    fn create_folder(&self, path: &Path) -> Result<(), FileError> {
        self.plan.step(Operation::CreateFolder, path)?;
        self.inner.create_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> Result<(), FileError> {
        self.plan.step(Operation::Sync, path)?;
        self.inner.sync_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        self.plan.step(Operation::Rename, to)?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<(), FileError> {
        self.plan.step(Operation::Remove, path)?;
        self.inner.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> Result<(), FileError> {
        self.plan.step(Operation::Remove, path)?;
        self.inner.remove_folder(path)
    }

    fn read(&self, path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
        self.inner.read(path, limit_bytes)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, FileError> {
        self.inner.read_at(path, offset, length)
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, FileError> {
        self.inner.list(folder)
    }

    fn kind(&self, path: &Path) -> Result<Option<PathKind>, FileError> {
        self.inner.kind(path)
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Box<dyn WritableFile>,
    path: PathBuf,
    plan: Arc<Plan>,
}

impl WritableFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let error = match self.plan.judge(Operation::Write) {
            Verdict::Go => return self.inner.write(bytes),
            Verdict::Half(error) => {
                self.inner.write(&bytes[..bytes.len() / 2])?;
                if self.plan.fault.kind == FaultKind::TornCrash {
                    self.plan.crash();
                }
                error
            }
            Verdict::Fail(error) => error,
        };
        Err(FileError::new(Operation::Write, &self.path, bytes.len() as u64, error))
    }

    fn sync(&mut self) -> Result<(), FileError> {
        self.plan.step(Operation::Sync, &self.path)?;
        self.inner.sync()
    }

    fn truncate(&mut self, bytes: u64) -> Result<(), FileError> {
        self.plan.step(Operation::Truncate, &self.path)?;
        self.inner.truncate(bytes)
    }
}

#[cfg(test)]
mod tests;
