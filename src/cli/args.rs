//! The command line. Every option can also be set by an environment variable.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

mod registry;
#[cfg(feature = "serve")]
mod service;

pub use self::registry::{AddArguments, RegistryArguments, RegistryCommand};
#[cfg(feature = "serve")]
pub use self::service::{ChainArguments, ChainCommand, LogFormat, LogLevel, ServeArguments};
use super::candidates::{files, folders, run_names, runs, studies};
use crate::cluster::Part;
use crate::data::Split;
use crate::model::DeviceChoice;
use crate::spec::Override;

/// Trains a network, and grows it until it passes its accuracy gate.
#[derive(Debug, Parser)]
#[command(name = "burgeon", version, about, max_term_width = 100)]
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
    /// Print a study for a folder of images, to start from
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
    /// Train a trial of a run on this machine, as a job that `burgeon tune --on …` submits does
    Trial(TrialArguments),
    /// Print the trials of a run at this moment, with their jobs, nodes and queue times
    Status {
        /// A run folder, such as runs/lenet-5-0001
        #[arg(add = runs())]
        run: PathBuf,
    },
    /// Validate a study and print its layer table
    Check {
        /// The study file, or a folder of images (or a .npz or .csv file) to start a study on; without
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
    /// Write a run's best model for other programs: ONNX Runtime, PyTorch, Keras
    Export(ExportArguments),
    /// Begin a run with weights that PyTorch saved
    Import(ImportArguments),
    /// Print the tree of a run's trials, with edits, accuracy, cost and reasons
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
    /// Compare two runs: studies, data, curves, figures, and whether one is better by more than chance
    Diff(DiffArguments),
    /// Tell whether images are still like those that a model was accepted on
    ///
    /// Exit code 5 if they are not.
    Drift(DriftArguments),
    /// Check data, devices, disk, limits and clock, and say how to mend what is wrong
    Doctor {
        /// A study file, or a folder of images, to check as well
        #[arg(add = studies())]
        study: Option<PathBuf>,
    },
    /// Print how this program was built: features, commit, target, compiler; and what it computes with
    ///
    /// The same as `burgeon --version --verbose`.
    Version,
    /// Find what can be trained in a folder: studies, programs, their models, data and entry points; runs nothing
    #[cfg(feature = "detect")]
    Detect(DetectArguments),
    /// List the mail and webhook messages of runs that are not sent yet, or send them
    #[cfg(feature = "mail")]
    Notify(NotifyArguments),
    /// Keep versions of accepted models, and judge which of them serves
    Registry(RegistryArguments),
    /// Build what is pushed to repositories: pull, detect, train, judge, publish, notify; with a page to watch it
    #[cfg(feature = "serve")]
    Serve(Box<ServeArguments>),
    /// Ask `burgeon serve` for builds, and show them
    #[cfg(feature = "serve")]
    Chain(ChainArguments),
    /// Print the JSON Schema of study files
    Schema,
    /// Print a shell completion script, which completes runs and studies too
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

/// Arguments of `tune` and `train`.
#[derive(Debug, Args)]
pub struct StudyArguments {
    /// The study file, or a folder of images (or a .npz or .csv file) to start a study on; without one,
    /// the built-in LeNet-5 on MNIST
    #[arg(add = studies())]
    pub study: Option<PathBuf>,
    /// Whether to continue an unfinished run of the same study
    #[arg(long, value_enum, default_value_t = ResumeName::Never, env = "BURGEON_RESUME")]
    pub resume: ResumeName,
    /// Number of trials that train at the same time and share the cores; same as `--set tune.jobs=N`
    #[arg(long, env = "BURGEON_JOBS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Where trials train: in this process, or each in a job of a Slurm cluster; same as `--set run.on=NAME`
    #[arg(long, value_enum, env = "BURGEON_ON", value_name = "PLACE")]
    pub on: Option<OnName>,
    /// Print where the time went at the end of each trial
    #[arg(long, env = "BURGEON_PROFILE", value_parser = BoolishValueParser::new())]
    pub profile: bool,
    #[command(flatten)]
    pub track: TrackArguments,
}

/// Where a run is shown beside its own report.
#[derive(Debug, Args)]
pub struct TrackArguments {
    /// Write the run's curves, lineage and pictures for TensorBoard, into a folder of its name in DIR
    #[arg(long, value_name = "DIR", env = "BURGEON_TENSORBOARD", add = folders())]
    pub tensorboard: Option<PathBuf>,
    /// Send the run to the MLflow tracking server at URL, such as http://127.0.0.1:5000
    ///
    /// It logs in as MLflow's own client does, by MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and
    /// MLFLOW_TRACKING_PASSWORD.
    #[arg(long, value_name = "URL", env = "BURGEON_MLFLOW")]
    pub mlflow: Option<String>,
}

/// `--on` by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnName {
    /// In this process
    Local,
    /// In jobs of a Slurm cluster, as `[run]` of the study says
    Slurm,
}

