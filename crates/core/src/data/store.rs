//! Where decoded images may be kept, and how much memory they may use.

use std::path::PathBuf;

use super::DataError;
use super::cache::{Cache, default_folder};
use crate::spec::Bytes;
use crate::sys::memory::total_bytes;

/// Where decoded images are kept.
#[derive(Debug, Clone)]
pub struct Store {
    /// The folder of the cache; `None` keeps images in memory.
    pub folder: Option<PathBuf>,
    /// Most bytes of images in memory.
    pub memory: u64,
}

/// The limit if the machine's memory is not known.
const MEMORY_UNLESS_KNOWN: u64 = 4 << 30;

/// Smallest limit; with less, not even a single large picture could be held.
const MEMORY_MIN: u64 = 1 << 20;

impl Store {
    /// Keeps all images in memory.
    pub fn memory_alone() -> Self {
        Self { folder: None, memory: u64::MAX }
    }

    /// The settings of a study. Default: the folder `BURGEON_CACHE`, or else the default folder, and half of the machine's
    /// memory.
    pub fn of(folder: Option<PathBuf>, memory: Option<Bytes>) -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = folder.or_else(|| variable("BURGEON_CACHE").map(PathBuf::from));
        let folder = folder.or_else(|| default_folder(|name| std::env::var_os(name)));
        let half = || total_bytes().map_or(MEMORY_UNLESS_KNOWN, |bytes| bytes / 2);
        Self { folder, memory: memory.map_or_else(half, |bytes| bytes.0).max(MEMORY_MIN) }
    }

    /// The cache; `None` if there is no folder for one.
    ///
    /// # Errors
    /// If its folder cannot be created.
    pub fn cache(&self) -> Result<Option<Cache>, DataError> {
        self.folder.as_ref().map(|folder| Cache::in_folder(folder, self.memory)).transpose()
    }

    pub(super) fn too_large(bytes: u64, memory: u64) -> DataError {
        DataError::Request {
            problem: format!(
                "images of {bytes} bytes do not fit into the {} that data.memory allows, and no cache can be written: set data.cache or BURGEON_CACHE to a folder with free space, raise data.memory, or use a smaller data.size",
                Bytes(memory)
            ),
        }
    }
}
