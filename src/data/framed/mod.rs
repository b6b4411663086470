//! Sources whose images are brought to one size and number of channels: class folders, CIFAR's files, NumPy archives
//! and CSV files.
//!
//! ```text
//! folder, cifar, npz, csv      where images lie, their classes, and the splits that the source has
//!          └── survey          their sizes and colours: what frame they are brought to
//!               └── decode     all of them, on every core
//!                    └── carve the splits that the source lacks, by what the images show
//! ```
//!
//! The order of the images, and with it everything that is trained, follows from what they show and from their classes
//! alone: neither the names of files nor the form of the source changes it.

mod carve;
mod cifar;
mod csv;
mod decode;
mod folder;
mod listing;
mod npz;
mod survey;
#[cfg(test)]
mod tests;

use std::path::Path;

use self::carve::Carving;
use self::listing::Listing;
use self::survey::Survey;
use super::loaded::{Loaded, Origin, looked_at};
use super::request::DataRequest;
use super::{DataError, Progress};
use crate::spec::Source;

/// Lists, decodes and splits the images of a framed source.
///
/// # Errors
/// If they cannot be found or read, or asked for more than there is.
pub(super) fn load(
    request: &DataRequest,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, DataError> {
    let listing = list(request)?;
    let survey = Survey::of(&listing, &request.stop)?;
    let frame = survey.frame(&request.framing);
    let skip_unreadable = request.framing.skip_unreadable;
    let decoded = decode::decode(&listing, frame, skip_unreadable, &request.stop, progress)?;
    let carving = Carving {
        validation: request.validation,
        test: request.test,
        train: request.train,
        seed: request.seed,
    };
    let content = decoded.content_hashes(&listing);
    let mut findings = decoded.findings(&listing);
    let split = carve::carve(decoded, &listing, carving)?;
    let origin = Origin::Framed {
        source: request.source,
        dir: listing.root.clone(),
        content,
        settings: split.settings(frame),
    };
    let mut loaded = looked_at(split.dataset, origin)?;
    findings.append(&mut loaded.report.findings);
    loaded.report.findings = findings;
    Ok(loaded)
}

fn list(request: &DataRequest) -> Result<Listing, DataError> {
    let path = request.path.as_deref().unwrap_or(Path::new("."));
    match request.source {
        Source::Cifar => cifar::list(path),
        Source::Npz => npz::list(path),
        Source::Csv => csv::list(path, request.framing.size),
        _ => folder::list(path, request.framing.labels.as_deref()),
    }
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
pub(super) fn has_class_folders(path: &Path) -> bool {
    folder::list(path, None).is_ok()
}
