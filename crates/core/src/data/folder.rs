//! Finds and reads the four IDX files of a data set in a folder.
//!
//! Accepted, in this order: `train-images-idx3-ubyte`, the same with `.idx3-ubyte` for `-idx3-ubyte`, each of them with
//! `.gz`, and likewise `train-labels-idx1-ubyte`, `t10k-images-…` and `t10k-labels-…`. Failing that, the one file whose
//! name contains `train` (or `t10k` or `test`), `images` (or `labels`) and `idx3` (or `idx1`), as in EMNIST's
//! `emnist-digits-train-images-idx3-ubyte.gz`. Hidden files, such as the `._…` files that macOS leaves beside others, are
//! ignored.

use std::fs;
use std::path::{Path, PathBuf};

use super::idx::{Checks, FileDigest, IdxImages, IdxLabels, Room, read_images_within, read_labels};
use super::splits::shape_words;
use super::{DataError, Images, Store};
use crate::sys::spread::run_in_pool;

/// One of the four files of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Images to learn from.
    TrainImages,
    /// Their classes.
    TrainLabels,
    /// Images to test with.
    TestImages,
    /// Their classes.
    TestLabels,
}

impl Part {
    /// All four, in the order in which they are read and recorded.
    pub const ALL: [Self; 4] =
        [Self::TrainImages, Self::TrainLabels, Self::TestImages, Self::TestLabels];

    /// MNIST's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }

