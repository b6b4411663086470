//! The command line: arguments, terminal output and exit codes. Only this module prints.

mod args;
mod best;
mod candidates;
mod check;
mod completions;
mod data;
#[cfg(feature = "detect")]
mod detect;
#[cfg(feature = "detect")]
mod detect_study;
mod diff;
mod doctor;
mod drift;
mod environment;
mod error;
mod error_text;
mod eval;
mod exit;
mod export;
mod import;
mod init;
mod lineage;
mod live;
mod loading;
mod man;
#[cfg(feature = "mail")]
mod notify;
mod output;
mod plot;
mod predict;
#[cfg(feature = "serve")]
mod predicting;
mod profile;
mod region;
mod registry;
mod report;
#[cfg(feature = "serve")]
mod retrain;
mod run;
mod running;
mod runs;
#[cfg(feature = "serve")]
mod serve;
mod shown;
mod status;
mod supervise;
mod trial;
mod version;
mod view;
mod watchdog;

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use self::args::{Arguments, Command, Common};
use self::error::CliError;
use self::exit::Exit;
use self::output::Output;
use crate::data::Download;
use crate::data::fetch::FetchLimits;
use crate::spec::{self, Override, StudyDocument};
use crate::study::{Growth, Settings};

/// The study that runs if none is given.
const DEFAULT_STUDY: &str = include_str!("lenet.toml");

/// Parses the command line, runs the command, and returns its exit code.
pub fn main() -> ExitCode {
    burgeon_kernel::keep_freed_memory();
    #[cfg(unix)]
    crate::sys::bus_errors::explain_bus_errors();
    completions::answer_shell();
    let arguments = match environment::parse(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    bound_threads(&arguments.common);
    let output = Output::new(&arguments.common);
    let exit = match dispatch(&arguments, &output) {
        Ok(exit) => exit,
        Err(error) => {
            output.print_error(&error);
            error.exit()
        }
    };
    exit.into()
}

/// Limits the threads of burn's own operations, which use rayon's global pool. Only the command may
/// configure that pool, since the library shares its process with others.
fn bound_threads(common: &Common) {
    if let Some(threads) = common.threads {
        // Fails only if the pool was configured before, which nothing does.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
    }
}

fn dispatch(arguments: &Arguments, output: &Output) -> Result<Exit, CliError> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Init { images } => init::init(images, common, output),
        Command::Data(arguments) => data::data(arguments, common, output),
        Command::Tune(study) => run::run(study, common, Growth::On, output),
        Command::Train(study) => run::run(study, common, Growth::Off, output),
        Command::Resume(resume) => run::resume(resume, common, output),
        Command::Trial(arguments) => trial::trial(arguments, common, output),
        Command::Status { run } => status::status(run, output),
        Command::Supervise(arguments) => supervise::supervise(arguments, output),
        Command::Check { study } => check::check(study.as_deref(), common, output),
        Command::Eval { run, split } => eval::eval(run, *split, common, output),
        Command::Export(arguments) => export::export(arguments, common, output),
        Command::Import(arguments) => import::import(arguments, common, output),
        Command::Predict(arguments) => predict::predict(arguments, common, output),
        Command::Lineage { run } => lineage::lineage(run, output),
        Command::Report { run, single, track } => report::report(run, *single, track, output),
        Command::Runs(arguments) => runs::runs(arguments, common, output),
        Command::Diff(arguments) => diff::diff(arguments, common, output),
        Command::Drift(arguments) => drift::drift(arguments, common, output),
        Command::Doctor { study } => doctor::doctor(study.as_deref(), common, output),
        Command::Version => version::version(common, output),
        #[cfg(feature = "detect")]
        Command::Detect(arguments) => detect::detect(arguments, output),
        #[cfg(feature = "mail")]
        Command::Notify(arguments) => notify::notify(arguments, common, output),
        Command::Registry(arguments) => registry::registry(arguments, common, output),
        #[cfg(feature = "serve")]
        Command::Retrain(arguments) => retrain::retrain(arguments, common, output),
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => serve::serve(arguments, common, output),
        #[cfg(feature = "serve")]
        Command::Chain(arguments) => serve::chain(arguments, output),
        Command::Schema => output.result(&spec::json_schema()),
        Command::Completions { shell } => {
            output.result(&String::from_utf8_lossy(&completions::script(*shell)?))
        }
        Command::Man { out } => man::man(out.as_deref(), output),
    }
}

/// The study that the arguments name, or a new one for the images that they name, with `--seed` and
/// `--set` applied.
fn document(
    study: Option<&Path>,
    common: &Common,
    output: &Output,
) -> Result<StudyDocument, CliError> {
    let document = match study {
        Some(path) if data::is_data(path) => init::document(path, common, output)?,
        None => StudyDocument::new("the built-in lenet.toml", DEFAULT_STUDY),
        Some(path) => {
            let text = read_study(path)
                .map_err(|source| CliError::StudyFile { path: path.into(), source })?;
            StudyDocument::new(path.display().to_string(), text)
                .in_folder(path.parent().unwrap_or(Path::new("")))
        }
    };
    Ok(document.with_overrides(overrides(common)))
}

/// The text of a study file, which could be anything, even without an end.
fn read_study(path: &Path) -> std::io::Result<String> {
    const BYTES_MAX: u64 = 1 << 20;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text);
    match read {
        Ok(_) if text.len() as u64 <= BYTES_MAX => Ok(text),
        Ok(_) => Err(std::io::Error::other("it is longer than 1 MiB")),
        Err(error) => Err(error),
    }
}

/// The changes of `--seed` and `--set`.
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
            [] => Download::published(),
            mirrors => Download::From { mirrors: mirrors.to_vec(), limits: FetchLimits::default() },
        },
        runs: common.runs.clone(),
        ..Settings::default()
    }
}
