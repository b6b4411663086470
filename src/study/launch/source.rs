//! What a program may hand over as a study: the text of a study file, or one built in code.

use crate::spec::{InputShape, Spec, SpecError, StudyDocument, StudyFile};

/// A study, as text that messages can point into or as a value.
#[derive(Debug, Clone)]
pub enum StudySource {
    /// The text of a study file, with overrides.
    Document(StudyDocument),
    /// A study that was built in code.
    File(Box<StudyFile>),
}

impl StudySource {
    pub(super) fn parse(&self) -> Result<StudyFile, SpecError> {
        match self {
            Self::Document(document) => document.parse(),
            Self::File(file) => Ok((**file).clone()),
        }
    }

    /// Checks what [`parse`](Self::parse) gave, changed or not, and points at the lines of what is
    /// wrong where there are any.
    pub(super) fn check(&self, file: StudyFile, input: InputShape) -> Result<Spec, SpecError> {
        let spec = Spec::new(file, input);
        spec.map_err(|error| match self {
            Self::Document(document) => document.locate(error),
            Self::File(_) => error,
        })
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