    /// What it holds, such as `train-labels`.
    pub fn role(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images",
            Self::TrainLabels => "train-labels",
            Self::TestImages => "test-images",
            Self::TestLabels => "test-labels",
        }
    }

    /// Which of the four a file of this name is.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.fits(name))
    }

    fn spellings(self) -> [String; 4] {
        let name = self.name();
        let dotted = name.replace("-idx", ".idx");
        [name.to_owned(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")]
    }

    fn fits(self, name: &str) -> bool {
        if name.starts_with('.') {
            return false;
        }
        let name = name.to_ascii_lowercase();
        let (content, rank) = match self {
            Self::TrainImages | Self::TestImages => ("images", "idx3"),
            Self::TrainLabels | Self::TestLabels => ("labels", "idx1"),
        };
        let split = match self {
            Self::TrainImages | Self::TrainLabels => name.contains("train"),
            Self::TestImages | Self::TestLabels => name.contains("t10k") || name.contains("test"),
        };
        split && name.contains(content) && name.contains(rank)
    }
}

/// The paths of the files of a data set, by [`Part::ALL`].
pub type Paths = [PathBuf; 4];

/// What the four files hold.
#[derive(Debug, Clone)]
pub struct FolderContent {
    /// The training file.
    pub train: Images,
    /// The test file.
    pub test: Images,
    /// What was read, by [`Part::ALL`].
    pub files: Vec<FileDigest>,
}

/// The path of a file of a data set, if the folder has it under one of MNIST's own names.
pub fn published_name(dir: &Path, part: Part) -> Option<PathBuf> {
    spellings_in(dir, part).find(|path| path.is_file())
}

/// Every path under which [`published_name`] would find a file.
pub(super) fn spellings_in(dir: &Path, part: Part) -> impl Iterator<Item = PathBuf> {
    part.spellings().into_iter().map(|name| dir.join(name))
}

/// Finds all four files under MNIST's own names.
///
/// # Errors
/// If the folder lacks one of them.
pub fn find_published(dir: &Path) -> Result<Paths, DataError> {
    let [a, b, c, d] =
        Part::ALL.map(|part| published_name(dir, part).ok_or_else(|| missing(dir, part)));
    Ok([a?, b?, c?, d?])
}

fn missing(dir: &Path, part: Part) -> DataError {
    DataError::MissingFile { dir: dir.to_owned(), wanted: format!("{0} or {0}.gz", part.name()) }
}

/// Finds all four files of any data set: in the folder, or, where it has none of them, in the one of
/// [`LAYOUTS`] that has some.
///
/// # Errors
/// If the folder cannot be read, lacks one of the files, or has several that match.
pub fn find(dir: &Path) -> Result<Paths, DataError> {
    let names = fitting_names(dir)?;
    if !names.is_empty() {
        return find_among(dir, &names);
    }
    let mut found = Vec::new();
    for layout in LAYOUTS {
        let below = dir.join(layout);
        if below.is_dir() {
            let names = fitting_names(&below)?;
            // On some disks `mnist` and `MNIST` are one folder.
            let is_new = |(seen, _): &(PathBuf, _)| !is_same_folder(seen, &below);
            if !names.is_empty() && found.iter().all(is_new) {
                found.push((below, names));
            }
        }
    }
    match found.as_slice() {
        [] => Err(DataError::MissingFile {
            dir: dir.to_owned(),
            wanted: format!(
                "{0} or {0}.gz, nor has any of its folders {1}",
                Part::TrainImages.name(),
                LAYOUTS.join(", ")
            ),
        }),
        [(below, names)] => find_among(below, names),
        [(first, _), (second, _), ..] => Err(DataError::Ambiguous {
            dir: dir.to_owned(),
            first: first.display().to_string(),
            second: second.display().to_string(),
        }),
    }
}

/// Subfolders in which torchvision and others store data sets.
pub const LAYOUTS: [&str; 6] =
    ["MNIST/raw", "raw", "mnist", "MNIST", "FashionMNIST/raw", "KMNIST/raw"];

/// Those of [`LAYOUTS`] that may hold MNIST itself; the others have other images under the same names.
pub const MNIST_LAYOUTS: [&str; 4] = ["MNIST/raw", "raw", "mnist", "MNIST"];

fn is_same_folder(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// The names of the files that are one of the four, sorted.
fn fitting_names(dir: &Path) -> Result<Vec<String>, DataError> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(dir).map_err(DataError::read(dir))? {
        let entry = entry.map_err(DataError::read(dir))?;
        let name = entry.file_name().into_string().ok();
        let fits = |name: &String| Part::of_name(name).is_some() && entry.path().is_file();
        names.extend(name.filter(fits));
    }
    names.sort_unstable();
    Ok(names)
}

fn find_among(dir: &Path, names: &[String]) -> Result<Paths, DataError> {
    let [a, b, c, d] = Part::ALL.map(|part| find_part(dir, names, part));
    Ok([a?, b?, c?, d?])
}

fn find_part(dir: &Path, names: &[String], part: Part) -> Result<PathBuf, DataError> {
    if let Some(name) = part.spellings().iter().find(|name| names.contains(name)) {
        return Ok(dir.join(name));
    }
    let mut fitting = names.iter().filter(|name| part.fits(name));
    match (fitting.next(), fitting.next()) {
        (Some(name), None) => Ok(dir.join(name)),
        (Some(first), Some(second)) => Err(DataError::Ambiguous {
            dir: dir.to_owned(),
            first: first.clone(),
            second: second.clone(),
        }),
        (None, _) => Err(missing(dir, part)),
    }
}

/// Reads and verifies the four files, two at a time.
///
/// `sha256` holds the hashes that their decompressed contents must have, by [`Part::ALL`], if they are known. Images that
/// do not fit into the memory of `store` are in a file that is mapped.
///
/// # Errors
/// If a file fails its checks, or the files disagree about counts or image size.
pub fn read(
    paths: &Paths,
    sha256: Option<&[&str; 4]>,
    store: &Store,
) -> Result<FolderContent, DataError> {
    let room = &Room::of(store);
    let checks =
        |part: usize| Checks { sha256: sha256.map(|hashes| hashes[part]), ..Checks::default() };
    let rest = || {
        let train_labels = read_labels(&paths[1], checks(1))?;
        let test_images = read_images_within(&paths[2], checks(2), room)?;
        Ok::<_, DataError>((train_labels, test_images, read_labels(&paths[3], checks(3))?))
    };
    let (train_images, rest) =
        run_in_pool(|| rayon::join(|| read_images_within(&paths[0], checks(0), room), rest));
    let (train_images, (train_labels, test_images, test_labels)) = (train_images?, rest?);
    let shape = |images: &IdxImages| [images.channels, images.height, images.width];
    if shape(&train_images) != shape(&test_images) {
        return Err(DataError::malformed(
            &paths[2],
            format!(
                "its images are {}, but those of {} are {}",
                shape_words(shape(&test_images)),
                paths[0].display(),
                shape_words(shape(&train_images))
            ),
        ));
    }
    let (train, [a, b]) = join(train_images, train_labels)?;
    let (test, [c, d]) = join(test_images, test_labels)?;
    Ok(FolderContent { train, test, files: vec![a, b, c, d] })
}

fn join(images: IdxImages, labels: IdxLabels) -> Result<(Images, [FileDigest; 2]), DataError> {
    if images.count != labels.labels.len() {
        let problem = format!(
            "it has {} labels, but {} has {} images",
            labels.labels.len(),
            images.file.path.display(),
            images.count
        );
        return Err(DataError::malformed(&labels.file.path, problem));
    }
    let shape = [images.channels, images.height, images.width];
    let joined = Images::of_pixels(images.pixels, (&*labels.labels).into(), shape)?;
    Ok((joined, [images.file, labels.file]))
}
