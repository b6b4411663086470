//! The cache folder: looks up decoded images, and removes those that are no longer used.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::index::{BLOCK_LEN, Fingerprint, Index, PAGE, VERSION, read_index};
use crate::data::DataError;
use crate::data::pixels::MappedPixels;
use crate::sys::files::{Files, LEFTOVER_WRITE, real_files};
use crate::sys::mapped::MappedFile;
use crate::sys::spread::run_in_pool;

/// A file that was not read for this long is removed when another one is written.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

/// A folder of decoded images.
#[derive(Debug, Clone)]
pub struct Cache {
    pub(super) files: Arc<dyn Files>,
    pub(super) folder: PathBuf,
    /// Most bytes of pixels that should be held in memory.
    pub(super) memory: u64,
}

/// The folder for caches unless one is named: `burgeon/images` in `XDG_CACHE_HOME` or `~/.cache`.
pub fn default_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The XDG specification says to ignore a relative path.
    let caches = folder("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
    let caches = caches.or_else(|| folder("HOME").map(|home| home.join(".cache")));
    Some(caches?.join("burgeon").join("images"))
}

/// Identifies files by their names, sizes and times, including the time of the last change of their content or metadata
/// (ctime), which copying tools do not set back.
pub fn fingerprint(files: &[PathBuf]) -> Fingerprint {
    let line = |path: &PathBuf| -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(path.as_os_str().as_encoded_bytes());
        match std::fs::metadata(path) {
            Ok(found) => hash.update(format!("\0{}\0{}", found.len(), times(&found))),
            // It is listed, and reported as unreadable when it is decoded.
            Err(error) => hash.update(format!("\0{}", error.kind())),
        }
        hash.finalize().into()
    };
    let lines: Vec<[u8; 32]> = run_in_pool(|| files.par_iter().map(line).collect());
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line);
    }
    hex::encode(hash.finalize())
}

#[cfg(unix)]
fn times(found: &std::fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    let (content, any) = (found.mtime(), found.ctime());
    format!("{content}.{}\0{any}.{}", found.mtime_nsec(), found.ctime_nsec())
}

#[cfg(not(unix))]
fn times(found: &std::fs::Metadata) -> String {
    format!("{:?}", found.modified().ok())
}

impl Cache {
    /// The cache in a folder, which is created if it is missing.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn in_folder(folder: &Path, memory: u64) -> Result<Self, DataError> {
        let files = real_files()?;
        files.create_folders(folder)?;
        Ok(Self { files, folder: folder.to_owned(), memory })
    }

    /// The images under a name, if they exist, are intact, and were decoded from files with this fingerprint.
    pub fn open(&self, name: &str, fingerprint: &Fingerprint) -> Option<(Index, MappedPixels)> {
        let path = self.path(name);
        let (index, pixels) = self.map(&path)?;
        if index.head.version != VERSION || index.head.fingerprint != *fingerprint {
            return None;
        }
        let blocks = pixels.file[pixels.start..][..pixels.len].par_chunks(BLOCK_LEN);
        let is_whole = run_in_pool(|| {
            blocks.zip(&index.blocks).all(|(block, hash)| Sha256::digest(block)[..] == hash[..])
        });
        if !is_whole {
            return None;
        }
        // So that it does not count as unused. A failure to set the time is ignored.
        if let Ok(file) = File::options().append(true).open(&path).or_else(|_| File::open(&path)) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some((index, pixels))
    }

    /// Maps a file whose index is valid; its pixels are not checked.
    fn map(&self, path: &Path) -> Option<(Index, MappedPixels)> {
        let file = MappedFile::open(path, None).ok()?;
        let index = read_index(&file)?;
        let len = index.pixels_len()?;
        let exceeds_memory = len as u64 > self.memory;
        if exceeds_memory {
            file.read_at_random();
        }
        Some((index, MappedPixels { file: Arc::new(file), start: PAGE, len, exceeds_memory }))
    }

    /// A cached survey of files with this fingerprint.
    pub fn note(&self, name: &str, fingerprint: &Fingerprint) -> Option<BTreeMap<String, usize>> {
        let bytes = self.files.read(&self.note_path(name), 1 << 16).ok()?;
        let (of, note): (Fingerprint, _) = serde_json::from_slice(&bytes).ok()?;
        (of == *fingerprint).then_some(note)
    }

    /// Caches a survey. It only saves time, so a failure to write it is ignored.
    pub fn write_note(
        &self,
        name: &str,
        fingerprint: &Fingerprint,
        note: &BTreeMap<String, usize>,
    ) {
        let text = serde_json::to_vec(&(fingerprint, note)).unwrap_or_default();
        let path = partial_path(&self.folder);
        let written = self.files.write_synced(&path, &text);
        if written.and_then(|()| self.files.rename(&path, &self.note_path(name))).is_err() {
            let _ = self.files.remove_file(&path);
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pixels"))
    }

    fn note_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.sizes"))
    }

    /// Removes files that were not used for a long time.
    pub(super) fn remove_unused(&self) {
        for name in self.files.list(&self.folder).unwrap_or_default() {
            let path = self.folder.join(&name);
            let is_ours = name.ends_with(".pixels") || name.ends_with(".sizes");
            let modified = std::fs::metadata(&path).and_then(|found| found.modified()).ok();
            let age = modified.and_then(|then| then.elapsed().ok());
            if is_ours && age.is_some_and(|age| age > UNUSED) {
                let _ = self.files.remove_file(&path);
            }
        }
    }
}

/// A path for an unfinished file, different from those of all others, of this process and others.
pub(super) fn partial_path(folder: &Path) -> PathBuf {
    static BEGUN: AtomicU64 = AtomicU64::new(0);
    let number = BEGUN.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{LEFTOVER_WRITE}{}-{number}.pixels", std::process::id()))
}
