//! Reads a run folder and writes the reports into it.

use std::path::{Path, PathBuf};

use super::network::Networks;
use super::{Report, SAMPLES_PICTURE, STYLE, STYLE_SHEET, augmented_picture, mistakes_picture};
use crate::ledger::{LedgerError, RunFolder, RunFolderError, read};
use crate::record::figures::ModelFigures;
use crate::sys::files::{FileError, Files, PathKind, parent};

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
    let report = report(folder)?;
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

/// Writes `report-single.html`, the page with its style sheet and pictures inside, to be sent or archived.
///
/// # Errors
///
/// As [`write`].
#[cfg(feature = "cli")]
pub(crate) fn write_single(folder: &RunFolder) -> Result<PathBuf, ReportError> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    let files = folder.files();
    let report = report(folder)?;
    let link = format!("<link rel=\"stylesheet\" href=\"{STYLE_SHEET}\"/>");
    let mut page = report.to_html().replace(&link, &format!("<style>\n{STYLE}</style>"));
    let augmented = report.augmented.iter().map(|&trial| augmented_picture(trial));
    let mistakes = report.model.iter().map(|model| mistakes_picture(model.trial));
    for picture in augmented.chain(mistakes).chain([SAMPLES_PICTURE.to_owned()]) {
        let named = format!("=\"{picture}\"");
        if page.contains(&named) {
            let bytes = files.read(&folder.path().join(&picture), PICTURE_BYTES_MAX)?;
            let inside = format!("=\"data:image/png;base64,{}\"", STANDARD.encode(bytes));
            page = page.replace(&named, &inside);
        }
    }
    let path = folder.path().join("report-single.html");
    files.write_atomically(&path, page.as_bytes())?;
    Ok(path)
}

/// Pictures of burgeon are far smaller.
#[cfg(feature = "cli")]
const PICTURE_BYTES_MAX: u64 = 64 << 20;

/// What a run folder tells.
fn report(folder: &RunFolder) -> Result<Report, ReportError> {
    let files = folder.files();
    let records = read(&**files, &folder.events_file())?;
    if records.is_empty() {
        return Err(ReportError::NothingRecorded { folder: folder.path().into() });
    }
    let model = ModelFigures::read(&**files, &folder.best())?;
    let mistakes = match &model {
        Some(model) => picture_size(&**files, &folder.path().join(mistakes_picture(model.trial)))?,
        None => None,
    };
    let report = Report::from_records(&records)
        .with_provenance(provenance(folder)?)
        .with_model(model)
        .with_mistakes_picture(mistakes)
        .with_samples_picture(picture_size(&**files, &folder.path().join(SAMPLES_PICTURE))?)
        .with_study(folder.read_study()?);
    let has_picture = |trial: &u32| {
        matches!(
            files.kind(&folder.path().join(augmented_picture(*trial))),
            Ok(Some(PathKind::File))
        )
    };
    let trials = report.lineage.trials.iter().map(|trial| trial.trial);
    let augmented = trials.filter(has_picture).collect();
    let networks = match (report.figures.best_trial, report.input_shape()) {
        (Some(best), Some(input)) => Networks::read(folder, &report.lineage, best, input)?,
        _ => None,
    };
    Ok(report.with_augmented(augmented).with_networks(networks))
}

/// Whether all reports of a run were written after its last event.
#[cfg(feature = "serve")]
pub(crate) fn are_current(folder: &RunFolder) -> bool {
    let written = |path: PathBuf| std::fs::metadata(path).and_then(|found| found.modified());
    // The last of them is written once the others are.
    match (written(folder.junit_file()), written(folder.events_file())) {
        (Ok(reports), Ok(events)) => reports >= events,
        _ => false,
    }
}

/// Width and height of a PNG picture in pixels; `None` where there is none.
fn picture_size(files: &dyn Files, path: &Path) -> Result<Option<[u32; 2]>, FileError> {
    if files.kind(path)? != Some(PathKind::File) {
        return Ok(None);
    }
    // Signature, then the length, name, width and height of the first chunk.
    let header = files.read_at(path, 0, 24)?;
    let number = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    let is_png = header.starts_with(b"\x89PNG\r\n\x1a\n");
    let size = number(16).zip(number(20)).filter(|_| is_png);
    Ok(size.map(|(width, height)| [width, height].map(u32::from_be_bytes)))
}

/// The provenance; `None` for a run that was made without a launch.
fn provenance(folder: &RunFolder) -> Result<Option<crate::ledger::Provenance>, RunFolderError> {
    match folder.read_provenance() {
        Ok(provenance) => Ok(Some(provenance)),
        Err(RunFolderError::File(error)) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