impl OnName {
    /// The name as a study file spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Slurm => "slurm",
        }
    }
}

/// Arguments of `trial`.
#[derive(Debug, Args)]
pub struct TrialArguments {
    /// A run folder, such as runs/lenet-5-0001
    #[arg(add = runs())]
    pub run: PathBuf,
    /// The number of the trial
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub trial: u32,
    /// The part of its work: train, fold-N or rates
    #[arg(long, value_name = "PART", default_value_t = Part::Train)]
    pub part: Part,
    /// The submission that this is an attempt of; the newest one by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub submission: Option<u32>,
}

/// Arguments of `data`.
#[derive(Debug, Args)]
pub struct DataArguments {
    /// A study file, a folder of images, or a .npz or .csv file; without one, MNIST
    #[arg(add = studies())]
    pub study: Option<PathBuf>,
    /// Write a picture with some training images of each class to this PNG file
    #[arg(long, value_name = "FILE", add = files())]
    pub sheet: Option<PathBuf>,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// A run folder, such as runs/lenet-5-0001
    #[arg(add = runs())]
    pub run: PathBuf,
    /// Add N trials to the budget of a finished study
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub more_trials: Option<u32>,
    /// Train the best trial for N more epochs, as a new trial
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub more_epochs: Option<u32>,
    /// Set the gate to this validation accuracy, as a fraction from 0 to 1
    #[arg(long, value_name = "ACCURACY")]
    pub gate: Option<f64>,
    #[command(flatten)]
    pub track: TrackArguments,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArguments {
    /// List these runs only: names of run folders, or of studies
    #[arg(add = run_names())]
    pub names: Vec<PathBuf>,
    /// What to sort by
    #[arg(long, value_enum, default_value_t = SortName::Age, env = "BURGEON_SORT")]
    pub sort: SortName,
}

/// `--sort` by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortName {
    /// The newest first
    Age,
    /// By the name of the folder
    Name,
    /// Running ones first, then those that can be resumed, then the finished ones
    State,
    /// The highest validation accuracy first
    Best,
    /// The most trials first
    Trials,
    /// The largest first
    Size,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// A run folder, such as runs/lenet-5-0001, or the name of one in the folder of runs
    #[arg(add = runs())]
    pub first: PathBuf,
    /// Another run
    #[arg(add = runs())]
    pub second: PathBuf,
    /// Run both best models on the validation images, to tell for certain whether their difference is more
    /// than chance
    #[arg(long, env = "BURGEON_EVALUATE", value_parser = BoolishValueParser::new())]
    pub evaluate: bool,
}

