//! What a study asks of its data.

use std::path::PathBuf;

use super::fetch::{FetchLimits, MNIST_MIRRORS};
use super::mnist::Places;
use super::splits::SplitSizes;
use super::store::Store;
use crate::spec::{Amount, Fallback, Fit, Size, Source};
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
    /// Where decoded images are kept.
    pub store: Store,
    /// Where MNIST may lie.
    pub places: Places,
    /// Whether and whence MNIST is fetched when no place has it.
    pub download: Download,
    /// Decides which images validate, and what the built-in digits look like.
    pub seed: u64,
    /// Once raised, downloading and drawing end with [`DataError::Stopped`](super::DataError::Stopped).
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
            store: Store::memory_alone(),
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
    pub(super) fn sizes(&self, images: usize) -> SplitSizes {
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
