//! The one way in: a request names a source, and what comes back is a split data set and the record of its origin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::fetch::{FetchLimits, MNIST_MIRRORS, fetch_while};
use super::folder::{self, FolderContent};
use super::idx::FileDigest;
use super::look::{DataReport, seen_classes};
use super::mnist::{self, CONTENT_SHA256, Places, Search};
use super::splits::{SplitSizes, carve};
use super::synthetic::{self, GENERATOR_VERSION};
use super::{DataError, Dataset, Progress, Split, Subset, framed};
use crate::spec::{Amount, DataSpec, Fallback, Fit, Size, Source};
use crate::sys::signals::StopFlag;

/// What data a study asks for.
#[derive(Debug, Clone)]
pub struct DataRequest {
    /// Where the images come from.
    pub source: Source,
    /// The folder of [`Source::Idx`].
    pub path: Option<PathBuf>,
    /// What to do when MNIST can neither be found nor fetched, and no folder was named for it.
    pub fallback: Fallback,
    /// Images set aside for validation; unless said, a fifth, at most 5,000.
    pub validation: Option<Amount>,
    /// Images set aside for testing, where the source has none.
    pub test: Option<Amount>,
    /// At most so many images to train on.
    pub train: Option<usize>,
    /// What pictures are brought to.
    pub framing: Framing,
    /// Where MNIST may lie.
    pub places: Places,
    /// Whether and whence MNIST is fetched when no place has it.
    pub download: Download,
    /// Decides which images validate, and what the built-in digits look like.
    pub seed: u64,
    /// Once raised, downloading and drawing end with [`DataError::Stopped`].
    pub stop: StopFlag,
}

impl DataRequest {
    /// MNIST from the usual places or the usual mirrors, 5,000 images for validation, no fallback.
    pub fn mnist(seed: u64) -> Self {
        Self {
            source: Source::Mnist,
            path: None,
            fallback: Fallback::None,
            validation: None,
            test: None,
            train: None,
            framing: Framing::default(),
            places: Places::usual(None, |name| std::env::var_os(name)),
            download: Download::usual(),
            seed,
            stop: StopFlag::new(),
        }
    }

    /// The built-in digits, 5,000 of them for validation.
    pub fn synthetic(seed: u64) -> Self {
        Self { source: Source::Synthetic, ..Self::mnist(seed) }
    }

    /// How many images each split gets, of so many that are not for testing.
    fn sizes(&self, images: usize) -> SplitSizes {
        let validation = self.validation.unwrap_or_else(|| Amount::fifth(images, 5000));
        let test = match self.test {
            Some(Amount::Count(count)) => Some(count),
            _ => None,
        };
        SplitSizes { validation: validation.of(images), train: self.train, test }
    }
}

/// What the images of a framed source ([`Source::is_framed`]) are brought to, as far as a study says.
#[derive(Debug, Clone, Default)]
pub struct Framing {
    /// Rows and columns.
    pub size: Option<Size>,
    /// How pictures of another shape are brought to it.
    pub fit: Option<Fit>,
    /// 1 or 3.
    pub channels: Option<usize>,
    /// A list of picture files with their classes.
    pub labels: Option<PathBuf>,
    /// Whether pictures that cannot be read are left out.
    pub skip_unreadable: bool,
}

/// What was chosen for a framed source where the study says nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FramedSettings {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 or 3.
    pub channels: usize,
    /// How pictures of another shape are brought to it.
    pub fit: Fit,
    /// Images that were set aside for validation; `None` where the source has some.
    pub validation: Option<Amount>,
    /// Images that were set aside for testing; `None` where the source has some.
    pub test: Option<Amount>,
}

/// Whether MNIST may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Download {
    /// From these base addresses, tried in order.
    From {
        /// Addresses of folders.
        mirrors: Vec<String>,
        /// How much and how long a server may take.
        limits: FetchLimits,
    },
    /// No.
    Never,
}

impl Download {
    /// From the published mirrors.
    pub fn usual() -> Self {
        Self::From {
            mirrors: MNIST_MIRRORS.map(str::to_owned).to_vec(),
            limits: FetchLimits::default(),
        }
    }
}

/// Data, and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The split images.
    pub dataset: Dataset,
    /// What a look at them showed.
    pub report: DataReport,
    /// For the record.
    pub origin: Origin,
}

/// Where data came from, with what proves it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Origin {
    /// The MNIST database, verified.
    Mnist {
        /// The folder it was read from.
        dir: PathBuf,
        /// The four files.
        files: Vec<FileDigest>,
        /// The addresses it was just fetched from; empty if it was there already.
        fetched_from: Vec<String>,
    },
    /// A folder of IDX files.
    Idx {
        /// The folder with the IDX files.
        dir: PathBuf,
        /// The four files.
        files: Vec<FileDigest>,
    },
    /// A folder or file whose images are brought to one size.
    #[serde(rename = "framed")]
    Framed {
        /// Its form.
        #[serde(rename = "form")]
        source: Source,
        /// The folder or file.
        dir: PathBuf,
        /// SHA-256 of the images and classes of each of its parts, by name.
        content: BTreeMap<String, String>,
        /// What was chosen.
        settings: FramedSettings,
    },
    /// The built-in digits.
    Synthetic {
        /// [`GENERATOR_VERSION`].
        generator: u32,
        /// The seed they were drawn from.
        seed: u64,
        /// Why they stand in for MNIST; `None` if they were asked for.
        fallback_reason: Option<String>,
    },
}

