//! The folder of claims.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Longest content of a claim that is read.
const LIMIT_BYTES: u64 = 16 * 1024;

/// The folder of claims, as all machines see it.
pub(in crate::sys) trait ClaimFolder: fmt::Debug + Send + Sync {
    /// Creates a file; only one of several processes that try, on any machine, succeeds.
    fn create_new(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Overwrites the start of an existing file, visibly for other machines.
    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Reads the start of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names in the folder.
    fn list(&self) -> io::Result<Vec<String>>;
}

/// A folder of this machine, or one shared with other machines.
#[derive(Debug)]
pub(in crate::sys) struct RealFolder(pub(in crate::sys) PathBuf);

impl ClaimFolder for RealFolder {
    fn create_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(self.0.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // Opened and closed each time, because network file systems send what was written on close.
        OpenOptions::new().write(true).open(self.0.join(name))?.write_all(bytes)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(self.0.join(name))?.take(LIMIT_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }
}

/// Removes a file, if it still exists.
pub(super) fn remove_if_present(folder: &dyn ClaimFolder, name: &str) -> io::Result<()> {
    match folder.remove(name) {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether the file does not exist; on network folders, a file that another machine removed may be reported
/// as "stale".
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}
