//! The command line. Every option can also be set by an environment variable.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand};

mod compare;
mod model;
mod registry;
#[cfg(feature = "serve")]
mod service;
mod study;

pub use self::compare::{DiffArguments, DriftArguments, RunsArguments, SortName};
pub use self::model::{
    ExportArguments, FormatName, ImportArguments, InvertName, PredictArguments, SplitName,
};
#[cfg(feature = "serve")]
pub use self::registry::RetrainArguments;
pub use self::registry::{AddArguments, RegistryArguments, RegistryCommand};
#[cfg(feature = "serve")]
pub use self::service::{ChainArguments, ChainCommand, LogFormat, LogLevel, ServeArguments};
pub use self::study::{
    ResumeArguments, ResumeName, StudyArguments, SuperviseArguments, TrackArguments, TrialArguments,
};
use super::candidates::{files, folders, runs, studies};
use crate::model::DeviceChoice;
use crate::spec::Override;

/// Trains a network, and grows it until it passes its accuracy gate.
#[derive(Debug, Parser)]
#[command(
    name = "burgeon",
    version,
    about = "A deep-learning trainer that grows its own network until it passes its accuracy gate",
    max_term_width = 100
)]
pub struct Arguments {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
    /// Options that every command takes.
    #[command(flatten)]
    pub common: Common,
}

/// The commands of `burgeon`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a starter study for a folder of images
    Init {
        /// A folder of images, or a .npz or .csv file
        // Not called `data`, which is the global --data: clap would give that the same value.
        #[arg(value_name = "DATA", add = studies())]
        images: PathBuf,
    },
    /// Show the classes, counts, splits and problems of a data set
    Data(DataArguments),
    /// Train, and grow the network until it passes the gate or the budget is used up
    Tune(StudyArguments),
    /// Train once and apply the gate, without growth
    Train(StudyArguments),
    /// Continue a run exactly where it stopped, or extend a finished one
    Resume(ResumeArguments),
    /// Run `burgeon ARGS…` and restart it after crashes and hangs until it finishes
    Supervise(SuperviseArguments),
    /// Train one trial of a run on this machine; the jobs that `burgeon tune --on …` submits run this
    Trial(TrialArguments),
    /// Show the trials of a run as they are now, with their jobs, nodes and queue times
    Status {
        /// A run folder, such as runs/lenet-5-0001
        #[arg(add = runs())]
        run: PathBuf,
    },
    /// Validate a study and print its layer table
    Check {
        /// The study file, or a folder of images (or a .npz or .csv file) to make a study for; without
        /// one, the built-in LeNet-5 on MNIST
        #[arg(add = studies())]
        study: Option<PathBuf>,
    },
    /// Print accuracy, per-class figures and confusion matrix of a run's best model
    Eval {
        /// A run folder, such as runs/lenet-5-0001
        #[arg(add = runs())]
        run: PathBuf,
        /// Which images to evaluate; reading the test images is recorded in the run
        #[arg(long, value_enum, default_value_t = SplitName::Validation, env = "BURGEON_SPLIT")]
        split: SplitName,
    },
    /// Classify picture files with a run's best model
    Predict(PredictArguments),
    /// Export a run's best model to ONNX, PyTorch or Keras
    Export(ExportArguments),
    /// Start a run from weights saved by PyTorch
    Import(ImportArguments),
    /// Print a run's trials as a tree, with edits, accuracy, cost and reasons
    Lineage {
        /// A run folder, such as runs/lenet-5-0001
        #[arg(add = runs())]
        run: PathBuf,
    },
    /// Write report.html, report.md and junit.xml of a run, finished or not
    Report {
        /// A run folder, such as runs/lenet-5-0001
        #[arg(add = runs())]
        run: PathBuf,
        /// Write report-single.html too: one file, with style sheet and pictures inside
        #[arg(long)]
        single: bool,
        #[command(flatten)]
        track: TrackArguments,
    },
    /// List runs: state, trials, best validation accuracy, gate, age and size
    Runs(RunsArguments),
    /// Compare two runs: studies, data, curves and figures, with a test whether one is better by more than chance
    Diff(DiffArguments),
    /// Check whether images still resemble those that a model was accepted on
    ///
    /// The exit code is 5 if they do not.
    Drift(DriftArguments),
    /// Check data, devices, disk, limits and clock, and say how to fix what is wrong
    Doctor {
        /// A study file, or a folder of images, to check as well
        #[arg(add = studies())]
        study: Option<PathBuf>,
    },
    /// Print how this program was built (features, commit, target, compiler) and what it computes on
    ///
    /// The same as `burgeon --version --verbose`.
    Version,
    /// Find what can be trained in a folder: studies and programs, with their models, data and entry points; executes
    /// nothing
    #[cfg(feature = "detect")]
    Detect(DetectArguments),
    /// List the mail and webhook messages of runs that are not sent yet, or send them
    #[cfg(feature = "mail")]
    Notify(NotifyArguments),
    /// Manage versions of accepted models: add, promote, roll back and verify them
    Registry(RegistryArguments),
    /// Retrain the model in production on its original data and on feedback, and promote it if it passes
    ///
    /// Checks once whether a retraining is due according to `[retrain]` of registry.toml. Exit codes: 0 if a version was
    /// promoted or no retraining is due, 5 if it was refused or rolled back.
    #[cfg(feature = "serve")]
    Retrain(RetrainArguments),
    /// Serve a model's predictions over HTTP; or build what is pushed to repositories: pull, detect, train, judge,
    /// publish, notify
    #[cfg(feature = "serve")]
    Serve(Box<ServeArguments>),
    /// Queue, list, cancel and resume builds of `burgeon serve`
    #[cfg(feature = "serve")]
    Chain(ChainArguments),
    /// Print the JSON Schema of study files
    Schema,
    /// Print a shell completion script, which also completes runs and studies
    ///
    /// For bash: `burgeon completions bash > ~/.local/share/bash-completion/completions/burgeon`, or
    /// `source <(burgeon completions bash)` in ~/.bashrc.
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command
    Man {
        /// The folder to write burgeon.1, burgeon-tune.1 and so on to; without it, burgeon.1 is printed
        #[arg(long, value_name = "DIR", add = folders())]
        out: Option<PathBuf>,
    },
}

