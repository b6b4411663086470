//! A folder that is read from within: no symbolic link is followed, in whichever part of a path it stands, so
//! that nothing outside the folder is ever opened.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{Dir, FileType, Mode, OFlags, open, openat};

/// An open folder.
pub struct Folder(OwnedFd);

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a socket, a pipe.
    Other,
}

impl Folder {
    /// Opens the folder that is looked at; the path to it may hold links.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    /// Opens a folder in it.
    pub fn folder(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(openat(&self.0, name, flags, Mode::empty())?))
    }

    /// The names in it with what they stand for, sorted, at most so many, and whether there are more.
    pub fn entries(&self, most: usize) -> io::Result<(Vec<(OsString, Entry)>, bool)> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if found.len() == most {
                found.sort();
                return Ok((found, true));
            }
            let kind = match entry.file_type() {
                // Some file systems do not say it with the name.
                FileType::Unknown => self.kind(name)?,
                kind => kind,
            };
            found.push((name.to_owned(), Entry::of(kind)));
        }
        found.sort();
        Ok((found, false))
    }

    fn kind(&self, name: &OsStr) -> io::Result<FileType> {
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        let stat = rustix::fs::statat(&self.0, name, flags)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    /// Reads a regular file below this folder, unless it is longer than `most`: then `None`.
    pub fn read(&self, path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut names = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => names.push(name),
                _ => return Err(io::Error::other("the path leads out of the folder")),
            }
        }
        let Some((last, folders)) = names.split_last() else {
            return Err(io::Error::other("the path is empty"));
        };
        let mut at: Option<Self> = None;
        for name in folders {
            at = Some(at.as_ref().unwrap_or(self).folder(name)?);
        }
        at.as_ref().unwrap_or(self).read_file(last, most)
    }

    fn read_file(&self, name: &OsStr, most: usize) -> io::Result<Option<Vec<u8>>> {
        // A pipe that was put in place of a file must not be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.0, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(most as u64 + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() <= most).then_some(bytes))
    }
}

impl Entry {
    fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (*self as u8).cmp(&(*other as u8))
    }
}
