//! Errors of a launch, and their kinds.

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

/// An error that prevents a study from starting, or ends it early.
///
/// [`kind`](Self::kind) tells what a program can do about it; [`source`](Error::source) gives the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The study file is wrong; nothing was started.
    #[error("the study is invalid")]
    Spec(#[from] SpecError),
    /// [`Launch::run`](super::Launch::run) was called on [`Launch::default`](super::Launch::default),
    /// which has no study.
    #[error("there is no study to run; give one to `Launch::new`")]
    NoStudy,
    /// The device is not available; nothing was started.
    #[error("the device cannot be used")]
    Device(#[from] DeviceError),
    /// The images cannot be found, fetched or read.
    #[error("the images cannot be loaded")]
    Data(#[from] DataError),
    /// The run folder cannot be created or read.
    #[error("the run folder cannot be used")]
    Folder(#[from] RunFolderError),
    /// Another process works on the run.
    #[error("the run cannot be locked")]
    Lock(#[from] LockError),
    /// The record cannot be read or written.
    #[error("the record of the run cannot be used")]
    Ledger(#[from] LedgerError),
    /// The loop ended with an error.
    #[error("{}", match .0 { StudyError::Extension(_) => "nothing was changed", _ => "the study failed" })]
    Study(#[from] StudyError),
    /// The run began with another study or other images.
    #[error(
        "{} cannot be resumed: {what} changed since it began (hash {then} then, {now} now); undo the change, or start a new run{}",
        folder.display(),
        indented(lines)
    )]
    Changed {
        /// The run folder.
        folder: PathBuf,
        /// What changed: the study file or the images.
        what: &'static str,
        /// The hash in the record.
        then: String,
        /// The hash now.
        now: String,
        /// The differing lines of the study file, as [`diff`](crate::spec::diff) gives them; empty if
        /// the run folder no longer has its study.
        lines: Vec<String>,
    },
    /// A run cannot be resumed with other settings than it began with.
    #[error(
        "{} cannot be resumed with {settings}: that would change the study that it began with; extend the run with --more-trials, --more-epochs or --gate, or start a new run{}",
        folder.display(),
        indented(lines)
    )]
    Fixed {
        /// The run folder.
        folder: PathBuf,
        /// The requested settings, such as `--set train.epochs=3`.
        settings: String,
        /// The lines of the study file that would change.
        lines: Vec<String>,
    },
    /// The images differ from those that the run began with.
    #[error(transparent)]
    OtherData(#[from] OtherData),
    /// The copy of the model that the run started with is missing or damaged.
    #[error(transparent)]
    LostModel(#[from] LostModel),
    /// A file could not be written.
    #[error("a file of the run cannot be used")]
    File(#[from] FileError),
    /// The instruction set named by `BURGEON_CPU` is not available.
    #[error("the requested instruction set cannot be used")]
    Cpu(#[from] CpuError),
    /// The system refused to start the compute threads.
    #[error("the compute threads cannot be started")]
    Workers(#[source] WorkersError),
    /// `BURGEON_FAULT`, which only test builds read, is not a fault.
    #[error("the simulated fault cannot be set up")]
    Fault(#[from] FaultError),
}

/// The copy of the model that a run started with is missing, damaged, or another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} should hold a copy of the model that the run started with, but cannot be used: {why}; restore it, from {} if the model is still there, or start a new run",
    folder.display(),
    from.display()
)]
pub struct LostModel {
    /// The folder of the copy.
    pub folder: PathBuf,
    /// Where the model was found when the run began.
    pub from: PathBuf,
    /// What is wrong.
    pub why: String,
}

/// The kind of an error, for programs that react to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The study is invalid or missing; nothing was started.
    BadStudy,
    /// The device or the instruction set is not available.
    NoDevice,
    /// Images are missing, cannot be fetched, or are not what they should be.
    MissingData,
    /// The disk, or the quota on it, is full. What was recorded stays, and the run can be resumed.
    NoSpace,
    /// Another process works on the run, or has taken it over.
    Locked,
    /// The study, the images, the model to start from, or the decisions of this version or policy differ from those that
    /// the run began with.
    Changed,
    /// The folder is not a run folder.
    NotARun,
    /// The event log is damaged.
    DamagedRecord,
    /// The extension is not possible: the study is not finished, or nothing would change.
    CannotExtend,
    /// The trainer failed, or the policy proposed a trial that cannot be trained.
    Training,
    /// A file or folder cannot be read or written, for another reason than a full disk.
    Io,
    /// Anything else.
    Other,
}

impl LaunchError {
    /// The kind of this error. A full disk and a run that was taken over are recognized whatever the
    /// operation that failed.
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
            Self::Changed { .. } | Self::Fixed { .. } | Self::OtherData(_) | Self::LostModel(_) => {
                Kind::Changed
            }
            Self::Fault(_) => Kind::Other,
        }
    }
}

/// The kind that follows from a cause anywhere in the chain of sources.
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
