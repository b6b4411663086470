//! The reference of a model: made of its answers on held-out images, and read from a version's folder.

use std::path::{Path, PathBuf};

use burgeon_drift::{PixelStats, Reference, ReferenceBuilder, ReferenceError, SampleError};

use crate::sys::files::{FileError, Files};

/// The reference's file in the folder of a model.
pub(crate) const REFERENCE_FILE: &str = "reference.json";

/// More than any reference has: it keeps a million values at most.
const REFERENCE_BYTES_MAX: u64 = 64 << 20;

/// A reference that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReferenceFileError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds something else.
    #[error("{} is not a reference", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The images do not suffice.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The model's answers are no probabilities.
    #[error(transparent)]
    Sample(#[from] SampleError),
}

/// The reference of a model out of its answers, `[images, classes]` probabilities, on images, `[images, channels, height,
/// width]` bytes of this `shape`, with their labels.
pub(crate) fn reference_of<'a>(
    classes: usize,
    shape: [usize; 3],
    answered: impl Iterator<Item = (&'a [f32], &'a [u8], usize)>,
) -> Result<Reference, ReferenceFileError> {
    let mut builder = ReferenceBuilder::new(classes)?;
    for (probabilities, image, label) in answered {
        // Images of another length are none of the model's.
        if let Some(pixels) = PixelStats::of_bytes(image, shape) {
            builder.add(probabilities, pixels, Some(label))?;
        }
    }
    Ok(builder.finish()?)
}

/// The reference of the model in a folder; `None` if it has none.
pub(crate) fn read_reference(
    files: &dyn Files,
    folder: &Path,
) -> Result<Option<Reference>, ReferenceFileError> {
    let path = folder.join(REFERENCE_FILE);
    let bytes = match files.read(&path, REFERENCE_BYTES_MAX) {
        Err(error) if error.is_not_found() => return Ok(None),
        read => read?,
    };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|source| ReferenceFileError::Content { path, source })
}

#[cfg(test)]
mod tests;
