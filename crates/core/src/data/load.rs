//! Loads data: turns a request that names a source into a split data set and the record of its origin.

use std::path::{Path, PathBuf};

use super::fetch::fetch_while;
use super::folder::{self, FolderContent};
use super::loaded::{Loaded, Origin, examined};
use super::look::seen_classes;
use super::mnist::{self, CONTENT_SHA256, Search};
use super::request::{DataRequest, Download};
use super::splits::{carve, carve_folds};
use super::synthetic::{self, GENERATOR_VERSION};
use super::{DataError, Dataset, Images, Progress, Split, framed};
use crate::spec::{Fallback, Source};

/// Finds, downloads or draws the images, splits them, and examines the result.
///
/// # Errors
/// If a file is missing or wrong, the request asks for more images than there are, MNIST is not in the folder that was
/// given for it, or cannot be found or downloaded and there is no fallback, or nothing can be learned from the images, as
/// [`DataReport::refusal`](super::DataReport::refusal) says.
pub fn load(
    request: &DataRequest,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, DataError> {
    if let Some(path) = request.path.as_deref().filter(|_| request.source != Source::Mnist)
        && path.try_exists().is_ok_and(|exists| !exists)
    {
        return Err(DataError::NoSuchPath { path: path.to_owned() });
    }
    match &request.source {
        Source::Mnist => load_mnist(request, progress),
        Source::Idx => load_idx(request, request.path.as_deref().unwrap_or(Path::new("."))),
        Source::Own => {
            let problem = "the images come from the program that ran the study (`source = \"own\"`): only that program can provide them, with `Launch::data`";
            Err(DataError::Request { problem: problem.into() })
        }
        Source::Folder | Source::Cifar | Source::Npz | Source::Csv => {
            framed::load(request, progress)
        }
        Source::Synthetic => draw(request, None, progress),
    }
}

fn load_mnist(
    request: &DataRequest,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, DataError> {
    let searched = match mnist::search_within(&request.places, &request.store)? {
        Search::Found { dir, content } => return split_mnist(request, dir, content, Vec::new()),
        Search::Absent { searched } => searched.join(", "),
    };
    let failure = match fetch_mnist(request, progress) {
        Ok((dir, fetched_from)) => {
            let content = mnist::read_within(&dir, &request.store)?;
            return split_mnist(request, dir, content, fetched_from);
        }
        // A download that a stop interrupted must not lead to training on something else.
        Err(_) if request.stop.requested().is_some() => return Err(DataError::Stopped),
        Err(failure) => failure,
    };
    match request.fallback {
        Fallback::Synthetic => {
            let reason = format!("MNIST is not in {searched}; {failure}");
            progress(Progress::FellBack { reason: &reason });
            draw(request, Some(reason), progress)
        }
        Fallback::None => Err(DataError::NotFound {
            searched,
            remedy: format!(
                "{failure}; put its four files into one of these folders, or set `fallback = \"synthetic\"` in [data] to use the built-in digits"
            ),
        }),
    }
}

/// Downloads MNIST into the cache folder; the error says why that failed.
fn fetch_mnist(
    request: &DataRequest,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(PathBuf, Vec<String>), String> {
    let Download::From { mirrors, limits } = &request.download else {
        return Err("downloads are switched off".to_owned());
    };
    let Some(cache) = &request.places.cache else {
        return Err(
            "there is no cache folder to download into (neither XDG_CACHE_HOME nor HOME is set)"
                .to_owned(),
        );
    };
    let keep_going = || request.stop.requested().is_none();
    let fetched = fetch_while(cache, mirrors, &CONTENT_SHA256, *limits, progress, &keep_going);
    fetched.map(|addresses| (cache.clone(), addresses)).map_err(|error| error.chain())
}

fn split_mnist(
    request: &DataRequest,
    dir: PathBuf,
    content: FolderContent,
    fetched_from: Vec<String>,
) -> Result<Loaded, DataError> {
    let origin = Origin::Mnist { dir, files: content.files, fetched_from };
    examined(split(request, content.train, content.test, 10)?, origin)
}

/// Splits a training file and a test file as the request says.
fn split(
    request: &DataRequest,
    train: Images,
    test: Images,
    classes: usize,
) -> Result<Dataset, DataError> {
    let sizes = request.sizes(train.count());
    match request.folds {
        None => {
            let [train, validation, test] = carve(train, test, sizes, request.seed)?;
            Dataset::new(train, validation, test, classes)
        }
        Some(folds) => {
            let (folds, test) = carve_folds(train, test, sizes, folds, request.seed)?;
            Dataset::of_folds(folds, test, classes)
        }
    }
}

fn load_idx(request: &DataRequest, dir: &Path) -> Result<Loaded, DataError> {
    let paths = folder::find(dir)?;
    let content = folder::read(&paths, None, &request.store)?;
    let dir = paths[0].parent().unwrap_or(dir);
    let classes = seen_classes(&paths, &content.train, &content.test)?;
    let origin = Origin::Idx { dir: dir.to_owned(), files: content.files };
    let dataset = split(request, content.train, content.test, classes)?;
    let dataset = match class_names(&dir.join(CLASSES_FILE), classes)? {
        Some(names) => dataset.named(names)?,
        None => dataset,
    };
    examined(dataset, origin)
}

/// An optional file beside IDX files, with the name of a class on each line.
const CLASSES_FILE: &str = "classes.txt";

/// The names in a file of classes; `None` if there is no such file.
fn class_names(path: &Path, classes: usize) -> Result<Option<Vec<String>>, DataError> {
    const BYTES_MAX: u64 = 16 << 20;
    let Ok(metadata) = path.metadata() else {
        return Ok(None);
    };
    if metadata.len() > BYTES_MAX {
        return Err(DataError::malformed(path, "it is too large for a list of classes"));
    }
    let text = std::fs::read_to_string(path).map_err(DataError::read(path))?;
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if names.len() < classes {
        let problem =
            format!("it names {} classes, but the labels go up to {}", names.len(), classes - 1);
        return Err(DataError::malformed(path, problem));
    }
    Ok(Some(names.into_iter().take(classes).collect()))
}

/// As many built-in digits as MNIST has images, unless limited. Each split has its own random stream, so that limiting one
/// does not change another.
fn draw(
    request: &DataRequest,
    fallback_reason: Option<String>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, DataError> {
    const TRAIN_LEN: usize = 60_000;
    const TEST_LEN: usize = 10_000;
    let sizes = request.sizes(TRAIN_LEN).checked(TRAIN_LEN)?;
    // Folds divide the digits of the training stream.
    let set_aside = if request.folds.is_some() { 0 } else { sizes.validation };
    let counts = [
        (Split::Train, sizes.train.unwrap_or(TRAIN_LEN).min(TRAIN_LEN - set_aside)),
        (Split::Validation, set_aside),
        (Split::Test, sizes.test.unwrap_or(TEST_LEN).min(TEST_LEN)),
    ];
    let total = counts.iter().map(|(_, count)| count).sum();
    let mut before = 0;
    let [train, validation, test] = counts.map(|(split, count)| {
        let images = synthetic::digits_while(split, count, request.seed, |done| {
            progress(Progress::Drawing { done: before + done, total });
            request.stop.requested().is_none()
        });
        before += count;
        images.ok_or(DataError::Stopped)
    });
    let (train, validation, test) = (train?, validation?, test?);
    let origin =
        Origin::Synthetic { generator: GENERATOR_VERSION, seed: request.seed, fallback_reason };
    let dataset = match request.folds {
        None => Dataset::new(train, validation, test, synthetic::CLASSES)?,
        Some(_) => split(request, train, test, synthetic::CLASSES)?,
    };
    examined(dataset, origin)
}
