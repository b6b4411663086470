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
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_from_what_lies_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b-0001", "a-0001", "photos", ".hidden"] {
            fs::create_dir(at(name)).unwrap();
        }
        for name in ["b-0001/study.toml", "a-0001/study.toml", ".hidden/study.toml", "notes"] {
            fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(at("a-0001"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("broken")).unwrap();
        let found = find(folder.path()).unwrap();
        assert_eq!(found.runs, [at("a-0001"), at("b-0001"), at("link")]);
        assert_eq!(found.foreign.len(), 1, "{:?}", found.foreign);
        assert_eq!(found.foreign[0].path, at("photos"));
        assert_eq!(find(&at("nowhere")).unwrap(), Found::default());
        assert!(find(&at("notes")).is_err());
    }
}
