//! What may stand on the command line. Every option can also come from the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::data::Split;
use crate::model::DeviceChoice;
use crate::spec::Override;

/// Trains a network, and grows it until it passes its accuracy gate.
#[derive(Debug, Parser)]
#[command(name = "burgeon", version, about, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What goes for every command.
    #[command(flatten)]
    pub common: Common,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train, and grow the network until the gate opens or the budget ends
    Tune(StudyArguments),
    /// Train once and judge; no growth
    Train(StudyArguments),
    /// Go on with a run exactly where it stopped, or extend one that is over
    Resume(ResumeArguments),
    /// Keep `burgeon ARGS…` running to its end, whatever happens to it
    Supervise(SuperviseArguments),
    /// Validate a study and print its layer table
    Check {
        /// The study file; the built-in LeNet-5 when none is named
        study: Option<PathBuf>,
    },
    /// Accuracy, per-class figures and confusion matrix of a run's best model
    Eval {
        /// A run folder, such as runs/lenet-5-0001
        run: PathBuf,
        /// Which images; that somebody read the test images is written into the run's record
        #[arg(long, value_enum, default_value_t = SplitName::Validation, env = "BURGEON_SPLIT")]
        split: SplitName,
    },
    /// Say what a run's best model sees in PNG or JPEG files
    Predict(PredictArguments),
    /// Draw the tree of a run's trials: edits, accuracy, cost, and why
    Lineage {
        /// A run folder, such as runs/lenet-5-0001
        run: PathBuf,
    },
    /// Write report.html, report.md and junit.xml of a run, whatever state it is in
    Report {
        /// A run folder, such as runs/lenet-5-0001
        run: PathBuf,
    },
    /// Print the JSON Schema of study files
    Schema,
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

/// Arguments of `tune` and `train`.
#[derive(Debug, Args)]
pub struct StudyArguments {
    /// The study file; the built-in LeNet-5 when none is named
    pub study: Option<PathBuf>,
    /// Whether an unfinished run of the same study is gone on with
    #[arg(long, value_enum, default_value_t = ResumeName::Never, env = "BURGEON_RESUME")]
    pub resume: ResumeName,
    /// Trials that train at the same time and share the cores; the same as `--set tune.jobs=N`
    #[arg(long, env = "BURGEON_JOBS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Say at each trial's end where its time went
    #[arg(long, env = "BURGEON_PROFILE", value_parser = BoolishValueParser::new())]
    pub profile: bool,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// A run folder, such as runs/lenet-5-0001
    pub run: PathBuf,
    /// Allow a study that is over so many trials more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub more_trials: Option<u32>,
    /// Go on with the best trial's training for so many epochs, as a new trial
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub more_epochs: Option<u32>,
    /// From now on, open the gate at this validation accuracy, as a fraction from 0 to 1
    #[arg(long, value_name = "ACCURACY")]
    pub gate: Option<f64>,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// A run folder, such as runs/lenet-5-0001, or a model folder, such as runs/lenet-5-0001/best
    pub run: PathBuf,
    /// PNG or JPEG files of any size
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// Which of light and dark is the ink of a digit; of other pictures, `always` exchanges light and dark
    #[arg(long, value_enum, default_value_t = InvertName::Auto, env = "BURGEON_INVERT")]
    pub invert: InvertName,
    /// Take pictures whole: do not look for ink, crop or centre, even if the model was trained on digits
    #[arg(long, env = "BURGEON_AS_IS")]
    pub as_is: bool,
}

/// Arguments of `supervise`.
#[derive(Debug, Args)]
pub struct SuperviseArguments {
    /// Seconds before the first restart; doubles with each that follows
    #[arg(long, default_value_t = 1.0, env = "BURGEON_RESTART_DELAY", value_name = "SECONDS", value_parser = seconds)]
    pub delay: f64,
    /// Longest wait before a restart, in seconds
    #[arg(long, default_value_t = 60.0, env = "BURGEON_RESTART_DELAY_MAX", value_name = "SECONDS", value_parser = seconds)]
    pub max_delay: f64,
    /// A trainer that lived so many seconds was healthy: waits and restarts are counted afresh
    #[arg(long, default_value_t = 600.0, env = "BURGEON_HEALTHY_AFTER", value_name = "SECONDS", value_parser = seconds)]
    pub healthy_after: f64,
    /// Seconds in which a trainer gives a sign of life; a hang is found within twice as many
    #[arg(long, default_value_t = 60.0, env = "BURGEON_HEARTBEAT", value_name = "SECONDS", value_parser = seconds)]
    pub heartbeat: f64,
    /// Seconds from the start to the first sign of life
    #[arg(long, default_value_t = 900.0, env = "BURGEON_STARTUP_GRACE", value_name = "SECONDS", value_parser = seconds)]
    pub startup_grace: f64,
    /// Seconds from SIGTERM to SIGKILL for a trainer that hangs
    #[arg(long, default_value_t = 10.0, env = "BURGEON_KILL_GRACE", value_name = "SECONDS", value_parser = seconds)]
    pub kill_grace: f64,
    /// Failures at the same step after which the supervisor gives up; three times as many where they are
    /// at different steps, none of them further than before
    #[arg(long, default_value_t = 3, env = "BURGEON_SAME_STEP_FAILURES", value_name = "N")]
    pub same_step_failures: u32,
    /// Restarts without a healthy life between them after which the supervisor gives up
    #[arg(long, default_value_t = 100, env = "BURGEON_MAX_RESTARTS", value_name = "N")]
    pub max_restarts: u32,
    /// What to run, such as `tune models/lenet.toml`
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
    /// Every call makes a new run
    Never,
    /// Go on with the newest run of this study where it is not finished
    Auto,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// auto, cpu, gpu[:N], cuda[:N] or ndarray
    #[arg(
        long,
        global = true,
        default_value = "auto",
        env = "BURGEON_DEVICE",
        value_name = "DEVICE"
    )]
    pub device: DeviceChoice,
    /// CPU threads; all cores unless said
    #[arg(long, global = true, env = "BURGEON_THREADS", value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Folder that holds the MNIST files, itself or in MNIST/raw, raw or mnist
    #[arg(long, global = true, env = "BURGEON_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address to fetch MNIST from, instead of the published mirrors; may be given again
    #[arg(
        long = "mirror",
        global = true,
        env = "BURGEON_MNIST_MIRRORS",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub mirrors: Vec<String>,
    /// Folder that run folders are made in
    #[arg(long, global = true, default_value = "runs", env = "BURGEON_RUNS", value_name = "DIR")]
    pub runs: PathBuf,
    /// Seed of everything random, instead of the study's
    #[arg(long, global = true, env = "BURGEON_SEED", value_name = "N",
          value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Change a key of the study, such as train.epochs=3; may be given again
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
    /// No colours; NO_COLOR does the same
    #[arg(long, global = true, env = "BURGEON_NO_COLOR", value_parser = BoolishValueParser::new())]
    pub no_color: bool,
}

/// A split by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// What the network learned from
    Train,
    /// What the gate read
    Validation,
    /// What nothing was steered by
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
    /// Paper is what most of the picture is
    Auto,
    /// The ink is dark
    Always,
    /// The ink is light
    Never,
}
