//! Picture files as a model sees them, with what they were like before.

use std::path::{Path, PathBuf};

use burgeon_drift::PixelStats;
use burgeon_ink::Invert;
use burgeon_pixels::{Picture, PictureError, read_bounded};

use crate::data::DataError;
use crate::model::{Preparation, Subject};

/// How deep folders are looked into.
const DEPTH_MAX: usize = 8;

/// Most pictures of a folder.
const PICTURES_MAX: usize = 1_000_000;

/// A picture as the network takes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prepared {
    /// `[channels, height, width]` bytes.
    pub image: Vec<u8>,
    /// Measures of these, with the picture's own size.
    pub pixels: PixelStats,
}

/// The pictures in a folder and those below it, sorted by path; none if it is another kind of data set.
///
/// # Errors
///
/// If a folder cannot be read, or has more pictures than are supported.
pub(crate) fn picture_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    list(folder, 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), DataError> {
    for entry in std::fs::read_dir(folder).map_err(DataError::read(folder))? {
        let entry = entry.map_err(DataError::read(folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(DataError::read(folder))?);
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Links to folders are not followed, as they may lead in a circle.
        if kind.is_dir() && depth < DEPTH_MAX {
            list(&path, depth + 1, found)?;
        } else if !kind.is_dir() && is_picture_name(&path) && path.is_file() {
            found.push(path);
        }
        if found.len() > PICTURES_MAX {
            return Err(DataError::malformed(
                folder,
                "more than 1,000,000 pictures; give a part of them",
            ));
        }
    }
    Ok(())
}

fn is_picture_name(path: &Path) -> bool {
    const EXTENSIONS: [&str; 13] = [
        "gif", "png", "jpg", "jpeg", "jpe", "webp", "bmp", "tif", "tiff", "ppm", "pgm", "pbm",
        "pnm",
    ];
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

/// Reads a picture file and prepares it like the training images. What cannot be prepared as a digit, such as a blank
/// picture, is taken whole: it is one of the images that came in.
///
/// # Errors
///
/// If the file cannot be read or decoded.
pub(crate) fn prepare(preparation: &Preparation, path: &Path) -> Result<Prepared, DataError> {
    let read = || -> Result<Prepared, PictureError> {
        let bytes = read_bounded(path)?;
        let (height, width) = Picture::size_of(&bytes)?;
        let picture = Picture::decode_for(&bytes, preparation.decode_size())?;
        let image = match preparation.prepare(&picture, Invert::Auto) {
            Err(_) if preparation.subject == Subject::Digit => {
                preparation.clone().whole().prepare(&picture, Invert::Auto)
            }
            prepared => prepared,
        }?;
        let shape = [preparation.channels.count(), preparation.height, preparation.width];
        let pixels = PixelStats::of_bytes(&image, shape).ok_or(PictureError::Blank)?;
        Ok(Prepared { image, pixels: pixels.with_size(height, width) })
    };
    read().map_err(|error| match error {
        PictureError::Read(source) => DataError::Read { path: path.into(), source },
        error => DataError::picture(path)(error),
    })
}

#[cfg(test)]
mod tests;
