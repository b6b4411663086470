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
    /// Answer "unsure" if the calibrated probability of the class is below this, from 0 to 1
    #[arg(long, value_name = "CONFIDENCE", env = "BURGEON_ABSTAIN", value_parser = share)]
    pub abstain: Option<f64>,
    /// Keep at most N input images, for feedback
    #[arg(long, value_name = "N", default_value_t = 0, env = "BURGEON_KEEP_IMAGES")]
    pub keep_images: usize,
    /// The folder of the log of requests; with a registry, its own by default
    #[arg(long, value_name = "DIR", env = "BURGEON_REQUESTS", add = folders())]
    pub requests: Option<PathBuf>,
    /// The largest request body
    #[arg(long, value_name = "SIZE", default_value = "16 MiB", env = "BURGEON_BODY_MAX", value_parser = body_bytes)]
    pub body_max: Bytes,
    /// The most pixels that a picture file may have
    #[arg(long, value_name = "PIXELS", default_value_t = 32_000_000, env = "BURGEON_PIXELS_MAX")]
    pub pixels_max: u64,
    /// The most images in the queue; more are refused with status 429
    #[arg(long, value_name = "IMAGES", default_value_t = 4096, env = "BURGEON_QUEUE")]
    pub queue: usize,
    /// The most open connections
    #[arg(long, value_name = "N", default_value_t = 1024, env = "BURGEON_CONNECTIONS")]
    pub connections: usize,
    /// Images per window that is checked for drift (docs/drift.md)
    #[arg(long, value_name = "IMAGES", default_value_t = 500, env = "BURGEON_WINDOW", value_parser = window)]
    pub window: usize,
    /// Average number of windows between false alarms
    #[arg(long, value_name = "WINDOWS", default_value_t = 10_000.0, env = "BURGEON_RUN_TIME", value_parser = run_time)]
    pub run_time: f64,
    /// Do not check for drift
    #[arg(long, env = "BURGEON_NO_DRIFT")]
    pub no_drift: bool,
    /// Serve HTTPS with this certificate chain, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "BURGEON_TLS_CERTIFICATE", add = files())]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate", env = "BURGEON_TLS_KEY", add = files())]
    pub tls_key: Option<PathBuf>,
    /// A file whose first line is the token that clients need for predictions
    #[arg(long, value_name = "FILE", env = "BURGEON_PREDICT_TOKEN_FILE", add = files())]
    pub predict_token_file: Option<PathBuf>,
    /// The same for sending feedback
    #[arg(long, value_name = "FILE", env = "BURGEON_FEEDBACK_TOKEN_FILE", add = files())]
    pub feedback_token_file: Option<PathBuf>,
    /// The same for reading metrics, versions and decisions
    #[arg(long, value_name = "FILE", env = "BURGEON_READ_TOKEN_FILE", add = files())]
    pub read_token_file: Option<PathBuf>,
    /// The same for promotions; it also allows all of the above
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
    /// Also what was refused or will be tried again
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
    /// Queue a build, from a repository's hook or by hand
    Trigger {
        /// The name of the repository in the configuration
        repository: String,
        /// The full hash of the commit, which is built once; by default the newest of the branch
        #[arg(long)]
        commit: Option<String>,
        /// Read from standard input what Git passes to a `post-receive` hook
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
    /// Stop a build that is queued or running
    Cancel {
        /// The number of the build
        build: i64,
    },
    /// Resume a build that failed or was cancelled, from the stage where it ended
    Resume {
        /// The number of the build
        build: i64,
    },
    /// Build the commit of an earlier build again
    Retry {
        /// The number of the build
        build: i64,
    },
}
