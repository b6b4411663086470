//! Why a checkpoint could not be written, or none be looked for.

use std::path::PathBuf;

use super::manifest::ManifestError;
use crate::sys::fence::FenceError;
use crate::sys::files::FileError;

/// Why a checkpoint could not be written, or none be looked for.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk refused a part of it; the checkpoints before it are untouched.
    #[error("cannot write checkpoint {} of {bytes} bytes in all: {source}", path.display())]
    Write {
        /// Its folder.
        path: PathBuf,
        /// How much room it needs.
        bytes: u64,
        /// What failed.
        source: FileError,
    },
    /// A manifest that cannot be written, or is of another version.
    #[error("checkpoint manifest {} {source}", path.display())]
    Manifest {
        /// Where the manifest lies.
        path: PathBuf,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// Another process has taken over the run.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// The folder of checkpoints could not be made, listed or cleared.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system would not start the thread that writes.
    #[error("cannot start the thread that writes checkpoints")]
    Thread(#[source] std::io::Error),
    /// The thread that writes has ended, after an error that was already told or by a panic.
    #[error("the thread that writes checkpoints has ended")]
    WriterGone,
}
