//! What long data work tells whoever waits for it.

/// One step of finding, fetching or drawing data. Nothing here must be shown; everything may be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A file is on its way.
    Downloading {
        /// Its published name.
        file: &'a str,
        /// The address it comes from.
        url: &'a str,
        /// Bytes so far.
        received: u64,
        /// Bytes in all, if the server said so.
        total: Option<u64>,
    },
    /// A mirror did not deliver; the next one is tried, if there is one.
    MirrorFailed {
        /// The address.
        url: &'a str,
        /// What went wrong.
        reason: &'a str,
    },
    /// MNIST can neither be found nor fetched, and the built-in digits take its place.
    FellBack {
        /// Why.
        reason: &'a str,
    },
    /// Another folder is read than the one that the study names.
    PathPassedOver {
        /// The study's.
        path: &'a std::path::Path,
        /// The one that `--data` or `BURGEON_DATA` names.
        named: &'a std::path::Path,
    },
    /// Decoded images cannot be kept on disk, and are held in memory.
    NotCached {
        /// Why.
        reason: &'a str,
    },
    /// Pictures are being read.
    Reading {
        /// Pictures so far.
        done: usize,
        /// Pictures in all.
        total: usize,
    },
    /// Built-in digits are being drawn.
    Drawing {
        /// Digits so far, over all splits.
        done: usize,
        /// Digits in all.
        total: usize,
    },
}