/// Arguments of `drift`.
#[derive(Debug, Args)]
pub struct DriftArguments {
    /// A run folder, such as runs/lenet-5-0001, whose validation images are compared with; or the folder of a model that
    /// carries a reference
    #[arg(add = runs())]
    pub run: PathBuf,
    /// A folder of pictures, with or without a folder for each class, or a data set: IDX files, .npz or .csv
    // Not called `data`, which is the global --data: clap would give that the same value.
    #[arg(value_name = "DATA", add = studies())]
    pub images: PathBuf,
    /// Images in a window; by default 500, or half of all images if they are fewer than 1,000
    #[arg(long, value_name = "IMAGES", env = "BURGEON_WINDOW")]
    pub window: Option<usize>,
    /// Windows from one false alarm to the next, on average; 10,000 by default
    #[arg(long, value_name = "WINDOWS", env = "BURGEON_RUN_TIME")]
    pub run_time: Option<f64>,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// A run folder, such as runs/lenet-5-0001, or a model folder, such as runs/lenet-5-0001/best
    #[arg(add = runs())]
    pub run: PathBuf,
    /// Picture files of any size: PNG, JPEG, WebP, GIF, BMP, TIFF or PNM
    #[arg(required_unless_present = "from_split", add = files())]
    pub images: Vec<PathBuf>,
    /// Classify the images of this split of the run's own data instead, as it was trained on them; reading the test
    /// images is recorded in the run
    #[arg(long, value_enum, value_name = "SPLIT", conflicts_with = "images")]
    pub from_split: Option<SplitName>,
    /// Classify only the first N images of the split
    #[arg(long, value_name = "N", requires = "from_split", conflicts_with = "images",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Whether digits are in dark ink and must be inverted; other pictures are inverted only with `always`
    #[arg(long, value_enum, default_value_t = InvertName::Auto, env = "BURGEON_INVERT")]
    pub invert: InvertName,
    /// Use whole pictures, without cutting out and centring digits, even if the model was trained on digits
    #[arg(long, env = "BURGEON_AS_IS", value_parser = BoolishValueParser::new())]
    pub as_is: bool,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// A safetensors file of a PyTorch state_dict
    pub weights: PathBuf,
    /// The study whose layers the weights are for, with the images that they are measured on
    #[arg(long)]
    pub study: PathBuf,
    /// Import what fits, and start the other layers afresh
    #[arg(long)]
    pub partial: bool,
    /// Means with which the pixels, from 0 to 1, were normalized in training: one, or one for each channel;
    /// by default those of the study's training images
    #[arg(long, value_delimiter = ',', requires = "std", value_name = "MEAN", num_args = 1, value_parser = number)]
    pub mean: Vec<f32>,
    /// Standard deviations that they were divided by
    #[arg(long, value_delimiter = ',', requires = "mean", value_name = "STD", num_args = 1, value_parser = positive)]
    pub std: Vec<f32>,
}

fn number(text: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if number.is_finite() { Ok(number) } else { Err("use a finite number".into()) }
}

fn positive(text: &str) -> Result<f32, String> {
    number(text).and_then(|number| {
        if number > 0.0 { Ok(number) } else { Err("use a number above 0".into()) }
    })
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// A run folder, such as runs/lenet-5-0001, or a model folder, such as runs/lenet-5-0001/best
    pub run: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    pub format: FormatName,
    /// A folder, or a file that ends in .onnx, .safetensors or .npz; the model's own folder by default
    #[arg(long, short, value_name = "DIR|FILE")]
    pub output: Option<PathBuf>,
    /// Also write validation.npz, the run's validation images, and evaluate.py, which measures the exported network on
    /// them and writes accuracy.txt [formats: keras, pytorch]
    #[arg(long)]
    pub evaluation: bool,
}

/// A format by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// ONNX that takes floats from 0 to 1, [batch, channels, height, width]
    Onnx,
    /// ONNX that takes decoded bytes, [batch, height, width, channels], and prepares them itself
    OnnxPixels,
    /// ONNX in whole numbers of 8 bits, calibrated on training images; its accuracy is measured
    OnnxInt8,
    /// Weights with PyTorch's names, and model.py, which rebuilds the network
    Safetensors,
    /// The same as safetensors
    Pytorch,
    /// keras_model.py, which builds the network in Keras, and keras.npz with its weights
    Keras,
}

impl FormatName {
    /// The name as the option spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::OnnxPixels => "onnx-pixels",
            Self::OnnxInt8 => "onnx-int8",
            Self::Safetensors => "safetensors",
            Self::Pytorch => "pytorch",
            Self::Keras => "keras",
        }
    }
}

