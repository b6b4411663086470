//! Reads one picture file.

use std::path::Path;

use burgeon_pixels::{Fit, Picture, PictureError, read_bounded};

use super::DataError;
use crate::spec;

/// Reads and decodes a picture at no less than the [wanted size](Picture::decode_for), or at its own.
///
/// # Errors
/// When it cannot be read or [decoded](Picture::decode); the error names the file.
pub fn open_picture(path: &Path, wanted: Option<[usize; 2]>) -> Result<Picture, DataError> {
    let decoded = read_bounded(path).and_then(|bytes| Picture::decode_for(&bytes, wanted));
    decoded.map_err(|error| match error {
        PictureError::Read(source) => DataError::Read { path: path.into(), source },
        error => DataError::picture(path)(error),
    })
}

impl From<Fit> for spec::Fit {
    fn from(fit: Fit) -> Self {
        match fit {
            Fit::Crop => Self::Crop,
            Fit::Pad => Self::Pad,
            Fit::Stretch => Self::Stretch,
        }
    }
}

impl From<spec::Fit> for Fit {
    fn from(fit: spec::Fit) -> Self {
        match fit {
            spec::Fit::Crop => Self::Crop,
            spec::Fit::Pad => Self::Pad,
            spec::Fit::Stretch => Self::Stretch,
        }
    }
}
