//! Arguments, terminal output, exit codes: the only place that prints.

mod args;
mod check;
mod complain;
mod data;
mod environment;
mod eval;
mod exit;
mod init;
mod lineage;
mod output;
mod predict;
mod profile;
mod report;
mod run;
mod supervise;
mod view;
mod watchdog;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory;

use self::args::{Arguments, Command, Common};
use self::exit::Exit;
use self::output::Output;
use crate::data::fetch::FetchLimits;
use crate::data::{DataError, Download};
use crate::ledger::RunFolderError;
use crate::model::{DeviceError, InputError, OpenError, PreparationError, ReadError, WeightsError};
use crate::report::ReportError;
use crate::spec::{self, Override, SpecError, StudyDocument};
use crate::study::{Growth, LaunchError, Settings, StudyError};
use crate::supervise::SuperviseError;
use crate::sys::lock::LockError;

/// The study that runs when none is named.
const DEFAULT_STUDY: &str = include_str!("../../models/lenet.toml");

/// Parses the command line, does what it says, and returns the documented exit code.
pub fn main() -> ExitCode {
    burgeon_kernel::keep_freed_memory();
    let arguments = match environment::parse(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    bound_threads(&arguments.common);
    let output = Output::new(&arguments.common);
    let exit = match dispatch(&arguments, &output) {
        Ok(exit) => exit,
        Err(error) => {
            output.complain(&error);
            error.exit()
        }
    };
    exit.into()
}

/// Bounds the threads of burn's own operations, which use rayon's pool of the whole process. That
/// belongs to the command, so it is set here and by no part of the library.
fn bound_threads(common: &Common) {
    if let Some(threads) = common.threads {
        // It only fails where it was set before, which nothing has done yet.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
    }
}

fn dispatch(arguments: &Arguments, output: &Output) -> Result<Exit, CliError> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Init { data } => init::init(data, common, output),
        Command::Data(arguments) => data::data(arguments, common, output),
        Command::Tune(study) => run::run(study, common, Growth::On, output),
        Command::Train(study) => run::run(study, common, Growth::Off, output),
        Command::Resume(resume) => run::resume(resume, common, output),
        Command::Supervise(arguments) => supervise::supervise(arguments, output),
        Command::Check { study } => check::check(study.as_deref(), common, output),
        Command::Eval { run, split } => eval::eval(run, *split, common, output),
        Command::Predict(arguments) => predict::predict(arguments, common, output),
        Command::Lineage { run } => lineage::lineage(run, output),
        Command::Report { run } => report::report(run, output),
        Command::Schema => output.result(&spec::json_schema()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "burgeon", &mut script);
            output.result(&String::from_utf8_lossy(&script))
        }
    }
}

/// Whatever can go wrong with a command.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("cannot read the study file {}", path.display())]
    StudyFile { path: PathBuf, source: std::io::Error },
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
    #[error("not all events could be written to standard output; {} has them all", events.display())]
    Events { events: PathBuf, source: std::io::Error },
    #[error("the test images were not read, because that could not be recorded in {}", folder.display())]
    TestRead { folder: PathBuf, source: Box<LaunchError> },
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Model(#[from] OpenError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the model's input shape does not match the data")]
    OtherImages(#[from] PreparationError),
    #[error("{} records no trial: is it a run folder, such as runs/lenet-5-0001?", folder.display())]
    NoTrials { folder: PathBuf },
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("cannot draw the contact sheet")]
    Sheet(#[source] image::ImageError),
    #[error("{} of {images} pictures could not be read", failed)]
    Pictures { failed: usize, images: usize },
}

impl From<SpecError> for CliError {
    fn from(error: SpecError) -> Self {
        Self::Launch(error.into())
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
    fn exit(&self) -> Exit {
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
            | Self::StudyFile { .. } => Exit::Usage,
            Self::Launch(LaunchError::Lock(LockError::Locked { .. })) => Exit::Locked,
            Self::TestRead { source, .. }
                if matches!(**source, LaunchError::Lock(LockError::Locked { .. })) =>
            {
                Exit::Locked
            }
            // A reader that has seen enough, such as `head`, is no failure.
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Success,
            _ => Exit::Failed,
        }
    }
}

/// The study that the arguments name, with `--seed` and `--set` on top.
///
/// Where they name images instead, it is the study that begins on them.
fn document(
    study: Option<&Path>,
    common: &Common,
    output: &Output,
) -> Result<StudyDocument, CliError> {
    let document = match study {
        Some(path) if data::is_data(path) => init::document(path, common, output)?,
        None => StudyDocument::new("the built-in lenet.toml", DEFAULT_STUDY),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| CliError::StudyFile { path: path.into(), source })?;
            StudyDocument::new(path.display().to_string(), text)
                .in_folder(path.parent().unwrap_or(Path::new("")))
        }
    };
    Ok(document.with_overrides(overrides(common)))
}

/// `--seed` and `--set`.
fn overrides(common: &Common) -> Vec<Override> {
    let seed = common.seed.map(Override::seed);
    seed.into_iter().chain(common.set.clone()).collect()
}

fn launch(common: &Common, growth: Growth) -> Settings {
    Settings {
        growth,
        device: common.device,
        threads: common.threads.map(usize::from),
        data: common.data.clone(),
        download: match common.mirrors.as_slice() {
            [] => Download::usual(),
            mirrors => Download::From { mirrors: mirrors.to_vec(), limits: FetchLimits::default() },
        },
        runs: common.runs.clone(),
        ..Settings::default()
    }
}
