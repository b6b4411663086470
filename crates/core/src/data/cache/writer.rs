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

/// A cache file that is being written. If it is dropped before it is finished, the file is removed.
#[derive(Debug)]
pub struct Writer {
    cache: Cache,
    file: Box<dyn WritableFile>,
    path: PathBuf,
    hash: Sha256,
    /// Bytes of the current block that `hash` has taken in.
    hashed: usize,
    blocks: Vec<[u8; 32]>,
    written: u64,
    _inside: InFolder,
}

/// Who can find a file when it is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish<'a> {
    /// Every process, under this name.
    As(&'a str),
    /// This process alone.
    No,
}

impl Writer {
    /// Begins a file for this many bytes of pixels.
    ///
    /// # Errors
    /// If it cannot be created, or the disk has no room for it.
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
            b"Images that burgeon has decoded. You may remove this file: burgeon makes it again.\n"
                .to_vec();
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
        // Once published, it no longer has this path. A mapped file stays readable after it is removed.
        let _ = self.cache.files.remove_file(&self.path);
    }
}

/// Protects the file from being changed by mistake. A failure is ignored, as the file works without it.
fn make_read_only(path: &Path) {
    if let Ok(found) = std::fs::metadata(path) {
        let mut permissions = found.permissions();
        permissions.set_readonly(true);
        let _ = std::fs::set_permissions(path, permissions);
    }
}

/// Removes what killed processes left in a folder in which no other process is writing.
fn remove_partials(files: &dyn Files, folder: &Path) {
    for name in files.list(folder).unwrap_or_default() {
        if name.starts_with(LEFTOVER_WRITE) && name.ends_with(".pixels") {
            // A failure is ignored: the file is never read.
            let _ = files.remove_file(&folder.join(name));
        }
    }
}
