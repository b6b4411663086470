//! The interface between burgeon and the disk: everything that has to survive a crash is written through
//! [`Files`].
//!
//! The trait's required methods are single steps, at each of which a machine can crash or a disk can be
//! full. The provided methods combine them into writes that are either complete after a crash or did not
//! happen. Tests replace only the steps, so that they test the same combinations as are used.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use super::faults::{FAULT_VARIABLE, real_files};

/// Access to the files of a disk.
pub trait Files: fmt::Debug + Send + Sync {
    /// Opens a file for writing, and creates it if it is missing.
    fn open(&self, path: &Path, mode: WriteMode) -> Result<Box<dyn WritableFile>, FileError>;

    /// Creates a folder; its parent must exist, and the folder must not.
    fn create_folder(&self, path: &Path) -> Result<(), FileError>;

    /// Syncs the entries of a folder to disk: what was created, renamed or removed in it.
    fn sync_folder(&self, path: &Path) -> Result<(), FileError>;

    /// Renames a file or folder; replaces an existing file, but not a folder with content.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> Result<(), FileError>;

    /// Removes a folder and all that is in it. Not atomic.
    fn remove_folder(&self, path: &Path) -> Result<(), FileError>;

    /// Reads a whole file of at most `limit_bytes`; a larger one is refused before any of it is
    /// read.
    fn read(&self, path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError>;

    /// Reads at most `length` bytes of a file from `offset` on; none at its end and beyond.
    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, FileError> {
        let bytes = self.read(path, u64::MAX - 1)?;
        Ok(bytes.into_iter().skip(offset as usize).take(length).collect())
    }

    /// The names in a folder, sorted, without those that are not UTF-8, which burgeon does not write.
    fn list(&self, folder: &Path) -> Result<Vec<String>, FileError>;

    /// The kind of what is at a path; `None` if nothing is.
    fn kind(&self, path: &Path) -> Result<Option<PathKind>, FileError>;

    /// Creates or replaces a file so that after a crash it has either its old or its new content.
    fn write_atomically(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        // The same name for all attempts, so that interrupted ones leave only one file behind.
        let mut name = OsStr::new(".").to_os_string();
        name.push(path.file_name().unwrap_or_default());
        name.push(".tmp");
        let temporary = path.with_file_name(name);
        self.write_synced(&temporary, bytes)?;
        self.rename(&temporary, path)?;
        self.sync_folder(parent(path))
    }

    /// Writes a file and syncs its content, but not its name: for files in a folder that is renamed into
    /// place later.
    fn write_synced(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let mut file = self.open(path, WriteMode::Replace)?;
        file.write(bytes)?;
        file.sync()
    }

    /// Creates a folder and its missing parents, and syncs them. An existing folder is left unchanged.
    fn create_folders(&self, path: &Path) -> Result<(), FileError> {
        let mut missing = Vec::new();
        let mut at = path;
        while self.kind(at)?.is_none() {
            missing.push(at);
            at = parent(at);
        }
        for folder in missing.into_iter().rev() {
            match self.create_folder(folder) {
                Err(error) if error.is_already_there() => {}
                other => other?,
            }
            self.sync_folder(parent(folder))?;
        }
        Ok(())
    }

    /// Removes a folder so that after a crash it is either complete, or renamed to `.removing-…`, which
    /// [`Files::remove_leftovers`] removes.
    fn remove_folder_atomically(&self, path: &Path) -> Result<(), FileError> {
        let mut name = OsStr::new(LEFTOVER_REMOVAL).to_os_string();
        name.push(path.file_name().unwrap_or_default());
        let aside = path.with_file_name(name);
        if self.kind(&aside)?.is_some() {
            self.remove_folder(&aside)?;
        }
        self.rename(path, &aside)?;
        self.remove_folder(&aside)
    }

    /// Removes what interrupted writes and removals of folders left in `folder`, everything named `.tmp-…`
    /// or `.removing-…`, and returns what was removed.
    fn remove_leftovers(&self, folder: &Path) -> Result<Vec<PathBuf>, FileError> {
        let mut removed = Vec::new();
        for name in self.list(folder)? {
            if name.starts_with(LEFTOVER_WRITE) || name.starts_with(LEFTOVER_REMOVAL) {
                let path = folder.join(name);
                match self.kind(&path)? {
                    Some(PathKind::Folder) => self.remove_folder(&path)?,
                    _ => self.remove_file(&path)?,
                }
                removed.push(path);
            }
        }
        Ok(removed)
    }
}

/// Start of the name of a folder that is being written.
pub const LEFTOVER_WRITE: &str = ".tmp-";
const LEFTOVER_REMOVAL: &str = ".removing-";

/// A file opened for writing.
pub trait WritableFile: fmt::Debug + Send {
    /// Appends all of `bytes`; after an error, part of them may be in the file.
    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError>;

