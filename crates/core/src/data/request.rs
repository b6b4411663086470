//! A request for the data of a study.

use std::path::PathBuf;

use super::fetch::{FetchLimits, MNIST_MIRRORS};
use super::mnist::Places;
use super::splits::SplitSizes;
use super::store::Store;
use crate::spec::{Amount, Fallback, Fit, Size, Source};
use crate::sys::signals::StopFlag;

/// A request for the data of a study.
#[derive(Debug, Clone)]
pub struct DataRequest {
    /// Where the images come from.
    pub source: Source,
    /// The folder of [`Source::Idx`].
    pub path: Option<PathBuf>,
    /// What to do when MNIST can be neither found nor downloaded, and no folder was given for it.
    pub fallback: Fallback,
    /// Images set aside for validation; by default a fifth, at most 5,000.
    pub validation: Option<Amount>,
    /// Images set aside for testing, if the source has no test images.
    pub test: Option<Amount>,
    /// Most images to train on; with folds, most images of all of them together.
    pub train: Option<usize>,
    /// How many folds the images that are not for testing are divided into, instead of setting some aside for
    /// validation.
    pub folds: Option<usize>,
    /// The shape that pictures are brought to.
    pub framing: Framing,
    /// Where decoded images are kept.
    pub store: Store,
    /// The folders in which MNIST is searched for.
    pub places: Places,
    /// Whether MNIST is downloaded when no folder has it, and from where.
    pub download: Download,
    /// Seed of the validation split and of the built-in digits.
    pub seed: u64,
    /// Once it is set, loading ends with [`DataError::Stopped`](super::DataError::Stopped).
    pub stop: StopFlag,
}

impl DataRequest {
    /// MNIST from the default folders or the published mirrors, with 5,000 images for validation and no fallback.
    pub fn mnist(seed: u64) -> Self {
        Self {
            source: Source::Mnist,
            path: None,
            fallback: Fallback::None,
            validation: None,
            test: None,
            train: None,
            folds: None,
            framing: Framing::default(),
            store: Store::memory_alone(),
            places: Places::default_folders(None, |name| std::env::var_os(name)),
            download: Download::published(),
            seed,
            stop: StopFlag::new(),
        }
    }

    /// The built-in digits, 5,000 of them for validation.
    pub fn synthetic(seed: u64) -> Self {
        Self { source: Source::Synthetic, ..Self::mnist(seed) }
    }

    /// The number of images of each split, out of `images` that are not for testing.
    pub(super) fn sizes(&self, images: usize) -> SplitSizes {
        let validation = self.validation.unwrap_or_else(|| Amount::fifth(images, 5000));
        let test = match self.test {
            Some(Amount::Count(count)) => Some(count),
            _ => None,
        };
        let validation = if self.folds.is_some() { 1 } else { validation.of(images) };
        SplitSizes { validation, train: self.train, test }
    }
}

/// The shape that the images of a framed source ([`Source::is_framed`]) are brought to, as far as the study sets it.
#[derive(Debug, Clone, Default)]
pub struct Framing {
    /// Rows and columns.
    pub size: Option<Size>,
    /// How pictures of another shape are brought to it.
    pub fit: Option<Fit>,
    /// 1 or 3.
    pub channels: Option<usize>,
    /// A CSV file that lists picture files with their classes.
    pub labels: Option<PathBuf>,
    /// Whether pictures that cannot be read are left out.
    pub skip_unreadable: bool,
}

/// Whether MNIST may be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Download {
    /// From these base addresses, tried in order.
    From {
        /// Addresses of folders.
        mirrors: Vec<String>,
        /// Limits on time and amount of data.
        limits: FetchLimits,
    },
    /// No.
    Never,
}

impl Download {
    /// From the published mirrors.
    pub fn published() -> Self {
        Self::From {
            mirrors: MNIST_MIRRORS.map(str::to_owned).to_vec(),
            limits: FetchLimits::default(),
        }
    }
}
