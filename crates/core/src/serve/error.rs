//! Errors of starting the service.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::sys::files::FileError;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Cannot listen on the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Threads cannot be started.
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
    /// No model can be served.
    #[error("no model can be served: {0}")]
    Model(String),
    /// The request log cannot be written.
    #[error(transparent)]
    Log(#[from] FileError),
    /// The system provides no random numbers.
    #[error("the system provides no random numbers, which sessions need")]
    Random,
}
