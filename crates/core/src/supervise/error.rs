//! Errors at the start of supervising.

use std::path::PathBuf;

/// Why supervising could not start.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The path of this program is not known.
    #[error("cannot find the program to supervise")]
    Program(#[source] std::io::Error),
    /// The system refused the handlers of signals.
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
    /// The temporary file in which the trainer names its run folder cannot be created.
    #[error("cannot create a folder in {} for the trainer's announcement", path.display())]
    Announcement {
        /// The folder for temporary files.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
