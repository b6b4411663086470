//! Why a folder cannot be looked at, or rules cannot be used.

use std::path::PathBuf;

use crate::network::Lost;

/// A folder that cannot be looked at at all. What is wrong with single files is told in the answer.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The folder cannot be opened.
    #[error("cannot look into the folder {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The program cannot be read.
    #[error("cannot read the program {}: {message}", file.display())]
    Program {
        /// The file.
        file: PathBuf,
        /// Why.
        message: String,
    },
    /// No study can be made of the program.
    #[error("no study can be made of it: {0}")]
    NoStudy(Box<Lost>),
    /// The rules cannot be read.
    #[error("cannot read the rules in {}", file.display())]
    RulesFile {
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The rules are not valid.
    #[error("{origin}: {message}")]
    Rules {
        /// The file that the rules came from.
        origin: String,
        /// What is wrong, where, and what would be right.
        message: String,
    },
}
