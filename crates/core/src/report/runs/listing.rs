//! What a folder of runs holds.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sys::files::{FileError, Operation};

/// What is in a folder of runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The run folders, sorted by name.
    pub runs: Vec<PathBuf>,
    /// Other folders.
    pub foreign: Vec<Foreign>,
}

/// A folder among runs that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The folder.
    pub path: PathBuf,
    /// Why it is no run, as a clause.
    pub why: String,
}

/// Lists the runs in a folder. Files and hidden folders beside them are passed over, and a link to a run folder
/// is one. A missing folder has none.
///
/// # Errors
///
/// When the folder cannot be listed.
pub fn find(runs: &Path) -> Result<Found, FileError> {
    let failed = |error| FileError::new(Operation::List, runs, 0, error);
    let entries = match fs::read_dir(runs) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::default()),
        other => other.map_err(failed)?,
    };
    let mut names: Vec<OsString> = Vec::new();
    for entry in entries {
        names.push(entry.map_err(failed)?.file_name());
    }
    names.sort();
    let mut found = Found::default();
    for name in names.into_iter().filter(|name| !name.as_encoded_bytes().starts_with(b".")) {
        let path = runs.join(name);
        if !path.is_dir() {
            continue;
        }
        match fs::metadata(path.join("study.toml")) {
            Ok(study) if study.is_file() => found.runs.push(path),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                found.foreign.push(Foreign { path, why: "it cannot be read".into() });
            }
            _ => found.foreign.push(Foreign { path, why: "it has no study.toml".into() }),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
