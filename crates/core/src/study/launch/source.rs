//! The study of a launch: the text of a study file, or one built in code.

use std::path::{Path, PathBuf};

use crate::spec::{InputShape, Source, Spec, SpecError, StudyDocument, StudyFile};
use crate::study::recorded_data::absolute;

/// A study as text, so that messages can point at a line, or as a value.
#[derive(Debug, Clone)]
pub enum StudySource {
    /// The text of a study file, and overrides.
    Document(StudyDocument),
    /// A study built in code.
    File(Box<StudyFile>),
}

impl StudySource {
    pub(super) fn parse(&self) -> Result<StudyFile, SpecError> {
        match self {
            Self::Document(document) => document.parse(),
            Self::File(file) => Ok((**file).clone()),
        }
    }

    /// Reads the study and checks what can be checked without its images.
    pub(super) fn checked(&self) -> Result<StudyFile, SpecError> {
        let file = self.parse()?;
        match (file.data.source, self) {
            (Source::Mnist | Source::Synthetic, _) => {
                self.check(file.clone(), InputShape::MNIST)?;
            }
            (_, Self::Document(document)) => document.check()?,
            (_, Self::File(_)) => {}
        }
        Ok(file)
    }

    /// The folder at which a relative path under this key starts: that of the study file, or, for one that
    /// is set by an override, the current one.
    pub(super) fn base(&self, key: &str) -> PathBuf {
        let Self::Document(study) = self else {
            return absolute(Path::new("."));
        };
        let origin = Path::new(study.origin());
        let folder = match study.folder() {
            Some(folder) => Some(folder),
            None if origin.is_file() => origin.parent(),
            None => None,
        };
        match folder {
            Some(folder) if !study.overrides(key) => absolute(folder),
            _ => absolute(Path::new(".")),
        }
    }

    /// Adds the line to a problem, if there is text.
    pub(in crate::study) fn locate(&self, error: SpecError) -> SpecError {
        match self {
            Self::Document(document) => document.locate(error),
            Self::File(_) => error,
        }
    }

    /// Checks the result of [`parse`](Self::parse), possibly changed since, and adds lines to problems.
    pub(super) fn check(&self, file: StudyFile, input: InputShape) -> Result<Spec, SpecError> {
        Spec::new(file, input).map_err(|error| self.locate(error))
    }
}

impl From<StudyDocument> for StudySource {
    fn from(document: StudyDocument) -> Self {
        Self::Document(document)
    }
}

impl From<&StudyDocument> for StudySource {
    fn from(document: &StudyDocument) -> Self {
        Self::Document(document.clone())
    }
}

impl From<StudyFile> for StudySource {
    fn from(file: StudyFile) -> Self {
        Self::File(Box::new(file))
    }
}

impl From<&StudyFile> for StudySource {
    fn from(file: &StudyFile) -> Self {
        Self::File(Box::new(file.clone()))
    }
}
