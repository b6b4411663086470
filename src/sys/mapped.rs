//! Files of burgeon's own that are mapped into memory instead of being read, so that the system keeps of them what
//! it has room for.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::{Advice, Mmap};

/// The content of a file, read-only.
#[derive(Debug)]
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps a file that nothing changes in place. burgeon replaces and removes such files as wholes, which leaves the
    /// mapped content as it was, and takes from them the right to be written to.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or mapped, is not a regular one, or has another length than `len`, where that is
    /// known.
    pub fn open(path: &Path, len: Option<u64>) -> io::Result<Self> {
        // Asked before opening: opening a pipe would wait for its other end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let file = File::open(path)?;
        let found = file.metadata()?.len();
        if let Some(len) = len.filter(|&len| len != found) {
            return Err(io::Error::other(format!("it has {found} bytes instead of {len}")));
        }
        #[expect(unsafe_code, reason = "a map is only as constant as its file")]
        // SAFETY: nothing in burgeon writes to such a file after it was closed and made read-only, so the bytes stay
        // as they are. Whoever cuts the file short all the same makes reading behind its end fail with SIGBUS, which
        // ends the process and is explained by `bus_errors::explain_bus_errors`; nothing wrong is read.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self(map))
    }

    /// Says that bytes here and there will be read, so that reading one does not fetch its neighbours. Only advice: a
    /// system that takes none is none the worse.
    pub fn read_at_random(&self) {
        #[cfg(unix)]
        let _ = self.0.advise(Advice::Random);
    }

    /// Says that these bytes are read soon, so that they are fetched meanwhile.
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
