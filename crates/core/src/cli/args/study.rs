//! Arguments of the commands that train.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::cli::candidates::{folders, runs, studies};
use crate::cluster::Part;

/// Arguments of `tune` and `train`.
#[derive(Debug, Args)]
pub struct StudyArguments {
    /// The study file, or a folder of images (or a .npz or .csv file) to make a study for; without one,
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
    /// At the end of each trial, print where the time went
    #[arg(long, env = "BURGEON_PROFILE", value_parser = BoolishValueParser::new())]
    pub profile: bool,
    #[command(flatten)]
    pub track: TrackArguments,
}

/// Where a run is shown besides its own report.
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
    /// The part of the trial: train, fold-N or rates
    #[arg(long, value_name = "PART", default_value_t = Part::Train)]
    pub part: Part,
    /// The submission that this attempt belongs to; the newest by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub submission: Option<u32>,
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
    /// Consecutive failures at the same step after which the supervisor gives up; three times as many if they
    /// are at different steps without progress
    #[arg(long, default_value_t = 3, env = "BURGEON_SAME_STEP_FAILURES", value_name = "N")]
    pub same_step_failures: u32,
    /// Consecutive restarts without a healthy trainer in between after which the supervisor gives up
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
