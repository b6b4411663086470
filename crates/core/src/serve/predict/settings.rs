//! What is served, and how.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::drift::Watching;
use crate::chain::Tls;
use crate::registry::Registry;
use crate::serve::rights::TokenFiles;

/// What to serve, and how.
#[derive(Debug, Clone)]
pub(crate) struct Predicting {
    /// The name of the model.
    pub model: String,
    /// Where the model comes from.
    pub source: Source,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Certificate and key, for encrypted connections.
    pub tls: Option<Tls>,
    /// Who may do what.
    pub tokens: TokenFiles,
    /// The number of threads for predictions.
    pub threads: usize,
    /// Limits.
    pub limits: Limits,
    /// The calibrated confidence below which a prediction is "unsure".
    pub abstain: Option<f64>,
    /// The folder of the request log, if one is written.
    pub requests: Option<PathBuf>,
    /// Most images that are stored for feedback.
    pub keep_images: usize,
    /// Largest size of the log in bytes.
    pub log_bytes: u64,
    /// Days after which its parts are removed.
    pub log_days: u64,
    /// How drift is monitored, if it is.
    pub watching: Option<Watching>,
}

/// Where models come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The model in a folder, under the name of a version.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The name of the version in answers.
        version: String,
    },
    /// The aliases of a registry.
    Registry(Registry),
}

impl Source {
    /// The registry, if it is one.
    pub(crate) fn registry(&self) -> Option<&Registry> {
        match self {
            Self::Folder { .. } => None,
            Self::Registry(registry) => Some(registry),
        }
    }
}

/// Limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most bytes of a body.
    pub body_bytes: usize,
    /// Most pixels of a picture file.
    pub pixels: u64,
    /// Most waiting images.
    pub queue: usize,
    /// Most open connections.
    pub connections: usize,
}
