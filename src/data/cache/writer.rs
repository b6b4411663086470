//! Writes a cache file, block by block.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::index::{BLOCK_LEN, Index, PAGE, VERSION};
use super::kept::{Cache, partial_path};
use crate::data::DataError;
use crate::data::pixels::MappedPixels;
use crate::sys::files::{
    FileError, Files, LEFTOVER_WRITE, Operation, WritableFile, WriteMode, free_space,
};
use crate::sys::mapped::MappedFile;
use crate::sys::shared_folder::InFolder;

/// A cache file that is being written. Dropped before it is finished, it is removed.
#[derive(Debug)]
pub struct Writer {
    cache: Cache,
    file: Box<dyn WritableFile>,
    path: PathBuf,
    hash: Sha256,
    /// Bytes in the block that `hash` has begun on.
    hashed: usize,
    blocks: Vec<[u8; 32]>,
    written: u64,
    _inside: InFolder,
}

/// Who may read a file when it is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish<'a> {
    /// Whoever looks for it under this name.
    As(&'a str),
    /// This process alone.
    No,
}

impl Writer {
    /// Begins a file for so many bytes of pixels.
    ///
    /// # Errors
    /// If it cannot be made, or the disk has no room for it.
    pub fn begin(cache: &Cache, bytes: u64) -> Result<Self, DataError> {
        let files = &cache.files;
        if let Some(free) = free_space(&cache.folder).filter(|&free| free < bytes) {
            return Err(DataError::File(FileError::NoSpace {
                operation: Operation::Write,
                path: cache.folder.clone(),
                needed_bytes: bytes,
                free_bytes: Some(free),
                source: std::io::Error::from_raw_os_error(libc::ENOSPC),
            }));
        }
        let inside = InFolder::enter(&cache.folder, || remove_partials(&**files, &cache.folder));
        let path = partial_path(&cache.folder);
        let mut file = files.open(&path, WriteMode::New)?;
        let mut first =
            b"Images that burgeon has decoded. It may be removed: it is made again.\n".to_vec();
        first.resize(PAGE, b' ');
        file.write(&first)?;
        Ok(Self {
            cache: cache.clone(),
            file,
            path,
            hash: Sha256::new(),
            hashed: 0,
            blocks: Vec::new(),
            written: 0,
            _inside: inside,
        })
    }

    /// Appends pixels.
    ///
    /// # Errors
    /// If the disk refuses them.
    pub fn write(&mut self, mut pixels: &[u8]) -> Result<(), DataError> {
        self.file.write(pixels)?;
        self.written += pixels.len() as u64;
        while !pixels.is_empty() {
            let (now, later) = pixels.split_at(pixels.len().min(BLOCK_LEN - self.hashed));
            self.hash.update(now);
            self.hashed += now.len();
            if self.hashed == BLOCK_LEN {
                self.end_block();
            }
            pixels = later;
        }
        Ok(())
    }

    fn end_block(&mut self) {
        if self.hashed > 0 {
            self.blocks.push(self.hash.finalize_reset().into());
            self.hashed = 0;
        }
    }

    /// Writes the index, makes all of it durable, and maps it.
    ///
    /// # Errors
    /// If the disk refuses it.
    pub fn finish(
        mut self,
        mut index: Index,
        publish: Publish<'_>,
    ) -> Result<MappedPixels, DataError> {
        self.end_block();
        index.head.version = VERSION;
        index.head.entries = index.entries.len();
        index.head.images = index.images.len();
        index.blocks = std::mem::take(&mut self.blocks);
        let bytes = index.to_bytes();
        self.file.write(&bytes)?;
        self.file.sync()?;
        let len = PAGE as u64 + self.written + bytes.len() as u64;
        let file = MappedFile::open(&self.path, Some(len)).map_err(DataError::read(&self.path))?;
        let exceeds_memory = self.written > self.cache.memory;
        if exceeds_memory {
            file.read_at_random();
        }
        if let Publish::As(name) = publish {
            make_read_only(&self.path);
            self.cache.files.rename(&self.path, &self.cache.path(name))?;
            self.cache.files.sync_folder(&self.cache.folder)?;
            self.cache.remove_unused();
        }
        let len = self.written as usize;
        Ok(MappedPixels { file: Arc::new(file), start: PAGE, len, exceeds_memory })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // After it was moved there is none. What is mapped stays readable without a name.
        let _ = self.cache.files.remove_file(&self.path);
    }
}

/// Against being changed by mistake. Where rights cannot be set the file is as good without.
fn make_read_only(path: &Path) {
    if let Ok(found) = std::fs::metadata(path) {
        let mut rights = found.permissions();
        rights.set_readonly(true);
        let _ = std::fs::set_permissions(path, rights);
    }
}

/// Removes what processes that were killed left in a folder in which no other one is writing.
fn remove_partials(files: &dyn Files, folder: &Path) {
    for name in files.list(folder).unwrap_or_default() {
        if name.starts_with(LEFTOVER_WRITE) && name.ends_with(".pixels") {
            // What cannot be removed is no reason to fail: it is never read.
            let _ = files.remove_file(&folder.join(name));
        }
    }
}
