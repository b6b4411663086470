//! The folder of a run, such as `runs/lenet-5-0001/`, and the files in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::provenance::Provenance;
use crate::spec::{RUN_NAME_RULE, is_run_name};
use crate::sys::files::{FileError, Files, PathKind};
use crate::sys::lock::{LockError, LockRequest, RunLock};
use crate::sys::shared_folder::InFolder;

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    files: Arc<dyn Files>,
    path: PathBuf,
}

/// A trial's folder within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialFolder {
    path: PathBuf,
}

/// Why a run folder cannot be created, opened or read.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// The name of the study is not valid.
    #[error("{name:?} is not a valid study name; use {RUN_NAME_RULE}")]
    Name {
        /// The rejected name.
        name: String,
    },
    /// The folder is not a run folder.
    #[error("{} is not a run folder: it has no study.toml", path.display())]
    NotARun {
        /// The folder that was opened.
        path: PathBuf,
    },
    /// The provenance cannot be read or written.
    #[error("{} has no valid provenance", path.display())]
    Provenance {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file or folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A study file with its defaults written out is a few kilobytes.
const STUDY_LIMIT_BYTES: u64 = 4 << 20;
const PROVENANCE_LIMIT_BYTES: u64 = 1 << 20;
/// Folder of the model that the first trial started with.
const START_FOLDER: &str = "start";

impl RunFolder {
    /// Creates the next free folder for a study of this name; two processes that do so at once get
    /// two folders.
    ///
    /// # Errors
    ///
    /// If the name is not valid, or the folder cannot be created.
    pub fn create(files: Arc<dyn Files>, runs: &Path, name: &str) -> Result<Self, RunFolderError> {
        check_name(name)?;
        files.create_folders(runs)?;
        let mut number = numbers(&*files, runs, name)?.last().map_or(1, |last| last + 1);
        loop {
            let path = folder(runs, name, number);
            match files.create_folder(&path) {
                Ok(()) => {
                    files.sync_folder(runs)?;
                    return Ok(Self { files, path });
                }
                Err(error) if error.is_already_there() => number += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Creates the next free folder for a study of this name, with its provenance, its study, and
    /// the files of the model that it starts from: names and contents, empty if it starts from none.
    /// Incomplete folders, which processes that died in this function left behind, are removed.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn begin(
        files: Arc<dyn Files>,
        runs: &Path,
        name: &str,
        provenance: &Provenance,
        study: &str,
        start: &[(&str, &[u8])],
    ) -> Result<Self, RunFolderError> {
        check_name(name)?;
        files.create_folders(runs)?;
        let _inside = InFolder::enter(runs, || remove_incomplete(&*files, runs, name));
        let folder = Self::create(files, runs, name)?;
        folder.write_start(start)?;
        folder.write_provenance(provenance)?;
        // Last, because a folder without it does not count as a run.
        folder.write_study(study)?;
        Ok(folder)
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    ///
    /// [`RunFolderError::NotARun`] if it has no `study.toml`.
    pub fn open(files: Arc<dyn Files>, path: impl Into<PathBuf>) -> Result<Self, RunFolderError> {
        let run = Self { files, path: path.into() };
        match run.files.kind(&run.study_file())? {
            Some(PathKind::File) => Ok(run),
            _ => Err(RunFolderError::NotARun { path: run.path }),
        }
    }

    /// The newest run of a study of this name; folders without a study are skipped.
    ///
    /// # Errors
    ///
    /// If the name is not valid, or the folders cannot be listed.
    pub fn find_latest(
        files: &Arc<dyn Files>,
        runs: &Path,
        name: &str,
    ) -> Result<Option<Self>, RunFolderError> {
        check_name(name)?;
        for number in numbers(&**files, runs, name)?.into_iter().rev() {
            match Self::open(Arc::clone(files), folder(runs, name, number)) {
                Err(RunFolderError::NotARun { .. }) => {}
                other => return other.map(Some),
            }
        }
        Ok(None)
    }

    /// Locks the run for writing.
    ///
    /// # Errors
    ///
    /// [`LockError::Locked`] when a living process holds it.
    pub fn lock(&self, request: &LockRequest) -> Result<RunLock, LockError> {
        RunLock::acquire(&self.files, &self.path, request)
    }

    /// Access to the disk that it is on.
    pub fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }

    /// The path of the run folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's own name, such as `lenet-5-0001`.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The resolved study: `study.toml`.
    pub fn study_file(&self) -> PathBuf {
        self.path.join("study.toml")
    }

    /// The provenance: `provenance.json`.
    pub fn provenance_file(&self) -> PathBuf {
        self.path.join("provenance.json")
    }

    /// The event log: `events.jsonl`.
    pub fn events_file(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The validation accuracy of the accepted model, a single number: `accuracy.txt`.
    pub fn accuracy_file(&self) -> PathBuf {
        self.path.join("accuracy.txt")
    }

    /// The report for browsers: `report.html`.
    pub fn report_html(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// The report as Markdown: `report.md`.
    pub fn report_markdown(&self) -> PathBuf {
        self.path.join("report.md")
    }

    /// The report for test runners: `junit.xml`.
    pub fn junit_file(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    /// The folder of the best model: `best`.
    pub fn best(&self) -> PathBuf {
        self.path.join("best")
    }

    /// The folder of the model that the first trial started with, if it started with one: `start`.
    pub fn start(&self) -> PathBuf {
        self.path.join(START_FOLDER)
    }

    /// A trial's folder; trials are counted from 1.
    pub fn trial(&self, trial: u32) -> TrialFolder {
        TrialFolder { path: self.path.join("trials").join(format!("{trial:03}")) }
    }

    /// Writes the files of the model that the first trial starts with, each with its name and content.
    fn write_start(&self, content: &[(&str, &[u8])]) -> Result<(), RunFolderError> {
        if content.is_empty() {
            return Ok(());
        }
        self.files.create_folders(&self.start())?;
        for (name, bytes) in content {
            self.files.write_atomically(&self.start().join(name), bytes)?;
        }
        Ok(())
    }

    /// Writes the resolved study.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_study(&self, toml: &str) -> Result<(), RunFolderError> {
        Ok(self.files.write_atomically(&self.study_file(), toml.as_bytes())?)
    }

    /// Reads the resolved study; bytes that are not UTF-8 are replaced, which its parser refuses.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read_study(&self) -> Result<String, RunFolderError> {
        let bytes = self.files.read(&self.study_file(), STUDY_LIMIT_BYTES)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes the provenance.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_provenance(&self, provenance: &Provenance) -> Result<(), RunFolderError> {
        let path = self.provenance_file();
        let mut json = serde_json::to_vec_pretty(provenance)
            .map_err(|source| RunFolderError::Provenance { path: path.clone(), source })?;
        json.push(b'\n');
        Ok(self.files.write_atomically(&path, &json)?)
    }

    /// Reads the provenance.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read_provenance(&self) -> Result<Provenance, RunFolderError> {
        let path = self.provenance_file();
        let json = self.files.read(&path, PROVENANCE_LIMIT_BYTES)?;
        serde_json::from_slice(&json).map_err(|source| RunFolderError::Provenance { path, source })
    }

    /// Writes the validation accuracy of the accepted model, as a fraction.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_accuracy(&self, accuracy: f64) -> Result<(), RunFolderError> {
        let text = format!("{accuracy}\n");
        Ok(self.files.write_atomically(&self.accuracy_file(), text.as_bytes())?)
    }
}

impl TrialFolder {
    /// The path of the trial's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The trial's own study file.
    pub fn spec_file(&self) -> PathBuf {
        self.path.join("spec.toml")
    }

    /// Its epochs as a table.
    pub fn curve_file(&self) -> PathBuf {
        self.path.join("curve.csv")
    }

    /// Its checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }
}

/// Removes the incomplete folders of this name, those without a study. No other process may be creating
/// one at the same time.
fn remove_incomplete(files: &dyn Files, runs: &Path, name: &str) {
    let is_start = |folder: &Path| {
        let is_folder = matches!(files.kind(folder), Ok(Some(PathKind::Folder)));
        is_folder
            && files.list(folder).is_ok_and(|found| found.iter().all(|name| is_file_of_start(name)))
    };
    let is_beginning = |folder: &Path, found: &String| match found.as_str() {
        "provenance.json" | ".provenance.json.tmp" | ".study.toml.tmp" => true,
        START_FOLDER => is_start(&folder.join(found)),
        _ => false,
    };
    // A folder that cannot be listed or removed is skipped; `find_latest` skips it as well.
    for number in numbers(files, runs, name).unwrap_or_default() {
        let folder = folder(runs, name, number);
        let is_folder = matches!(files.kind(&folder), Ok(Some(PathKind::Folder)));
        let is_incomplete =
            |found: Vec<String>| found.iter().all(|name| is_beginning(&folder, name));
        if is_folder && files.list(&folder).is_ok_and(is_incomplete) {
            let _ = files.remove_folder(&folder);
        }
    }
}

/// Whether a run writes a file of this name into [`RunFolder::start`].
fn is_file_of_start(name: &str) -> bool {
    let whole = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")).unwrap_or(name);
    ["model.safetensors", "spec.toml", "study.toml", "provenance.json"].contains(&whole)
}

fn folder(runs: &Path, name: &str, number: u32) -> PathBuf {
    runs.join(format!("{name}-{number:04}"))
}

/// The numbers of the runs of this name, ascending.
fn numbers(files: &dyn Files, runs: &Path, name: &str) -> Result<Vec<u32>, FileError> {
    let names = match files.list(runs) {
        Err(error) if error.is_not_found() => Vec::new(),
        other => other?,
    };
    let mut numbers: Vec<u32> = names.iter().filter_map(|found| number_of(found, name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn number_of(found: &str, name: &str) -> Option<u32> {
    let digits = found.strip_prefix(name)?.strip_prefix('-')?;
    let number = digits.parse().ok()?;
    // Only numbers as `folder` writes them, so that neither `a-1-0001` nor `a-+007` is a run of `a`.
    (format!("{number:04}") == digits).then_some(number)
}

fn check_name(name: &str) -> Result<(), RunFolderError> {
    if is_run_name(name) { Ok(()) } else { Err(RunFolderError::Name { name: name.into() }) }
}

#[cfg(test)]
mod tests;
