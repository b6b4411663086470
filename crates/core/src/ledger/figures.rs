//! Reads `figures.json` beside a model.

use std::path::Path;

use crate::record::figures::ModelFigures;
use crate::sys::files::{FileError, Files};

/// File of the figures, in the folder of a model.
pub(crate) const FIGURES_FILE: &str = "figures.json";
/// A confusion matrix of a few hundred classes is about a megabyte.
const FIGURES_BYTES_MAX: u64 = 256 << 20;
/// Labels are 16 bits.
const CLASSES_MAX: usize = 1 << 16;

impl ModelFigures {
    /// The figures in the folder of a model; `None` if it has none that this version can read, as with
    /// models of earlier versions.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read.
    pub(crate) fn read(files: &dyn Files, folder: &Path) -> Result<Option<Self>, FileError> {
        match files.read(&folder.join(FIGURES_FILE), FIGURES_BYTES_MAX) {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(json) => {
                let figures: Option<Self> = serde_json::from_slice(&json).ok();
                Ok(figures.filter(|figures| {
                    figures.version == Self::VERSION && figures.validation.classes <= CLASSES_MAX
                }))
            }
        }
    }
}
