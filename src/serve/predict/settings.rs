//! What is served, and how.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::drift::Watching;
use crate::chain::Tls;
use crate::registry::Registry;
use crate::serve::rights::TokenFiles;

/// What is to be served, and how.
#[derive(Debug, Clone)]
pub(crate) struct Predicting {
    /// The name of the model.
    pub model: String,
    /// Where it comes from.
    pub source: Source,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Certificate and key, if connections are to be encrypted.
    pub tls: Option<Tls>,
    /// Who may do what.
    pub tokens: TokenFiles,
    /// Threads that compute.
    pub threads: usize,
    /// What is bounded.
    pub limits: Limits,
    /// The calibrated confidence below which an answer is "unsure".
    pub abstain: Option<f64>,
    /// The folder of the log of requests, if there is to be one.
    pub requests: Option<PathBuf>,
    /// Inputs that are kept for feedback.
    pub keep_images: usize,
    /// Bytes that the log takes at most.
    pub log_bytes: u64,
    /// Days after which its parts are cleared.
    pub log_days: u64,
    /// How drift is watched, if it is.
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

/// Bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Pixels of a picture file.
    pub pixels: u64,
    /// Images that wait.
    pub queue: usize,
    /// Open connections.
    pub connections: usize,
}