impl Origin {
    /// The folder that was read; `None` for images that were drawn.
    pub fn dir(&self) -> Option<&Path> {
        match self {
            Self::Mnist { dir, .. } | Self::Idx { dir, .. } | Self::Framed { dir, .. } => Some(dir),
            Self::Synthetic { .. } => None,
        }
    }

    /// The files that were read, by [`Part::ALL`](folder::Part::ALL).
    pub fn files(&self) -> &[FileDigest] {
        match self {
            Self::Mnist { files, .. } | Self::Idx { files, .. } => files,
            Self::Framed { .. } | Self::Synthetic { .. } => &[],
        }
    }

    /// Writes into `[data]` what was chosen where it says nothing, so that a run can keep it.
    pub fn record_in(&self, data: &mut DataSpec, validation: usize) {
        let Self::Framed { settings, .. } = self else {
            data.validation.get_or_insert(Amount::Count(validation));
            return;
        };
        let FramedSettings { height, width, channels, fit, validation, test } = *settings;
        data.size = Some(Size { height, width });
        data.fit = Some(fit);
        data.channels = Some(channels);
        data.validation = validation;
        data.test = test;
    }

    /// Why the built-in digits stand in for MNIST, if they do.
    pub fn fallback_reason(&self) -> Option<&str> {
        match self {
            Self::Synthetic { fallback_reason, .. } => fallback_reason.as_deref(),
            Self::Mnist { .. } | Self::Idx { .. } | Self::Framed { .. } => None,
        }
    }
}

/// Finds, fetches or draws the images, splits them, and looks at what came of it.
///
/// # Errors
/// If a file is missing or wrong, the request asks for more images than there are, MNIST is not in the folder that was
/// named for it, or is nowhere to be had and there is no fallback, or nothing can be learned from the images, as
/// [`DataReport::refusal`] says.
pub fn load(
    request: &DataRequest,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, DataError> {
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
    let searched = match mnist::search(&request.places)? {
        Search::Found { dir, content } => return split_mnist(request, dir, content, Vec::new()),
        Search::Absent { searched } => searched.join(", "),
    };
    let failure = match fetch_mnist(request, progress) {
        Ok((dir, fetched_from)) => {
            let content = mnist::read(&dir)?;
            return split_mnist(request, dir, content, fetched_from);
        }
        // What a stop cut short is no reason to train on something else.
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
                "{failure}; put its four files into one of these folders, or allow the built-in digits"
            ),
        }),
    }
}

/// Fetches MNIST into the cache; failing that, says why.
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
    let go_on = || request.stop.requested().is_none();
    let fetched = fetch_while(cache, mirrors, &CONTENT_SHA256, *limits, progress, &go_on);
    fetched.map(|addresses| (cache.clone(), addresses)).map_err(|error| error.chain())
}

fn split_mnist(
    request: &DataRequest,
    dir: PathBuf,
    content: FolderContent,
    fetched_from: Vec<String>,
) -> Result<Loaded, DataError> {
    let sizes = request.sizes(content.train.count());
    let [train, validation, test] = carve(content.train, content.test, sizes, request.seed)?;
    let origin = Origin::Mnist { dir, files: content.files, fetched_from };
    looked_at(Dataset::new(train, validation, test, 10)?, origin)
}

fn load_idx(request: &DataRequest, dir: &Path) -> Result<Loaded, DataError> {
    let paths = folder::find(dir)?;
    let content = folder::read(&paths, None)?;
    let dir = paths[0].parent().unwrap_or(dir);
    let classes = seen_classes(&paths, &content.train, &content.test)?;
    let sizes = request.sizes(content.train.count());
    let [train, validation, test] = carve(content.train, content.test, sizes, request.seed)?;
    let origin = Origin::Idx { dir: dir.to_owned(), files: content.files };
    let dataset = Dataset::new(train, validation, test, classes)?;
    let dataset = match class_names(&dir.join(CLASSES_FILE), classes)? {
        Some(names) => dataset.named(names)?,
        None => dataset,
    };
    looked_at(dataset, origin)
}

/// May stand beside IDX files, with the name of a class on each line.
const CLASSES_FILE: &str = "classes.txt";

/// The names in a file of classes; `None` where there is none.
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

/// Refuses images that nothing can be learned from.
pub(super) fn looked_at(dataset: Dataset, origin: Origin) -> Result<Loaded, DataError> {
    let report = DataReport::of(&dataset);
    match report.refusal(&dataset.classes) {
        None => Ok(Loaded { dataset, report, origin }),
        Some(problem) => {
            Err(DataError::Unfit { dir: origin.dir().unwrap_or(Path::new("")).to_owned(), problem })
        }
    }
}

/// As many built-in digits as MNIST has images, unless limited. Each split is drawn from a stream of its own, so no
/// limit on one changes another.
fn draw(
    request: &DataRequest,
    fallback_reason: Option<String>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, DataError> {
    const TRAIN_LEN: usize = 60_000;
    const TEST_LEN: usize = 10_000;
    let sizes = request.sizes(TRAIN_LEN).checked(TRAIN_LEN)?;
    let counts = [
        (Split::Train, sizes.train.unwrap_or(TRAIN_LEN).min(TRAIN_LEN - sizes.validation)),
        (Split::Validation, sizes.validation),
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
        images.map(Subset::all).ok_or(DataError::Stopped)
    });
    let (train, validation, test) = (train?, validation?, test?);
    let origin =
        Origin::Synthetic { generator: GENERATOR_VERSION, seed: request.seed, fallback_reason };
    looked_at(Dataset::new(train, validation, test, synthetic::CLASSES)?, origin)
}
