//! Tries on a folder what burgeon needs of the file system that it is on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::{FileError, Files, Operation, WriteMode};

/// What a trial on a folder showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Time from the first byte to the synced file under its final name.
    pub write: Duration,
    /// Whether a second lock on a locked file is refused.
    pub locks_exclude: bool,
}

/// Writes a small file as every file of a run is written (write, sync, rename, sync the folder), locks it, and
/// removes it.
///
/// # Errors
///
/// The first step that fails.
pub fn try_folder(files: &dyn Files, folder: &Path) -> Result<Tried, FileError> {
    let path = folder.join(format!(".burgeon-doctor-{}", std::process::id()));
    let tried = try_file(files, &path);
    // In any case; that it is not there is no matter.
    let removed = files.remove_file(&path);
    let tried = tried?;
    removed?;
    Ok(tried)
}

fn try_file(files: &dyn Files, path: &Path) -> Result<Tried, FileError> {
    let beside = PathBuf::from(format!("{}.tmp", path.display()));
    let start = Instant::now();
    let written = || -> Result<(), FileError> {
        let mut file = files.open(&beside, WriteMode::New)?;
        file.write(b"burgeon doctor\n")?;
        file.sync()?;
        files.rename(&beside, path)?;
        files.sync_folder(super::files::parent(path))
    };
    if let Err(error) = written() {
        let _ = files.remove_file(&beside);
        return Err(error);
    }
    let write = start.elapsed();
    let open = || File::open(path).map_err(|e| FileError::new(Operation::Read, path, 0, e));
    let (first, second) = (open()?, open()?);
    let locks_exclude = first.try_lock().is_ok() && second.try_lock().is_err();
    Ok(Tried { write, locks_exclude })
}

/// The kind of file system that a path is on, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// On another machine, by the name of its protocol.
    Network(&'static str),
    /// In memory: all is lost when the machine or the container ends.
    Memory,
    /// Any other.
    Local,
}

/// The kind of file system of a path.
pub fn file_system(path: &Path) -> FileSystem {
    #[cfg(target_os = "linux")]
    {
        rustix::fs::statfs(path).map_or(FileSystem::Local, |found| of_magic(found.f_type as u64))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        FileSystem::Local
    }
}

/// By the numbers of statfs(2).
#[cfg(target_os = "linux")]
fn of_magic(number: u64) -> FileSystem {
    match number & 0xffff_ffff {
        0x6969 => FileSystem::Network("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => FileSystem::Network("SMB"),
        0x0102_1997 => FileSystem::Network("9P"),
        0x00c3_6400 => FileSystem::Network("Ceph"),
        0x0bd0_0bd0 => FileSystem::Network("Lustre"),
        0x4750_4653 => FileSystem::Network("GPFS"),
        0x1983_0326 => FileSystem::Network("BeeGFS"),
        0x5346_414f => FileSystem::Network("AFS"),
        // What is behind FUSE cannot be told: sshfs, s3fs, but also local file systems.
        0x6573_5546 => FileSystem::Network("FUSE"),
        0x0102_1994 | 0x8584_58f6 => FileSystem::Memory,
        _ => FileSystem::Local,
    }
}

#[cfg(test)]
mod tests;
