//! Arguments of `burgeon serve` and `burgeon chain`.

use std::path::PathBuf;

use burgeon_drift::{WINDOW_MAX, WINDOW_MIN};
use clap::{Args, Subcommand, ValueEnum};

use crate::cli::candidates::{files, folders, runs};
use crate::spec::Bytes;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Serving predictions
    #[command(flatten)]
    pub predictions: PredictionArguments,
    /// The configuration file: repositories, gates, notifications (docs/serve.md)
    #[arg(long, conflicts_with_all = ["run", "registry"], default_value = "server.toml", env = "BURGEON_CONFIG", value_name = "FILE", add = files())]
    pub config: PathBuf,
    /// The address to listen on, instead of the configuration's
    #[arg(long, env = "BURGEON_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
    /// How much is logged to stderr
    #[arg(long, value_enum, default_value_t = LogLevel::Info, env = "BURGEON_LOG")]
    pub log: LogLevel,
    /// The format of the log
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "BURGEON_LOG_FORMAT")]
    pub log_format: LogFormat,
}

/// Arguments of `serve RUN` and `serve --registry DIR`.
#[derive(Debug, Args)]
pub struct PredictionArguments {
    /// Serve predictions of this run's best model instead of builds (docs/predict.md)
    #[arg(add = runs())]
    pub run: Option<PathBuf>,
    /// Serve predictions of the version in production of this registry instead
    #[arg(long, value_name = "DIR", conflicts_with = "run", add = folders())]
    pub registry: Option<PathBuf>,
    /// Answer "unsure" where the calibrated probability of the class is below this, from 0 to 1
    #[arg(long, value_name = "CONFIDENCE", env = "BURGEON_ABSTAIN", value_parser = share)]
    pub abstain: Option<f64>,
    /// Keep at most N inputs, for feedback
    #[arg(long, value_name = "N", default_value_t = 0, env = "BURGEON_KEEP_IMAGES")]
    pub keep_images: usize,
    /// The folder of the log of requests; with a registry, its own by default
    #[arg(long, value_name = "DIR", env = "BURGEON_REQUESTS", add = folders())]
    pub requests: Option<PathBuf>,
    /// The longest body of a request
    #[arg(long, value_name = "SIZE", default_value = "16 MiB", env = "BURGEON_BODY_MAX", value_parser = body_bytes)]
    pub body_max: Bytes,
    /// The most pixels of a picture file
    #[arg(long, value_name = "PIXELS", default_value_t = 32_000_000, env = "BURGEON_PIXELS_MAX")]
    pub pixels_max: u64,
    /// The most images that wait; more are refused with status 429
    #[arg(long, value_name = "IMAGES", default_value_t = 4096, env = "BURGEON_QUEUE")]
    pub queue: usize,
    /// The most open connections
    #[arg(long, value_name = "N", default_value_t = 1024, env = "BURGEON_CONNECTIONS")]
    pub connections: usize,
    /// Images of a window that is compared with those that the version was accepted on (docs/drift.md)
    #[arg(long, value_name = "IMAGES", default_value_t = 500, env = "BURGEON_WINDOW", value_parser = window)]
    pub window: usize,
    /// How many windows it takes to a false alarm, on average
    #[arg(long, value_name = "WINDOWS", default_value_t = 10_000.0, env = "BURGEON_RUN_TIME", value_parser = run_time)]
    pub run_time: f64,
    /// Compare nothing
    #[arg(long, env = "BURGEON_NO_DRIFT")]
    pub no_drift: bool,
    /// The certificate, and those between it and its authority, in PEM: connections are encrypted
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "BURGEON_TLS_CERTIFICATE", add = files())]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "tls_certificate", env = "BURGEON_TLS_KEY", add = files())]
    pub tls_key: Option<PathBuf>,
    /// A file whose first line is the token of those who may have images classified
    #[arg(long, value_name = "FILE", env = "BURGEON_PREDICT_TOKEN_FILE", add = files())]
    pub predict_token_file: Option<PathBuf>,
    /// The same for feedback
    #[arg(long, value_name = "FILE", env = "BURGEON_FEEDBACK_TOKEN_FILE", add = files())]
    pub feedback_token_file: Option<PathBuf>,
    /// The same for metrics, versions and decisions
    #[arg(long, value_name = "FILE", env = "BURGEON_READ_TOKEN_FILE", add = files())]
    pub read_token_file: Option<PathBuf>,
    /// The same for promotions, and all of the above
    #[arg(long, value_name = "FILE", env = "BURGEON_CHANGE_TOKEN_FILE", add = files())]
    pub change_token_file: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "use a share from 0 to 1, such as 0.9".into())
}

fn window(text: &str) -> Result<usize, String> {
    let window = text.parse().ok().filter(|window| (WINDOW_MIN..=WINDOW_MAX).contains(window));
    window.ok_or_else(|| format!("use {WINDOW_MIN} to {WINDOW_MAX} images"))
}

fn run_time(text: &str) -> Result<f64, String> {
    let run_time = text.parse().ok().filter(|windows| (2.0..=1e12).contains(windows));
    run_time.ok_or_else(|| "use 2 to 1e12 windows".into())
}

fn body_bytes(text: &str) -> Result<Bytes, String> {
    let bytes: Bytes = text.parse()?;
    match (1..=64 << 20).contains(&bytes.0) {
        true => Ok(bytes),
        false => Err("use 1 byte to 64 MiB".into()),
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogLevel {
    /// Nothing
    Off,
    /// Errors
    Error,
    /// Also what was refused or is tried again
    Warn,
    /// Also builds
    Info,
    /// Also requests
    Debug,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// JSON Lines
    Json,
}

/// Arguments of `chain`.
#[derive(Debug, Args)]
pub struct ChainArguments {
    /// The configuration file of the service
    #[arg(long, global = true, default_value = "server.toml", env = "BURGEON_CONFIG", value_name = "FILE", add = files())]
    pub config: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: ChainCommand,
}

/// The commands of `burgeon chain`.
#[derive(Debug, Subcommand)]
pub enum ChainCommand {
    /// Queue a build, as a hook of a repository or by hand
    Trigger {
        /// The name of the repository in the configuration
        repository: String,
        /// The full name of the commit, which is built once; by default the newest of the branch
        #[arg(long)]
        commit: Option<String>,
        /// Read from standard input what Git passes to the hook `post-receive`
        #[arg(long, conflicts_with = "commit")]
        post_receive: bool,
    },
    /// List builds, newest first
    Status {
        /// List only builds of this repository
        repository: Option<String>,
        /// List only this build
        #[arg(long)]
        build: Option<i64>,
        /// List at most this many
        #[arg(long, default_value_t = 20)]
        most: u32,
    },
    /// Stop a build that waits or runs
    Cancel {
        /// The number of the build
        build: i64,
    },
    /// Resume a build that failed or was cancelled, from the stage where it ended
    Resume {
        /// The number of the build
        build: i64,
    },
    /// Build the commit of an ended build again
    Retry {
        /// The number of the build
        build: i64,
    },
}
