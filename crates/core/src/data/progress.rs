//! Progress of loading data.

/// A step of finding, downloading, reading or drawing data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A file is being downloaded.
    Downloading {
        /// Its published name.
        file: &'a str,
        /// The address it comes from.
        url: &'a str,
        /// Bytes so far.
        received: u64,
        /// Bytes in all, if the server declares it.
        total: Option<u64>,
    },
    /// A mirror did not deliver; the next one is tried, if there is one.
    MirrorFailed {
        /// The address.
        url: &'a str,
        /// What went wrong.
        reason: &'a str,
    },
    /// MNIST can be neither found nor downloaded, so the built-in digits replace it.
    FellBack {
        /// Why.
        reason: &'a str,
    },
    /// MNIST is read from another folder than the one that the study names.
    PathPassedOver {
        /// The folder that the study names.
        path: &'a std::path::Path,
        /// The folder that `--data` or `BURGEON_DATA` names.
        named: &'a std::path::Path,
    },
    /// A folder was given for MNIST, but the study has another source.
    FolderPassedOver {
        /// The folder that `--data` or `BURGEON_DATA` names.
        named: &'a std::path::Path,
        /// The source of the study.
        source: crate::spec::Source,
        /// What is read instead; `None` for a source that reads no files.
        path: Option<&'a std::path::Path>,
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
