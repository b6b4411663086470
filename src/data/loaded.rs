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
    /// What a look at them showed.
    pub report: DataReport,
    /// For the record.
    pub origin: Origin,
}

/// Where data came from, with what proves it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Origin {
    /// The MNIST database, verified.
    Mnist {
        /// The folder it was read from.
        dir: PathBuf,
        /// The four files.
        files: Vec<FileDigest>,
        /// The addresses it was just fetched from; empty if it was there already.
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
        /// Its form.
        #[serde(rename = "form")]
        source: Source,
        /// The folder or file.
        dir: PathBuf,
        /// SHA-256 of the images and classes of each of its parts, by name.
        content: BTreeMap<String, String>,
        /// What was chosen.
        settings: FramedSettings,
    },
    /// The built-in digits.
    Synthetic {
        /// [`GENERATOR_VERSION`](super::synthetic::GENERATOR_VERSION).
        generator: u32,
        /// The seed they were drawn from.
        seed: u64,
        /// Why they stand in for MNIST; `None` if they were asked for.
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

    /// Writes into `[data]` what was chosen where it says nothing, so that a run can keep it.
    pub fn record_in(&self, data: &mut DataSpec, validation: usize) {
        let Self::Framed { settings, .. } = self else {
            data.validation.get_or_insert(Amount::Count(validation));
            return;
        };
        let FramedSettings { height, width, channels, fit, validation, test } = *settings;
        data.size = Some(Size { height, width });
        data.fit = Some(fit);
        data.channels = Some(channels);
        data.validation = validation;
        data.test = test;
    }

    /// Why the built-in digits stand in for MNIST, if they do.
    pub fn fallback_reason(&self) -> Option<&str> {
        match self {
            Self::Synthetic { fallback_reason, .. } => fallback_reason.as_deref(),
            Self::Mnist { .. } | Self::Idx { .. } | Self::Framed { .. } => None,
        }
    }
}

/// What was chosen for a framed source where the study says nothing.
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
    /// Images that were set aside for validation; `None` where the source has some.
    pub validation: Option<Amount>,
    /// Images that were set aside for testing; `None` where the source has some.
    pub test: Option<Amount>,
}

/// Refuses images that nothing can be learned from.
pub(super) fn looked_at(dataset: Dataset, origin: Origin) -> Result<Loaded, DataError> {
    let report = DataReport::of(&dataset);
    match report.refusal(&dataset.classes) {
        None => Ok(Loaded { dataset, report, origin }),
        Some(problem) => {
            Err(DataError::Unfit { dir: origin.dir().unwrap_or(Path::new("")).to_owned(), problem })
        }
    }
}
