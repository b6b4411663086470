//! Why a study could not be run, and of which kind that is.

use std::error::Error;
use std::path::PathBuf;

use crate::data::DataError;
use crate::ledger::{LedgerError, RunFolderError};
use crate::model::DeviceError;
use crate::spec::SpecError;
use crate::study::{OtherData, StudyError};
use crate::sys::faults::FaultError;
use crate::sys::fence::FenceError;
use crate::sys::files::FileError;
use crate::sys::lock::LockError;
use crate::train::WorkersError;
use burgeon_kernel::CpuError;

/// What keeps a study from starting, or ends it before its time.
///
/// [`kind`](Self::kind) sorts it; every cause is in [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The study file is wrong; nothing was started.
    #[error("the study is invalid")]
    Spec(#[from] SpecError),
    /// There is no study to run: neither one was given nor a run that has one.
    #[error("there is no study to run; give one to `Launch::new`")]
    NoStudy,
    /// The device cannot be had; nothing was started.
    #[error("the device cannot be used")]
    Device(#[from] DeviceError),
    /// The images cannot be had.
    #[error("the images cannot be loaded")]
    Data(#[from] DataError),
    /// The run folder cannot be made or read.
    #[error("the run folder cannot be used")]
    Folder(#[from] RunFolderError),
    /// Another process works in the run folder.
    #[error("the run cannot be locked")]
    Lock(#[from] LockError),
    /// The record cannot be read or written.
    #[error("the record of the run cannot be used")]
    Ledger(#[from] LedgerError),
    /// The loop failed.
    #[error("the study failed")]
    Study(#[from] StudyError),
    /// The run began with something else.
    #[error(
        "{} cannot be resumed: {what} changed since it began (hash {then} then, {now} now); undo the change, or start a new run{}",
        folder.display(),
        indented(lines)
    )]
    Changed {
        /// The run folder.
        folder: PathBuf,
        /// What changed.
        what: &'static str,
        /// Its hash in the record.
        then: String,
        /// Its hash now.
        now: String,
        /// The lines of the study file that differ, as [`diff`](crate::spec::diff) gives them, where
        /// the run still has the study that it began with.
        lines: Vec<String>,
    },
    /// A run was asked to go on with other settings than it began with.
    #[error(
        "{} keeps the study that it began with, which {settings} would change; extend it by --more-trials, --more-epochs or --gate, or start a new run{}",
        folder.display(),
        indented(lines)
    )]
    Fixed {
        /// The run folder.
        folder: PathBuf,
        /// The settings that were asked for, such as `--set train.epochs=3`.
        settings: String,
        /// The lines of the study file that would change.
        lines: Vec<String>,
    },
    /// The images are not those that the run began with.
    #[error(transparent)]
    OtherData(#[from] OtherData),
    /// A file could not be written.
    #[error("a file of the run cannot be used")]
    File(#[from] FileError),
    /// The instruction set that `BURGEON_CPU` asks for cannot be had.
    #[error("the requested instruction set cannot be used")]
    Cpu(#[from] CpuError),
    /// There are the compute threads cannot be started.
    #[error("the compute threads cannot be started")]
    Workers(#[source] WorkersError),
    /// The request for a simulated fault cannot be read.
    #[error("the simulated fault cannot be set up")]
    Fault(#[from] FaultError),
}

/// What kind of thing went wrong, for a program that reacts to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The study is wrong, or there is none; nothing was started.
    BadStudy,
    /// The device, or the instruction set, cannot be had.
    NoDevice,
    /// Images are missing, cannot be fetched, or are not what they should be.
    MissingData,
    /// The disk, or the quota on it, is full. What was recorded stays, and the run can be resumed.
    NoSpace,
    /// Another process works in the run folder, or has taken it over.
    Locked,
    /// The study or the images are not those that the run began with.
    Changed,
    /// The folder is no run.
    NotARun,
    /// The record cannot be read.
    DamagedRecord,
    /// A study that is not over, or has nothing to gain, cannot be extended like that.
    CannotExtend,
    /// The trainer failed, or the policy proposed what cannot be trained.
    Training,
    /// A file or folder cannot be read or written, for another reason than a full disk.
    Io,
    /// Anything else.
    Other,
}

impl LaunchError {
    /// What kind of thing went wrong. A full disk and a run that was taken over are told whatever
    /// they kept from being done.
    pub fn kind(&self) -> Kind {
        if let Some(kind) = first_cause(self) {
            return kind;
        }
        match self {
            Self::Spec(_) | Self::NoStudy => Kind::BadStudy,
            Self::Device(_) | Self::Cpu(_) | Self::Workers(_) => Kind::NoDevice,
            Self::Data(_) => Kind::MissingData,
            Self::Folder(RunFolderError::Name { .. }) => Kind::BadStudy,
            Self::Folder(RunFolderError::NotARun { .. }) => Kind::NotARun,
            Self::Folder(RunFolderError::Provenance { .. })
            | Self::Ledger(LedgerError::Damaged { .. }) => Kind::DamagedRecord,
            Self::Folder(RunFolderError::File(_))
            | Self::Ledger(_)
            | Self::Lock(_)
            | Self::File(_) => Kind::Io,
            Self::Study(error) => match error {
                StudyError::Extension(_) => Kind::CannotExtend,
                StudyError::Spec(_) => Kind::BadStudy,
                StudyError::DecidesDifferently { .. } => Kind::Changed,
                StudyError::NotRecorded { .. } | StudyError::Edit { .. } => Kind::DamagedRecord,
                StudyError::Trainer { .. } | StudyError::Proposal { .. } => Kind::Training,
                StudyError::Ledger(_) | StudyError::Folder(_) | StudyError::Publish(_) => Kind::Io,
            },
            Self::Changed { .. } | Self::Fixed { .. } | Self::OtherData(_) => Kind::Changed,
            Self::Fault(_) => Kind::Other,
        }
    }
}

/// A cause that decides the kind, however deep it lies.
fn first_cause(error: &LaunchError) -> Option<Kind> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(FileError::NoSpace { .. }) = error.downcast_ref() {
            return Some(Kind::NoSpace);
        }
        if let Some(system) = error.downcast_ref::<std::io::Error>()
            && matches!(system.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
        {
            return Some(Kind::NoSpace);
        }
        if let Some(LockError::Locked { .. }) = error.downcast_ref() {
            return Some(Kind::Locked);
        }
        if error.is::<FenceError>() {
            return Some(Kind::Locked);
        }
        cause = error.source();
    }
    None
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}
