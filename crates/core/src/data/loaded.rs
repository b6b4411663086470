//! Data that was loaded, and where it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::idx::FileDigest;
use super::look::DataReport;
use super::{DataError, Dataset};
use crate::spec::{Amount, DataSpec, Fit, Size, Source};

/// Data, and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The split images.
    pub dataset: Dataset,
    /// The result of examining them.
    pub report: DataReport,
    /// Where they came from, for the record.
    pub origin: Origin,
}

/// Where data came from, with hashes of its content.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Origin {
    /// The MNIST database, verified.
    Mnist {
        /// The folder it was read from.
        dir: PathBuf,
        /// The four files.
        files: Vec<FileDigest>,
        /// The addresses it was just downloaded from; empty if it was already there.
        fetched_from: Vec<String>,
    },
    /// A folder of IDX files.
    Idx {
        /// The folder with the IDX files.
        dir: PathBuf,
        /// The four files.
        files: Vec<FileDigest>,
    },
    /// A folder or file whose images are brought to one size.
    #[serde(rename = "framed")]
    Framed {
        /// Its kind.
        #[serde(rename = "form")]
        source: Source,
        /// The folder or file.
        dir: PathBuf,
        /// SHA-256 of the images and classes of each of its parts, by name.
        content: BTreeMap<String, String>,
        /// The settings that were used.
        settings: FramedSettings,
    },
    /// The built-in digits.
    Synthetic {
        /// [`GENERATOR_VERSION`](super::synthetic::GENERATOR_VERSION).
        generator: u32,
        /// The seed they were drawn from.
        seed: u64,
        /// Why they replace MNIST; `None` if they were requested.
        fallback_reason: Option<String>,
    },
}

impl Origin {
    /// The folder that was read; `None` for images that were drawn.
    pub fn dir(&self) -> Option<&Path> {
        match self {
            Self::Mnist { dir, .. } | Self::Idx { dir, .. } | Self::Framed { dir, .. } => Some(dir),
            Self::Synthetic { .. } => None,
        }
    }

    /// The files that were read, by [`Part::ALL`](folder::Part::ALL).
    pub fn files(&self) -> &[FileDigest] {
        match self {
            Self::Mnist { files, .. } | Self::Idx { files, .. } => files,
            Self::Framed { .. } | Self::Synthetic { .. } => &[],
        }
    }

    /// Fills in the settings of `[data]` that were chosen automatically, so that a run records them.
    pub fn record_in(&self, data: &mut DataSpec, dataset: &Dataset) {
        let Self::Framed { settings, .. } = self else {
            if dataset.folds.is_none() {
                data.validation.get_or_insert(Amount::Count(dataset.validation.len()));
            }
            return;
        };
        let FramedSettings { height, width, channels, fit, validation, test } = *settings;
        data.size = Some(Size { height, width });
        data.fit = Some(fit);
        data.channels = Some(channels);
        data.validation = validation;
        data.test = test;
    }

    /// Why the built-in digits replace MNIST, if they do.
    pub fn fallback_reason(&self) -> Option<&str> {
        match self {
            Self::Synthetic { fallback_reason, .. } => fallback_reason.as_deref(),
            Self::Mnist { .. } | Self::Idx { .. } | Self::Framed { .. } => None,
        }
    }
}

/// The settings of a framed source, including those chosen automatically.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FramedSettings {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 or 3.
    pub channels: usize,
    /// How pictures of another shape are brought to it.
    pub fit: Fit,
    /// Images that were set aside for validation; `None` if the source has its own.
    pub validation: Option<Amount>,
    /// Images that were set aside for testing; `None` if the source has its own.
    pub test: Option<Amount>,
}

/// Examines images, and refuses those that nothing can be learned from.
pub(super) fn examined(dataset: Dataset, origin: Origin) -> Result<Loaded, DataError> {
    let report = DataReport::of(&dataset);
    match report.refusal(&dataset.classes) {
        None => Ok(Loaded { dataset, report, origin }),
        Some(problem) => {
            Err(DataError::Unfit { dir: origin.dir().unwrap_or(Path::new("")).to_owned(), problem })
        }
    }
}
