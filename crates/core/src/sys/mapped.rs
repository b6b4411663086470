//! burgeon's own files that are mapped into memory instead of being read, so that the system keeps as much of them in
//! memory as it has room for.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::{Advice, Mmap};

/// The content of a file, read-only.
#[derive(Debug)]
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps a file that is never changed in place. burgeon makes such files read-only, and only replaces or removes
    /// them as a whole, which leaves the mapped content unchanged.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or mapped, is not a regular file, or has another length than `len`, if given.
    pub fn open(path: &Path, len: Option<u64>) -> io::Result<Self> {
        // Checked before opening, because opening a pipe would wait for its other end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let file = File::open(path)?;
        let found = file.metadata()?.len();
        if let Some(len) = len.filter(|&len| len != found) {
            return Err(io::Error::other(format!("it has {found} bytes instead of {len}")));
        }
        #[expect(unsafe_code, reason = "mapped memory changes if its file does")]
        // SAFETY: nothing in burgeon writes to such a file after it was closed and made read-only, so the bytes do not
        // change. If another program truncates the file, reading beyond its end fails with SIGBUS, which ends the
        // process and is explained by `bus_errors::explain_bus_errors`; no wrong data is read.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self(map))
    }

    /// Advises the system that the file will be read at random, so that reading one part does not fetch its
    /// neighbours. A system may ignore that.
    pub fn read_at_random(&self) {
        #[cfg(unix)]
        let _ = self.0.advise(Advice::Random);
    }

    /// Advises the system that these bytes will be read soon, so that it fetches them in the background.
    pub fn will_need(&self, start: usize, len: usize) {
        #[cfg(unix)]
        let _ = self.0.advise_range(
            Advice::WillNeed,
            start,
            len.min(self.0.len().saturating_sub(start)),
        );
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
