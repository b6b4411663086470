//! How much of a disk a folder takes.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The size of a folder with all that is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Bytes of the blocks that it takes.
    pub bytes: u64,
    /// Whether everything in it was counted: nothing was unreadable, too deep or too much.
    pub is_whole: bool,
}

/// A run folder has about twenty entries for each trial.
const ENTRIES_MAX: usize = 500_000;
/// A run folder is five folders deep.
const DEPTH_MAX: usize = 32;

/// Measures a folder. Links are not followed, a file with several names counts once, and what vanishes while it
/// is counted, as checkpoints do, is left out.
pub fn size_of(folder: &Path) -> Size {
    let mut size = Size { bytes: 0, is_whole: true };
    let mut linked = HashSet::new();
    let mut entries = 0;
    let mut open: Vec<(PathBuf, usize)> = vec![(folder.into(), 0)];
    while let Some((path, depth)) = open.pop() {
        let found = match fs::read_dir(&path) {
            Ok(found) => found,
            Err(error) => {
                size.is_whole &= error.kind() == std::io::ErrorKind::NotFound;
                continue;
            }
        };
        for entry in found {
            entries += 1;
            let Ok(entry) = entry else {
                size.is_whole = false;
                break;
            };
            let Ok(metadata) = entry.metadata() else { continue };
            size.bytes += bytes_of(&metadata, &mut linked);
            if metadata.is_dir() {
                open.push((entry.path(), depth + 1));
            }
        }
        if depth >= DEPTH_MAX || entries > ENTRIES_MAX {
            size.is_whole = false;
            break;
        }
    }
    size
}

/// Bytes on the disk; of a file with several names only the first time.
fn bytes_of(metadata: &Metadata, linked: &mut HashSet<(u64, u64)>) -> u64 {
    let is_new = metadata.is_dir()
        || metadata.nlink() < 2
        || linked.insert((metadata.dev(), metadata.ino()));
    // stat counts in units of 512 bytes, whatever the file system's blocks are.
    if is_new { metadata.blocks().saturating_mul(512) } else { 0 }
}

#[cfg(test)]
mod tests;
