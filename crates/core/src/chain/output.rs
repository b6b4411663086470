//! The folder that a program writes to. Its content may be hostile: a symbolic link could lead to any file of this
//! machine.

use std::io;
use std::path::{Path, PathBuf};

/// The path of a file or folder below a folder.
///
/// # Errors
///
/// If it does not exist, or one of its components is a symbolic link.
pub(super) fn without_links(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut at = folder.to_path_buf();
    for part in path.components() {
        at.push(part);
        if std::fs::symlink_metadata(&at)?.is_symlink() {
            return Err(io::Error::other(format!("{} is a symbolic link", at.display())));
        }
    }
    Ok(at)
}

/// Removes a file or folder below a folder or, if its path leads through a symbolic link, that link. Returns whether
/// anything was removed.
pub(super) fn remove_if_there(folder: &Path, path: &Path) -> io::Result<bool> {
    let mut at = folder.to_path_buf();
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        at.push(part);
        let kind = match std::fs::symlink_metadata(&at) {
            Ok(found) => found.file_type(),
            Err(error) if is_absent(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        if kind.is_symlink() || parts.peek().is_none() {
            match kind.is_dir() {
                true => std::fs::remove_dir_all(&at)?,
                false => std::fs::remove_file(&at)?,
            }
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an error means that the path does not exist, be it that a parent is a file.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Copies a folder; the copy appears as a whole or not at all. Symbolic links and special files are left out.
pub(super) fn copy_as_a_whole(from: &Path, to: &Path) -> io::Result<()> {
    let aside = to.with_extension("new");
    if aside.exists() {
        std::fs::remove_dir_all(&aside)?;
    }
    copy(from, &aside)?;
    std::fs::rename(&aside, to)
}

/// Copies a file, or a folder with its content except for symbolic links and special files.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut open: Vec<(PathBuf, PathBuf)> = vec![(from.into(), to.into())];
    while let Some((from, to)) = open.pop() {
        let kind = std::fs::symlink_metadata(&from)?.file_type();
        if kind.is_dir() {
            std::fs::create_dir_all(&to)?;
            for entry in std::fs::read_dir(&from)? {
                let entry = entry?;
                open.push((entry.path(), to.join(entry.file_name())));
            }
        } else if kind.is_file() {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
