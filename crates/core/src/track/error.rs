//! Why a run could not be shown.

use std::path::PathBuf;

use crate::ledger::LedgerError;
use crate::sys::files::FileError;

/// Why a run could not be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrackError {
    /// The event log cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file of the run cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file for TensorBoard cannot be written.
    #[error("cannot write {} for TensorBoard", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A picture cannot be encoded.
    #[error("cannot encode a picture for TensorBoard")]
    Picture(#[from] image::ImageError),
    /// The tracking server.
    #[error(transparent)]
    Mlflow(#[from] MlflowError),
}

/// Why a tracking server did not take something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MlflowError {
    /// The address.
    #[error(
        "`{url}` is not the address of an MLflow server: give it as http://HOST:PORT or https://HOST{hint}"
    )]
    Address {
        /// What was given.
        url: String,
        /// What else to do.
        hint: &'static str,
    },
    /// It did not answer.
    #[error("cannot reach the MLflow server at {url}")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// It said no.
    #[error("the MLflow server at {url} answered {status} to {path}: {message}")]
    Refused {
        /// Its address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        path: String,
        /// What it said.
        message: String,
    },
    /// Its answer is another than MLflow's.
    #[error("the MLflow server's answer has no {missing}; is it an MLflow server?")]
    Answer {
        /// What is missing.
        missing: String,
    },
    /// It keeps files where this cannot send them.
    #[error(
        "the MLflow server stores artifacts at `{at}` and accepts no uploads: start it with --serve-artifacts"
    )]
    Artifacts {
        /// Where.
        at: String,
    },
}
