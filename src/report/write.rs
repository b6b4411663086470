//! Reads a run folder and writes the reports into it.

use std::path::{Path, PathBuf};

use super::{Report, STYLE, STYLE_SHEET, augmented_picture};
use crate::ledger::{LedgerError, RunFolder, RunFolderError, read};
use crate::sys::files::{FileError, PathKind, parent};

/// The paths of a run's reports.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// The page for browsers.
    pub html: PathBuf,
    /// Its style sheet.
    pub style_sheet: PathBuf,
    /// The text for a pull request.
    pub markdown: PathBuf,
    /// The test cases for a test runner.
    pub junit: PathBuf,
}

/// Why no report could be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder has no record of a study.
    #[error("{} has no record of a study: its events.jsonl is missing or empty", folder.display())]
    NothingRecorded {
        /// The run folder.
        folder: PathBuf,
    },
    /// The record cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The study file or the provenance cannot be read.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// The test cases cannot be written as XML.
    #[error("cannot write {}", path.display())]
    Junit {
        /// The report file.
        path: PathBuf,
        /// Why.
        source: quick_junit::SerializeError,
    },
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Writes `report.html` with its style sheet, `report.md` and `junit.xml` into a run folder, each
/// atomically. The run may be finished, interrupted, or still running.
///
/// # Errors
///
/// When the run has no record yet, or a file cannot be read or written.
pub fn write(folder: &RunFolder) -> Result<Written, ReportError> {
    let files = folder.files();
    let records = read(&**files, &folder.events_file())?;
    if records.is_empty() {
        return Err(ReportError::NothingRecorded { folder: folder.path().into() });
    }
    let report = Report::from_records(&records)
        .with_provenance(provenance(folder)?)
        .with_study(folder.read_study()?);
    let has_picture = |trial: &u32| {
        matches!(
            files.kind(&folder.path().join(augmented_picture(*trial))),
            Ok(Some(PathKind::File))
        )
    };
    let trials = report.lineage.trials.iter().map(|trial| trial.trial);
    let augmented = trials.filter(has_picture).collect();
    let report = report.with_augmented(augmented);
    let written = Written {
        html: folder.report_html(),
        style_sheet: folder.path().join(STYLE_SHEET),
        markdown: folder.report_markdown(),
        junit: folder.junit_file(),
    };
    let junit = report
        .to_junit()
        .map_err(|source| ReportError::Junit { path: written.junit.clone(), source })?;
    let put = |path: &Path, text: String| files.write_atomically(path, text.as_bytes());
    // Before the page that refers to it.
    files.create_folders(parent(&written.style_sheet))?;
    put(&written.style_sheet, STYLE.to_owned())?;
    put(&written.html, report.to_html())?;
    put(&written.markdown, report.to_markdown())?;
    put(&written.junit, junit)?;
    Ok(written)
}

/// The provenance; `None` for a run that was made without a launch.
fn provenance(folder: &RunFolder) -> Result<Option<crate::ledger::Provenance>, RunFolderError> {
    match folder.read_provenance() {
        Ok(provenance) => Ok(Some(provenance)),
        Err(RunFolderError::File(error)) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
