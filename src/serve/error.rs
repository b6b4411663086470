//! Why the service cannot serve.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::sys::files::FileError;

/// What keeps the service from starting.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives it no threads.
    #[error("cannot start the threads of the service")]
    Threads(#[source] std::io::Error),
    /// A file for TLS cannot be used.
    #[error("cannot use {}: {why}", file.display())]
    Tls {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// A token or a secret cannot be read.
    #[error("{0}")]
    Secret(String),
    /// No model can serve.
    #[error("no model can be served: {0}")]
    Model(String),
    /// The log of requests cannot be written.
    #[error(transparent)]
    Log(#[from] FileError),
    /// The system has no random numbers to give.
    #[error("the system provides no random numbers, which sessions need")]
    Random,
}
