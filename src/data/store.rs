//! Where decoded images may be kept, and how much memory they may take.

use std::path::PathBuf;

use super::DataError;
use super::cache::{Cache, usual_folder};
use crate::spec::Bytes;
use crate::sys::memory::total_bytes;

/// Where decoded images are kept.
#[derive(Debug, Clone)]
pub struct Store {
    /// The folder of the cache; `None` keeps images in memory.
    pub folder: Option<PathBuf>,
    /// Bytes that images may take in memory.
    pub memory: u64,
}

/// Where the machine does not tell.
const MEMORY_UNLESS_KNOWN: u64 = 4 << 30;

/// Less than this holds no picture of the largest size, so that nothing is gained by it.
const MEMORY_MIN: u64 = 1 << 20;

impl Store {
    /// Images are kept in memory, which may hold all of them.
    pub fn memory_alone() -> Self {
        Self { folder: None, memory: u64::MAX }
    }

    /// As a study says; else `BURGEON_CACHE`, else the usual folder, and half of the machine's memory.
    pub fn of(folder: Option<PathBuf>, memory: Option<Bytes>) -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = folder.or_else(|| variable("BURGEON_CACHE").map(PathBuf::from));
        let folder = folder.or_else(|| usual_folder(|name| std::env::var_os(name)));
        let half = || total_bytes().map_or(MEMORY_UNLESS_KNOWN, |bytes| bytes / 2);
        Self { folder, memory: memory.map_or_else(half, |bytes| bytes.0).max(MEMORY_MIN) }
    }

    /// The cache; `None` where there is no folder for one.
    ///
    /// # Errors
    /// If its folder cannot be made.
    pub fn cache(&self) -> Result<Option<Cache>, DataError> {
        self.folder.as_ref().map(|folder| Cache::in_folder(folder, self.memory)).transpose()
    }

    pub(super) fn too_large(bytes: u64, memory: u64) -> DataError {
        DataError::Request {
            problem: format!(
                "images of {bytes} bytes do not fit into the {} that data.memory allows, and no cache can be written: name a folder with room by data.cache or BURGEON_CACHE, raise data.memory, or use a smaller data.size",
                Bytes(memory)
            ),
        }
    }
}