    /// Syncs the content to disk.
    fn sync(&mut self) -> Result<(), FileError>;

    /// Truncates the file to its first `bytes` bytes.
    fn truncate(&mut self, bytes: u64) -> Result<(), FileError>;
}

/// How a file is opened for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// Its content is removed first.
    Replace,
    /// Its content is kept, and writes are appended.
    Append,
    /// Empty, and it is an error if there is one already.
    New,
}

/// The kind of what is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A file, or anything else that is not a folder.
    File,
    /// A folder.
    Folder,
}

/// The operation that failed with a [`FileError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Opening a file for writing.
    Open,
    /// Writing to a file.
    Write,
    /// `fsync` of a file or folder.
    Sync,
    /// Truncating a file.
    Truncate,
    /// Renaming a file or folder.
    Rename,
    /// Creating a folder.
    CreateFolder,
    /// Removing a file or folder.
    Remove,
    /// Reading a file.
    Read,
    /// Listing a folder.
    List,
    /// Finding out what is at a path.
    Inspect,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open for writing",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Truncate => "truncate",
            Self::Rename => "rename to",
            Self::CreateFolder => "create folder",
            Self::Remove => "remove",
            Self::Read => "read",
            Self::List => "list",
            Self::Inspect => "inspect",
        })
    }
}

/// A failed operation on a file or folder.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk, or the quota on it, is full.
    #[error(
        "no space left to {operation} {}: {needed_bytes} bytes needed, {}", path.display(), free(*free_bytes)
    )]
    NoSpace {
        /// The operation that failed.
        operation: Operation,
        /// The file or folder.
        path: PathBuf,
        /// The space that it needs.
        needed_bytes: u64,
        /// The free space on its file system, if known.
        free_bytes: Option<u64>,
        /// The system's error.
        source: io::Error,
    },
    /// Any other error of the system.
    #[error("cannot {operation} {}", path.display())]
    Failed {
        /// The operation that failed.
        operation: Operation,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file is larger than any valid one.
    #[error("{} is larger than the limit of {limit_bytes} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size that is read.
        limit_bytes: u64,
    },
    /// A folder or device where a file should be.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
}

fn free(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "free space unknown".into(), |n| format!("{n} free"))
}

impl FileError {
    /// Converts a system error; `needed_bytes` is used if the disk is full.
    pub fn new(operation: Operation, path: &Path, needed_bytes: u64, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => Self::NoSpace {
                operation,
                needed_bytes,
                free_bytes: free_space(&path),
                path,
                source,
            },
            _ => Self::Failed { operation, path, source },
        }
    }

    /// Whether the file or folder was missing.
    pub fn is_not_found(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }

    /// Whether the file or folder already existed.
    pub fn is_already_there(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::AlreadyExists)
    }

    fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Failed { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

/// Free bytes that this user can use on the file system of `path`, or of its nearest existing parent.
pub fn free_space(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|at| at.exists())?;
    let answer = rustix::fs::statvfs(there).ok()?;
    Some(answer.f_bavail.saturating_mul(answer.f_frsize))
}