/// Arguments of `data`.
#[derive(Debug, Args)]
pub struct DataArguments {
    /// A study file, a folder of images, or a .npz or .csv file; without one, MNIST
    #[arg(add = studies())]
    pub study: Option<PathBuf>,
    /// Write a contact sheet, with some training images of each class, to this PNG file
    #[arg(long, value_name = "FILE", add = files())]
    pub sheet: Option<PathBuf>,
}

/// Arguments of `detect`.
#[cfg(feature = "detect")]
#[derive(Debug, Args)]
pub struct DetectArguments {
    /// The folder to search; with --study, also a single program
    pub folder: PathBuf,
    /// A TOML file of rules that assign a container image and a command to each finding
    #[arg(long, value_name = "FILE", env = "BURGEON_RULES")]
    pub rules: Option<PathBuf>,
    /// Print a study with the network and settings of a Keras or PyTorch program, which is not executed
    #[arg(long)]
    pub study: bool,
    /// The program within the folder, instead of the one that is found first
    #[arg(long, value_name = "FILE", requires = "study")]
    pub entry: Option<PathBuf>,
    /// Write the study to this file instead of printing it
    #[arg(long, short, value_name = "FILE", requires = "study", add = files())]
    pub output: Option<PathBuf>,
}

/// Arguments of `notify`.
#[cfg(feature = "mail")]
#[derive(Debug, Args)]
pub struct NotifyArguments {
    /// A run folder, such as runs/lenet-5-0001, or a registry; without one, all runs in the folder of --runs
    pub run: Option<PathBuf>,
    /// Send the messages that are due, and fail unless all messages have been sent
    #[arg(long)]
    pub flush: bool,
    /// Send waiting messages even before they are due
    #[arg(long, requires = "flush")]
    pub now: bool,
    /// Also send parked messages, which a server refused or nobody accepted for five days
    #[arg(long, requires = "flush")]
    pub parked: bool,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Device to compute on: auto, cpu, gpu[:N], cuda[:N] or ndarray
    #[arg(
        long,
        global = true,
        default_value = "auto",
        env = "BURGEON_DEVICE",
        value_name = "DEVICE"
    )]
    pub device: DeviceChoice,
    /// Number of CPU threads; all cores by default
    #[arg(long, global = true, env = "BURGEON_THREADS", value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Folder with the MNIST files, directly or in a subfolder MNIST/raw, raw or mnist; only for studies with `source =
    /// "mnist"`, as others read their `path`
    #[arg(long, global = true, env = "BURGEON_DATA", value_name = "DIR", add = folders())]
    pub data: Option<PathBuf>,
    /// Address to download MNIST from, instead of the published mirrors; repeatable
    #[arg(
        long = "mirror",
        global = true,
        env = "BURGEON_MNIST_MIRRORS",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub mirrors: Vec<String>,
    /// Folder in which run folders are created
    #[arg(long, global = true, default_value = "runs", env = "BURGEON_RUNS", value_name = "DIR", add = folders())]
    pub runs: PathBuf,
    /// Seed of all random numbers, instead of the study's
    #[arg(long, global = true, env = "BURGEON_SEED", value_name = "N",
          value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Set a key of the study, such as train.epochs=3; repeatable
    #[arg(
        long,
        global = true,
        value_name = "KEY=VALUE",
        env = "BURGEON_SET",
        value_delimiter = ';'
    )]
    pub set: Vec<Override>,
    /// Print the events as JSON Lines, and nothing else, to stdout
    #[arg(long, global = true, env = "BURGEON_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// Print errors and the outcome only
    #[arg(long, short, global = true, env = "BURGEON_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Print without colours, as NO_COLOR does
    #[arg(long, global = true, env = "BURGEON_NO_COLOR", value_parser = BoolishValueParser::new())]
    pub no_color: bool,
}
