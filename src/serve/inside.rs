//! Opens files in a folder that others write in, without following links out of it.

use std::fs::File;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

/// Opens a regular file below a folder. Neither the file nor a folder on the way may be a link; what is no regular
/// file, or not there, is `None`.
pub(super) fn open(folder: &Path, path: &Path) -> std::io::Result<Option<File>> {
    let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::RDONLY;
    let found = (|| {
        let mut at = openat(CWD, folder, OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())?;
        let mut parts = path.components().peekable();
        while let Some(Component::Normal(part)) = parts.next() {
            // Without waiting, as opening a pipe would.
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
        // A link, a socket, or nothing.
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