/// The folder that holds `path`.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        // The parent of a bare name is the current folder, that of the root is the root.
        _ if path.has_root() => path,
        _ => Path::new("."),
    }
}

/// Space that a new folder takes on most file systems: one block.
const FOLDER_BYTES: u64 = 4096;

/// The real disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn open(&self, path: &Path, mode: WriteMode) -> Result<Box<dyn WritableFile>, FileError> {
        let mut options = OpenOptions::new();
        match mode {
            WriteMode::Replace => options.write(true).create(true).truncate(true),
            WriteMode::Append => options.append(true).create(true),
            WriteMode::New => options.write(true).create_new(true),
        };
        let file = options
            .open(path)
            .map_err(|e| FileError::new(Operation::Open, path, FOLDER_BYTES, e))?;
        Ok(Box::new(RealFile { file, path: path.to_path_buf(), written_bytes: 0 }))
    }

    fn create_folder(&self, path: &Path) -> Result<(), FileError> {
        fs::create_dir(path)
            .map_err(|e| FileError::new(Operation::CreateFolder, path, FOLDER_BYTES, e))
    }

    fn sync_folder(&self, path: &Path) -> Result<(), FileError> {
        match File::open(path).and_then(|folder| folder.sync_all()) {
            // Some network file systems cannot sync folders; their renames are durable without it or
            // not at all.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTSUP)) => {
                Ok(())
            }
            other => other.map_err(|e| FileError::new(Operation::Sync, path, FOLDER_BYTES, e)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        fs::rename(from, to).map_err(|e| FileError::new(Operation::Rename, to, FOLDER_BYTES, e))
    }

    fn remove_file(&self, path: &Path) -> Result<(), FileError> {
        fs::remove_file(path).map_err(|e| FileError::new(Operation::Remove, path, 0, e))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), FileError> {
        fs::remove_dir_all(path).map_err(|e| FileError::new(Operation::Remove, path, 0, e))
    }

    fn read(&self, path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
        let failed = |e| FileError::new(Operation::Read, path, 0, e);
        // Before opening, because opening a pipe would wait for its other end.
        let found = fs::metadata(path).map_err(failed)?;
        if !found.is_file() {
            return Err(FileError::NotAFile { path: path.into() });
        }
        let too_large = || FileError::TooLarge { path: path.into(), limit_bytes };
        if found.len() > limit_bytes {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(found.len() as usize + 1);
        // Limited again, because the file may grow while it is read.
        File::open(path)
            .and_then(|file| file.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes))
            .map_err(failed)?;
        if bytes.len() as u64 > limit_bytes {
            return Err(too_large());
        }
        Ok(bytes)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, FileError> {
        let failed = |e| FileError::new(Operation::Read, path, 0, e);
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(FileError::NotAFile { path: path.into() });
        }
        let mut file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::with_capacity(length);
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(length as u64).read_to_end(&mut bytes))
            .map_err(failed)?;
        Ok(bytes)
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, FileError> {
        let failed = |e| FileError::new(Operation::List, folder, 0, e);
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    fn kind(&self, path: &Path) -> Result<Option<PathKind>, FileError> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(Some(PathKind::Folder)),
            Ok(_) => Ok(Some(PathKind::File)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::new(Operation::Inspect, path, 0, error)),
        }
    }
}

#[derive(Debug)]
struct RealFile {
    file: File,
    path: PathBuf,
    written_bytes: u64,
}

impl WritableFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.written_bytes += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .map_err(|e| FileError::new(Operation::Write, &self.path, bytes.len() as u64, e))
    }

    fn sync(&mut self) -> Result<(), FileError> {
        self.file
            .sync_all()
            .map_err(|e| FileError::new(Operation::Sync, &self.path, self.written_bytes, e))
    }

    fn truncate(&mut self, bytes: u64) -> Result<(), FileError> {
        self.file.set_len(bytes).map_err(|e| FileError::new(Operation::Truncate, &self.path, 0, e))
    }
}

#[cfg(test)]
mod tests;
