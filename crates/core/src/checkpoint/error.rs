//! Errors of writing and finding checkpoints.

use std::path::PathBuf;

use super::manifest::ManifestError;
use crate::sys::fence::FenceError;
use crate::sys::files::FileError;

/// Why a checkpoint cannot be written, or checkpoints cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file of it cannot be written; earlier checkpoints are unchanged.
    #[error("cannot write the checkpoint {} of {bytes} bytes: {source}", path.display())]
    Write {
        /// Its folder.
        path: PathBuf,
        /// Its total size.
        bytes: u64,
        /// The cause.
        source: FileError,
    },
    /// A manifest that cannot be written, or is of another version.
    #[error("checkpoint manifest {} {source}", path.display())]
    Manifest {
        /// Path of the manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// Another process has taken over the run.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// The folder of checkpoints cannot be created, listed or cleaned up.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system refused the thread that writes.
    #[error("cannot start the thread that writes checkpoints")]
    Thread(#[source] std::io::Error),
    /// The thread that writes has ended, after an error that was already returned, or by a panic.
    #[error("the thread that writes checkpoints has ended")]
    WriterGone,
}
