//! What can go wrong between a data source and a batch; every variant names the file or setting at fault.

use std::io;
use std::path::{Path, PathBuf};

use burgeon_pixels::PictureError;

use crate::sys::faults::FaultError;
use crate::sys::files::FileError;

/// A failure to find, fetch, verify or prepare data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A stop was requested before the data was loaded.
    #[error("stopped before the data was loaded")]
    Stopped,
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Nothing is where the images should be.
    #[error(
        "{} does not exist; set `path` in [data], or `--set data.path=PATH`, to the images", path.display()
    )]
    NoSuchPath {
        /// The path that the study gives.
        path: PathBuf,
    },
    /// A file's content does not follow its format.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file that was read.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file is well-formed, but its content is not the published one.
    #[error("{}: its content has sha256 {actual}, not the published {expected}", path.display())]
    WrongContent {
        /// The file whose content is wrong.
        path: PathBuf,
        /// The published SHA-256 of the inflated content, in hex.
        expected: String,
        /// The SHA-256 found, in hex.
        actual: String,
    },
    /// A folder lacks a file of the data set.
    #[error("{} has no {wanted}", dir.display())]
    MissingFile {
        /// The folder searched.
        dir: PathBuf,
        /// What was looked for, with the accepted names.
        wanted: String,
    },
    /// Several files or folders match.
    #[error(
        "{} holds both {first} and {second}, and only one can be read: keep each data set in its own folder", dir.display()
    )]
    Ambiguous {
        /// The folder searched.
        dir: PathBuf,
        /// A match.
        first: String,
        /// Another match.
        second: String,
    },
    /// MNIST is in none of the folders that were searched, and was not downloaded.
    #[error("MNIST is not in {searched}; {remedy}")]
    NotFound {
        /// The folders searched, and why each was not used.
        searched: String,
        /// What would help.
        remedy: String,
    },
    /// No mirror delivered a file.
    #[error("cannot download {file}: {attempts}")]
    Download {
        /// The file's published name.
        file: String,
        /// A clause for each mirror: its address and what went wrong.
        attempts: String,
    },
    /// The request asks for what the data does not have.
    #[error("{problem}")]
    Request {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Images, labels or splits given by a program do not fit together.
    #[error("{problem}")]
    Arrays {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// These images cannot be used for training or validation.
    #[error("{}{problem}", of(dir))]
    Unfit {
        /// The folder that they come from; empty for images that do not come from a folder.
        dir: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Pictures that cannot be read.
    #[error(
        "{}: {files} of its files cannot be read; repair or remove them, or set `skip-unreadable = true` in [data] to leave them out:{}",
        dir.display(),
        lines(named, *files)
    )]
    Unreadable {
        /// The folder that they are in.
        dir: PathBuf,
        /// How many.
        files: usize,
        /// The first of them, each with what is wrong.
        named: Vec<String>,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The simulated fault of a test build is not valid.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// A picture cannot be classified.
    #[error("{}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: PictureError,
    },
}

/// A line for each, and how many more there are.
fn lines(named: &[String], all: usize) -> String {
    let lines: String = named.iter().map(|line| format!("\n  {line}")).collect();
    match all.saturating_sub(named.len()) {
        0 => lines,
        more => format!("{lines}\n  and {more} more"),
    }
}

/// The prefix of a problem: the folder, if there is one.
fn of(dir: &Path) -> String {
    if dir.as_os_str().is_empty() { String::new() } else { format!("{}: ", dir.display()) }
}

impl DataError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    pub(crate) fn malformed(path: &Path, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn picture(path: &Path) -> impl FnOnce(PictureError) -> Self {
        let path = path.to_owned();
        move |source| Self::Picture { path, source }
    }

    /// The error and its causes in one line, for records and notes.
    pub fn chain(&self) -> String {
        crate::sys::error_chain(self)
    }
}
