//! The log of a build, with a limited size.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::store::StageName;

/// The log of a build, which can be read while it is written, and is never longer than its limit.
#[derive(Debug)]
pub struct BuildLog {
    file: File,
    bytes: u64,
    limit: u64,
}

impl BuildLog {
    /// Opens the log of a build to append to it.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes, limit })
    }

    /// Adds a line in the name of a stage.
    pub fn say(&mut self, stage: StageName, text: &str) {
        // A log that cannot be written, on a full disk, must not end the build; its stages are on record.
        let _ = self.write(format!("[{}] {text}\n", stage.word()).as_bytes());
    }

    /// Adds the output of a program.
    pub fn print(&mut self, bytes: &[u8]) {
        let _ = self.write(bytes);
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.bytes + bytes.len() as u64 > self.limit {
            self.cut()?;
        }
        // A piece is never longer than the room that a cut makes.
        let room = (self.limit / 4) as usize;
        let bytes = &bytes[bytes.len().saturating_sub(room)..];
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Keeps as much as half of the limit from the start of the log, and a quarter from its end.
    fn cut(&mut self) -> io::Result<()> {
        // Leaves room for the line in between.
        let (head, tail) = (self.limit / 2, (self.limit / 4).saturating_sub(200));
        if self.bytes <= head + tail {
            return Ok(());
        }
        let mut last = Vec::new();
        self.file.seek(SeekFrom::Start(self.bytes - tail))?;
        (&self.file).take(tail).read_to_end(&mut last)?;
        // From the start of a line.
        let start = last.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let left_out = self.bytes - head - (last.len() - start) as u64;
        let mark =
            format!("\n… {left_out} bytes are left out here because the log is too long …\n");
        self.file.set_len(head)?;
        // Append mode writes at the end, regardless of where the file was read.
        self.file.write_all(mark.as_bytes())?;
        self.file.write_all(&last[start..])?;
        self.bytes = self.file.metadata()?.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
