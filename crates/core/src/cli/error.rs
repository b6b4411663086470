//! The errors of the command, and their exit codes.

use std::path::PathBuf;

use super::exit::Exit;
use crate::data::DataError;
#[cfg(feature = "detect")]
use crate::detect::{CarryError, DetectError};
use crate::drift::ReferenceFileError;
use crate::ledger::RunFolderError;
use crate::model::{DeviceError, InputError, OpenError, PreparationError, ReadError, WeightsError};
use crate::registry::RegistryError;
use crate::report::ReportError;
use crate::report::compare::SideError;
use crate::spec::SpecError;
use crate::study::{ExportError, ImportRunError, LaunchError, StudyError};
use crate::supervise::SuperviseError;
use crate::sys::files::FileError;
use crate::sys::lock::LockError;
use crate::track::{MlflowError, TrackError};

/// An error that ends a command.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("cannot read the study file {}", path.display())]
    StudyFile { path: PathBuf, source: std::io::Error },
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
    #[error("the trial cannot be started")]
    Trial(#[source] crate::cluster::ClaimError),
    #[error("some events could not be written to standard output; {} has them all", events.display())]
    Events { events: PathBuf, source: std::io::Error },
    #[error("the test images were not evaluated, because that cannot be recorded in {}", folder.display())]
    TestRead { folder: PathBuf, source: Box<LaunchError> },
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    #[error("cannot count the running builds and retrainings")]
    Turn(#[source] std::io::Error),
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
    Track(#[from] TrackError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(
        "{} already has held-out images, which cannot be replaced; leave out --held-out, or name another folder with --registry",
        folder.display()
    )]
    HeldOutFixed { folder: PathBuf },
    #[error(
        "a new registry needs held-out images, and with --unchecked the run's own are not read: name others with --held-out"
    )]
    NoHeldOut,
    #[cfg(feature = "serve")]
    #[error("{}/registry.toml has no [retrain]; docs/retrain.md says what can stand there", folder.display())]
    NoRetrain { folder: PathBuf },
    #[cfg(feature = "detect")]
    #[error(transparent)]
    Detect(#[from] DetectError),
    #[cfg(feature = "detect")]
    #[error(transparent)]
    CarryOver(#[from] CarryError),
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Config(#[from] crate::chain::ConfigError),
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Store(#[from] crate::chain::StoreError),
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Work(#[from] crate::chain::WorkError),
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
    #[cfg(feature = "serve")]
    #[error(
        "{address} can be reached from other machines: give a file with a token, such as --predict-token-file, or listen on 127.0.0.1"
    )]
    OpenToAll { address: std::net::SocketAddr },
    #[cfg(feature = "serve")]
    #[error("give the run, or with --registry the registry, whose model is to be served")]
    NothingToServe,
    #[cfg(feature = "serve")]
    #[error(
        "--abstain needs a calibrated model: add the run to a registry, and serve that with --registry"
    )]
    NotCalibrated,
    #[cfg(feature = "serve")]
    #[error("--keep-images needs a folder: name one with --requests")]
    NoRequestsFolder,
    #[cfg(feature = "serve")]
    #[error("git, which fetches the repositories, is not installed; install it")]
    NoGit,
    #[cfg(feature = "serve")]
    #[error("cannot find the path of the burgeon program")]
    Program(#[source] std::io::Error),
    #[cfg(feature = "serve")]
    #[error("an internal error ended the service; its builds continue when it is started again")]
    Internal,
    #[cfg(feature = "serve")]
    #[error("the configuration has no repository {name}; it has {}", known.join(", "))]
    NoSuchRepository { name: String, known: Vec<String> },
    #[cfg(feature = "serve")]
    #[error("cannot read standard input")]
    Stdin(#[source] std::io::Error),
    #[cfg(feature = "serve")]
    #[error("{text:?} is not the full name of a commit, which has 40 or 64 digits")]
    NotACommit { text: String },
    #[cfg(feature = "serve")]
    #[error("there is no build {build} {wanted}")]
    NoSuchBuild { build: i64, wanted: &'static str },
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
    #[error(transparent)]
    Reference(#[from] ReferenceFileError),
    #[error(transparent)]
    Detector(#[from] burgeon_drift::DetectorError),
    #[error(transparent)]
    Sample(#[from] burgeon_drift::SampleError),
    #[error("{found} images are too few to compare; at least {least} are needed")]
    TooFewImages { found: usize, least: usize },
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
            | Self::Trial(crate::cluster::ClaimError::NotSubmitted)
            | Self::Track(TrackError::Mlflow(MlflowError::Address { .. }))
            | Self::Detector(_)
            | Self::TooFewImages { .. }
            | Self::Import(ImportRunError::Mismatch { .. } | ImportRunError::Nothing { .. })
            | Self::Export(
                ExportError::Extension { .. } | ExportError::NoImages | ExportError::NoEvaluation,
            ) => Exit::Usage,
            Self::Registry(
                RegistryError::Settings { .. }
                | RegistryError::NotAVersion { .. }
                | RegistryError::AliasName { .. }
                | RegistryError::NoVersion { .. }
                | RegistryError::NoAlias { .. }
                | RegistryError::AlreadyThere { .. },
            )
            | Self::HeldOutFixed { .. }
            | Self::NoHeldOut => Exit::Usage,
            Self::Registry(RegistryError::Seen { .. }) => Exit::Refused,
            Self::Registry(RegistryError::Lock(LockError::Locked { .. })) => Exit::Locked,
            #[cfg(feature = "detect")]
            Self::Detect(DetectError::Rules { .. } | DetectError::RulesFile { .. }) => Exit::Usage,
            #[cfg(feature = "detect")]
            Self::CarryOver(
                CarryError::Detect(DetectError::NoStudy(_))
                | CarryError::NoProgram { .. }
                | CarryError::Study(_),
            ) => Exit::Unknown,
            #[cfg(feature = "serve")]
            Self::OpenToAll { .. }
            | Self::NothingToServe
            | Self::NotCalibrated
            | Self::NoRetrain { .. }
            | Self::NoRequestsFolder => Exit::Usage,
            #[cfg(feature = "serve")]
            Self::Config(_) | Self::NoSuchRepository { .. } | Self::NotACommit { .. } => {
                Exit::Usage
            }
            #[cfg(feature = "serve")]
            Self::Work(crate::chain::WorkError::Locked(LockError::Locked { .. })) => Exit::Locked,
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
