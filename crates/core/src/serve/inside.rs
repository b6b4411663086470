//! Opens files in a folder that untrusted programs write to, without following links.

use std::fs::File;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

/// Opens a regular file below a folder. Neither the file nor a folder on the way may be a link; returns `None` if it is
/// not a regular file or does not exist.
pub(super) fn open(folder: &Path, path: &Path) -> std::io::Result<Option<File>> {
    let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::RDONLY;
    let found = (|| {
        let mut at = openat(CWD, folder, OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())?;
        let mut parts = path.components().peekable();
        while let Some(Component::Normal(part)) = parts.next() {
            // Non-blocking, as opening a pipe would wait.
            let kind = if parts.peek().is_some() { OFlags::DIRECTORY } else { OFlags::NONBLOCK };
            at = openat(&at, part, flags | kind, Mode::empty())?;
            if parts.peek().is_none() {
                return Ok(at);
            }
        }
        Err(Errno::NOENT)
    })();
    match found {
        Ok(file) => {
            let file = File::from(file);
            Ok(file.metadata()?.is_file().then_some(file))
        }
        // A link, a socket, or missing.
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
