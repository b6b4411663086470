//! The folder that a program writes in. Whatever it left there may be hostile: a symbolic link could lead to any file
//! of this machine.

use std::io;
use std::path::{Path, PathBuf};

/// The path of a file or folder below a folder.
///
/// # Errors
///
/// If it is not there, or one of its parts is a symbolic link.
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

/// Removes a file or folder below a folder, or else the link that its path would lead through. False if nothing is
/// there.
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

/// Whether nothing is there: a file in the place of a folder of the path has nothing below it.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Copies a folder, so that the copy is there as a whole or not at all. Symbolic links and whatever else is no file
/// and no folder is left out.
pub(super) fn copy_as_a_whole(from: &Path, to: &Path) -> io::Result<()> {
    let aside = to.with_extension("new");
    if aside.exists() {
        std::fs::remove_dir_all(&aside)?;
    }
    copy(from, &aside)?;
    std::fs::rename(&aside, to)
}

/// Copies a file, or a folder with all that is in it but links and what else is no file and no folder.
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
