//! Finds the images for a study that a program was converted into.

use std::path::{Path, PathBuf};

use super::contained::DATA;
use super::study;
use crate::spec::{DataSpec, Size, Source};

/// Finds the images of a study that a program was converted into: a path below `given`, the repository's `data`, or
/// `None` where the study itself or burgeon's search for MNIST finds them. `data` is changed to the kind of images
/// found, and loses its path unless the study's own path is used. The error says why no images were found.
pub(super) fn find_data(
    data: &mut DataSpec,
    [channels, height, width]: [usize; 3],
    checkout: &Path,
    given: Option<&Path>,
) -> Result<Option<PathBuf>, &'static str> {
    if let Some(path) = &data.path
        && let Some(inside) = study::inside(Path::new(""), path)
        && checkout.join(inside).exists()
    {
        return Ok(None);
    }
    let Some(given) = given else {
        // burgeon finds MNIST without a path.
        return match (data.source, &data.path) {
            (Source::Mnist, None) => Ok(None),
            _ => Err(
                "its images are not in the repository; set `data` of the repository in server.toml to their folder",
            ),
        };
    };
    // The program may name the folder by its path in a container or on this machine.
    let named = data.path.take();
    let below = named.iter().find_map(|path| {
        let rest = path.strip_prefix(DATA).or_else(|_| path.strip_prefix(given)).ok()?;
        study::inside(Path::new(""), rest).filter(|rest| given.join(rest).exists())
    });
    let below = below.unwrap_or_default();
    // Only `data` itself is passed as `--data`, which is where MNIST is searched for.
    let is_mnist = data.source == Source::Mnist && below.as_os_str().is_empty();
    let Some((source, file)) = source_in(&given.join(&below), is_mnist) else {
        return Err(
            "the folder set as `data` of the repository contains no images in a format that burgeon reads (docs/formats.md)",
        );
    };
    data.source = source;
    let is_framed = !matches!(source, Source::Mnist | Source::Idx);
    data.size = is_framed.then_some(Size { height, width });
    data.channels = is_framed.then_some(channels).filter(|channels| [1, 3].contains(channels));
    // MNIST is found through `--data`.
    Ok((source != Source::Mnist).then(|| joined(&below, &file)))
}

/// A folder joined with a path below it, which may be empty.
pub(super) fn joined(folder: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { folder.into() } else { folder.join(below) }
}

/// The kind of data set in a folder, and the name of its file if it is a single one. IDX files count as MNIST if
/// `is_mnist` is set.
fn source_in(folder: &Path, is_mnist: bool) -> Option<(Source, PathBuf)> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .take(10_000)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let begins = |start: &str| names.iter().any(|name| name.starts_with(start));
    let ends = |end: &str| names.iter().find(|name| name.ends_with(end));
    let here = |source| Some((source, PathBuf::new()));
    if begins("train-images") {
        return here(if is_mnist { Source::Mnist } else { Source::Idx });
    }
    if begins("data_batch_") || begins("cifar-10") {
        return here(Source::Cifar);
    }
    if let Some(file) = ends(".npz") {
        return Some((Source::Npz, file.into()));
    }
    if ends(".csv").is_some() {
        return here(Source::Csv);
    }
    names.iter().any(|name| folder.join(name).is_dir()).then_some((Source::Folder, PathBuf::new()))
}

#[cfg(test)]
mod tests;