/// Arguments of `detect`.
#[cfg(feature = "detect")]
#[derive(Debug, Args)]
pub struct DetectArguments {
    /// The folder to look into; with --study, also a program alone
    pub folder: PathBuf,
    /// A TOML file of rules that say which image and command each finding gets
    #[arg(long, value_name = "FILE", env = "BURGEON_RULES")]
    pub rules: Option<PathBuf>,
    /// Print a study of the network and settings of a program of Keras or PyTorch, which is not run
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
    /// A run folder, such as runs/lenet-5-0001; without one, all runs in the folder of --runs
    pub run: Option<PathBuf>,
    /// Send the messages that are due, and fail unless all messages are sent
    #[arg(long)]
    pub flush: bool,
    /// Send waiting messages even before they are due
    #[arg(long, requires = "flush")]
    pub now: bool,
    /// Also send parked messages, which a server refused
    #[arg(long, requires = "flush")]
    pub parked: bool,
}

/// Arguments of `supervise`.
#[derive(Debug, Args)]
pub struct SuperviseArguments {
    /// Seconds before the first restart; doubles with each further restart
    #[arg(long, default_value_t = 1.0, env = "BURGEON_RESTART_DELAY", value_name = "SECONDS", value_parser = seconds)]
    pub delay: f64,
    /// Longest wait before a restart, in seconds
    #[arg(long, default_value_t = 60.0, env = "BURGEON_RESTART_DELAY_MAX", value_name = "SECONDS", value_parser = seconds)]
    pub max_delay: f64,
    /// Seconds after which a running trainer counts as healthy, so that delay and restart count are reset
    #[arg(long, default_value_t = 600.0, env = "BURGEON_HEALTHY_AFTER", value_name = "SECONDS", value_parser = seconds)]
    pub healthy_after: f64,
    /// Longest time between heartbeats, in seconds; a hang is detected within twice this time
    #[arg(long, default_value_t = 60.0, env = "BURGEON_HEARTBEAT", value_name = "SECONDS", value_parser = seconds)]
    pub heartbeat: f64,
    /// Longest time from the start to the first heartbeat, in seconds
    #[arg(long, default_value_t = 900.0, env = "BURGEON_STARTUP_GRACE", value_name = "SECONDS", value_parser = seconds)]
    pub startup_grace: f64,
    /// Seconds from SIGTERM to SIGKILL for a trainer that hangs
    #[arg(long, default_value_t = 10.0, env = "BURGEON_KILL_GRACE", value_name = "SECONDS", value_parser = seconds)]
    pub kill_grace: f64,
    /// Failures in a row at the same step after which the supervisor gives up; three times as many if they
    /// are at different steps without progress
    #[arg(long, default_value_t = 3, env = "BURGEON_SAME_STEP_FAILURES", value_name = "N")]
    pub same_step_failures: u32,
    /// Restarts without a healthy trainer in between after which the supervisor gives up
    #[arg(long, default_value_t = 100, env = "BURGEON_MAX_RESTARTS", value_name = "N")]
    pub max_restarts: u32,
    /// The command to run, such as `tune models/lenet.toml`
    #[arg(last = true, required = true)]
    pub arguments: Vec<OsString>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    if (0.0..=1e9).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("use a number from 0 to 1e9".into())
    }
}

/// `--resume` by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResumeName {
    /// Always start a new run
    Never,
    /// Continue the newest run of this study if it is unfinished
    Auto,
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
    /// Folder with the MNIST files, directly or in a subfolder MNIST/raw, raw or mnist; for studies with `source =
    /// "mnist"` alone, others read their `path`
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

/// A split by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// The images that the network was trained on
    Train,
    /// The images that the gate is applied to
    Validation,
    /// The held-out images, which influence no decision
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Self::Train,
            SplitName::Validation => Self::Validation,
            SplitName::Test => Self::Test,
        }
    }
}

/// `--invert` by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InvertName {
    /// Detect it: the background is what covers most of the picture
    Auto,
    /// The ink is dark
    Always,
    /// The ink is light
    Never,
}
