//! Sources whose images are brought to one size and number of channels: class folders, CIFAR's files, NumPy archives
//! and CSV files.
//!
//! ```text
//! folder, cifar, npz, csv      list the images, their classes, and the splits that the source has
//!          └── survey          their sizes and colours: the shape that they are brought to
//!               └── decode     all of them, on every core, into the cache, unless it has them
//!                    └── carve the splits that the source lacks, by the images' content
//! ```
//!
//! The order of the images, and with it all training, follows from their content and classes alone: neither file names
//! nor the kind of source changes it.

#[cfg(test)]
mod cache_tests;
mod carve;
mod cifar;
mod csv;
mod decode;
mod folder;
#[cfg(test)]
mod jpeg_tests;
mod listing;
mod npz;
mod room;
mod source;
mod survey;
#[cfg(test)]
mod tests;

use std::path::Path;

use self::carve::Carving;
use super::loaded::{Loaded, Origin, examined};
use super::request::DataRequest;
use super::{DataError, Progress};

/// Lists, decodes and splits the images of a framed source.
///
/// # Errors
/// If they cannot be found or read, or the request asks for more images than there are.
pub(super) fn load(
    request: &DataRequest,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, DataError> {
    let (decoded, listing, frame) = source::read(request, progress)?;
    let carving = Carving {
        validation: request.validation,
        test: request.test,
        train: request.train,
        folds: request.folds,
        seed: request.seed,
    };
    let content = decoded.content_hashes(&listing);
    let mut findings = decoded.findings(&listing);
    let split = carve::carve(&decoded, &listing, carving)?;
    let origin = Origin::Framed {
        source: request.source,
        dir: listing.root.clone(),
        content,
        settings: split.settings(frame),
    };
    let mut loaded = examined(split.dataset, origin)?;
    findings.append(&mut loaded.report.findings);
    loaded.report.findings = findings;
    Ok(loaded)
}

/// Whether a folder has CIFAR's binary files.
pub(super) fn has_cifar_files(path: &Path) -> bool {
    cifar::has_files(path)
}

/// Whether a folder has a CSV file of training images.
pub(super) fn has_csv_files(path: &Path) -> bool {
    csv::has_files(path)
}

/// Whether a folder has folders of classes with pictures in them.
///
/// # Errors
/// If it has such folders, but they cannot be used: there is only one, or a name is no name of a class.
pub(super) fn has_class_folders(path: &Path) -> Result<bool, DataError> {
    folder::has_classes(path)
}
