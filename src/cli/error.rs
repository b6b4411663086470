//! The errors of the command, and their exit codes.

use std::path::PathBuf;

use super::exit::Exit;
use crate::data::DataError;
#[cfg(feature = "detect")]
use crate::detect::DetectError;
use crate::ledger::RunFolderError;
use crate::model::{DeviceError, InputError, OpenError, PreparationError, ReadError, WeightsError};
use crate::report::ReportError;
use crate::report::compare::SideError;
use crate::spec::SpecError;
use crate::study::{ExportError, ImportRunError, LaunchError, StudyError};
use crate::supervise::SuperviseError;
use crate::sys::files::FileError;
use crate::sys::lock::LockError;

/// An error that ends a command.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("cannot read the study file {}", path.display())]
    StudyFile { path: PathBuf, source: std::io::Error },
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
    #[error("some events could not be written to standard output; {} has them all", events.display())]
    Events { events: PathBuf, source: std::io::Error },
    #[error("the test images are not evaluated, because that cannot be recorded in {}", folder.display())]
    TestRead { folder: PathBuf, source: Box<LaunchError> },
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Model(#[from] OpenError),
    #[error(transparent)]
    Picture(DataError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the model's input shape does not match the data")]
    OtherImages(#[from] PreparationError),
    #[error("{} has no recorded trials; give a run folder, such as runs/lenet-5-0001", folder.display())]
    NoTrials { folder: PathBuf },
    #[error(transparent)]
    File(FileError),
    #[error("no run in {} has the name {name}, nor has its study{}", folder.display(), did_you_mean(similar))]
    NoSuchRun { folder: PathBuf, name: String, similar: Option<String> },
    #[error(transparent)]
    Side(#[from] SideError),
    #[error(
        "the models of {first} and {second} cannot be evaluated on the same images, because {why}; leave out --evaluate"
    )]
    NotComparable { first: String, second: String, why: &'static str },
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Import(ImportRunError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[cfg(feature = "detect")]
    #[error(transparent)]
    Detect(#[from] DetectError),
    #[error("cannot draw the contact sheet")]
    Sheet(#[source] image::ImageError),
    #[cfg(feature = "mail")]
    #[error(transparent)]
    Outbox(#[from] crate::notify::OutboxError),
    #[cfg(feature = "mail")]
    #[error("{waiting} to be sent later, {parked} parked")]
    Unsent { waiting: String, parked: usize },
    #[cfg(feature = "mail")]
    #[error("cannot list the runs in {}", folder.display())]
    Runs { folder: PathBuf, source: FileError },
    #[error("{} of {images} pictures could not be read", failed)]
    Pictures { failed: usize, images: usize },
}

fn did_you_mean(similar: &Option<String>) -> String {
    similar.as_ref().map_or(String::new(), |name| format!("; did you mean {name}?"))
}

impl From<SpecError> for CliError {
    fn from(error: SpecError) -> Self {
        Self::Launch(error.into())
    }
}

impl From<ImportRunError> for CliError {
    fn from(error: ImportRunError) -> Self {
        match error {
            // A study that is wrong is shown with its line.
            ImportRunError::Launch(error) => Self::Launch(error),
            other => Self::Import(other),
        }
    }
}

impl From<DeviceError> for CliError {
    fn from(error: DeviceError) -> Self {
        Self::Launch(error.into())
    }
}

impl From<DataError> for CliError {
    fn from(error: DataError) -> Self {
        Self::Launch(error.into())
    }
}

impl From<RunFolderError> for CliError {
    fn from(error: RunFolderError) -> Self {
        Self::Launch(error.into())
    }
}

impl CliError {
    /// The exit code that the command ends with.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Launch(
                LaunchError::Spec(_)
                | LaunchError::Device(_)
                | LaunchError::NoStudy
                | LaunchError::Changed { .. }
                | LaunchError::Fixed { .. }
                | LaunchError::Study(StudyError::Extension(_) | StudyError::Spec(_))
                | LaunchError::OtherData(_)
                | LaunchError::Cpu(_)
                | LaunchError::Fault(_),
            )
            | Self::StudyFile { .. }
            | Self::Import(ImportRunError::Mismatch { .. } | ImportRunError::Nothing { .. })
            | Self::Export(ExportError::Extension { .. } | ExportError::NoImages) => Exit::Usage,
            #[cfg(feature = "detect")]
            Self::Detect(DetectError::Rules { .. } | DetectError::RulesFile { .. }) => Exit::Usage,
            Self::Launch(LaunchError::Lock(LockError::Locked { .. })) => Exit::Locked,
            #[cfg(feature = "mail")]
            Self::Outbox(crate::notify::OutboxError::Lock(LockError::Locked { .. })) => {
                Exit::Locked
            }
            Self::TestRead { source, .. }
                if matches!(**source, LaunchError::Lock(LockError::Locked { .. })) =>
            {
                Exit::Locked
            }
            // A reader that stops early, such as `head`, is not a failure.
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Success,
            _ => Exit::Failed,
        }
    }
}
