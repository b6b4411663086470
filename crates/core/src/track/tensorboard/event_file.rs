//! A file that continues what another process has written of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Longer files are written anew.
const BYTES_MAX: u64 = 1 << 30;

pub(super) struct EventFile {
    file: File,
    /// What was in it when it was opened, from which the first bytes must not differ.
    before: Vec<u8>,
    /// How much was appended since.
    position: usize,
}

impl EventFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.len() > BYTES_MAX {
            file.set_len(0)?;
        }
        let mut before = Vec::new();
        file.read_to_end(&mut before)?;
        Ok(Self { file, before, position: 0 })
    }

    /// Appends a record. What is in the file already stays; from where it differs on, it is replaced.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let there = self.before.get(self.position..).unwrap_or_default();
        let same = there.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        if same < bytes.len() {
            let from = self.position + same;
            self.before.truncate(from);
            self.file.set_len(from as u64)?;
            self.file.seek(SeekFrom::Start(from as u64))?;
            self.file.write_all(&bytes[same..])?;
        }
        self.position += bytes.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
