//! Reads a log from its end, as far as is needed, so that a list of many runs does not read them all.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::event::Event;
use super::log::{LOG_LIMIT_BYTES, LedgerError};
use super::parse::{LINE_LIMIT_BYTES, parse_line};
use super::recorded::Recorded;
use crate::sys::files::{FileError, Operation};

/// The first event of a log, and its last ones.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEnds {
    /// The first event of the log.
    pub first: Recorded,
    /// The last events, oldest first, as many as the reader asked for; the first is not repeated.
    pub last: Vec<Recorded>,
}

/// Whether a reader that goes through a log from its end needs to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enough {
    /// It needs the event before this one.
    No,
    /// It has what it needs.
    Yes,
    /// The end does not suffice: it needs the whole log.
    NeedsAll,
}

/// How much is read at first; most logs are shorter.
const FIRST_PIECE_BYTES: u64 = 16 << 10;

/// Reads the first event, and the last ones until `judge`, which is called with the newest event first, has
/// enough; an unfinished last line is left out. `None` if the end does not suffice, or cannot be understood:
/// then the whole log has to be read, which also tells which line is damaged. `None` for an empty log, too.
///
/// # Errors
///
/// When the log cannot be read, or is no file.
pub fn read_ends(
    path: &Path,
    mut judge: impl FnMut(&Event) -> Enough,
) -> Result<Option<LogEnds>, LedgerError> {
    let log = Log::open(path)?;
    let Some(first) = log.first()? else { return Ok(None) };
    let mut last = Vec::new();
    let Some(mut lines) = log.backwards()? else { return Ok(None) };
    let mut is_newest = true;
    while let Some(line) = lines.next()? {
        let read = parse_line(&line);
        // A crash may have left a last line that is complete but for its content.
        if std::mem::take(&mut is_newest) && read.is_none() {
            continue;
        }
        let Some(recorded) = read else { return Ok(None) };
        let enough = judge(&recorded.event);
        let is_first = lines.is_done();
        if !is_first {
            last.push(recorded);
        }
        match enough {
            Enough::NeedsAll => return Ok(None),
            Enough::Yes => break,
            Enough::No => {}
        }
    }
    last.reverse();
    Ok(Some(LogEnds { first, last }))
}

struct Log<'a> {
    file: File,
    bytes: u64,
    path: &'a Path,
}

impl<'a> Log<'a> {
    fn open(path: &'a Path) -> Result<Self, LedgerError> {
        let failed = |error| FileError::new(Operation::Read, path, 0, error);
        let is_file = std::fs::metadata(path).map_err(failed)?.is_file();
        if !is_file {
            // Opening a pipe would wait for somebody to write into it.
            return Err(FileError::NotAFile { path: path.into() }.into());
        }
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes > LOG_LIMIT_BYTES {
            let (path, limit_bytes) = (path.into(), LOG_LIMIT_BYTES);
            return Err(FileError::TooLarge { path, limit_bytes }.into());
        }
        Ok(Self { file, bytes, path })
    }

    fn read(&self, from: u64, to: u64) -> Result<Vec<u8>, FileError> {
        let mut bytes = vec![0; (to - from) as usize];
        let read = self.file.read_exact_at(&mut bytes, from);
        read.map_err(|error| FileError::new(Operation::Read, self.path, 0, error))?;
        Ok(bytes)
    }

    /// The event of the first line; `None` if there is none.
    fn first(&self) -> Result<Option<Recorded>, FileError> {
        for most in [FIRST_PIECE_BYTES, LINE_LIMIT_BYTES as u64] {
            let bytes = self.read(0, self.bytes.min(most))?;
            if let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
                return Ok(parse_line(&bytes[..end]));
            }
        }
        Ok(None)
    }

    /// Its complete lines from the last one on; `None` if what follows them is longer than any line.
    fn backwards(&self) -> Result<Option<Backwards<'_>>, FileError> {
        let mut lines = Backwards { log: self, start: self.bytes, piece: Vec::new() };
        while lines.piece.len() <= LINE_LIMIT_BYTES {
            let newline = lines.piece.iter().rposition(|&byte| byte == b'\n');
            if newline.is_some() || lines.start == 0 {
                lines.piece.truncate(newline.map_or(0, |newline| newline + 1));
                return Ok(Some(lines));
            }
            lines.read_on()?;
        }
        Ok(None)
    }
}

/// The complete lines of a log, the last one first.
struct Backwards<'a> {
    log: &'a Log<'a>,
    /// Where `piece` begins in the log.
    start: u64,
    /// Complete lines that were read and not yet returned, possibly without the beginning of the first one.
    piece: Vec<u8>,
}

impl Backwards<'_> {
    /// Whether the first line of the log was returned.
    fn is_done(&self) -> bool {
        self.start == 0 && self.piece.is_empty()
    }

    /// The next line without its newline; of one that is longer than any event, nothing.
    fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        loop {
            let end = self.piece.len().saturating_sub(1);
            let newline = self.piece[..end].iter().rposition(|&byte| byte == b'\n');
            if newline.is_some() || self.start == 0 {
                let begin = newline.map_or(0, |newline| newline + 1);
                let line = self.piece[begin..end].to_vec();
                let is_there = !self.piece.is_empty();
                self.piece.truncate(begin);
                return Ok(is_there.then_some(line));
            }
            if self.piece.len() > LINE_LIMIT_BYTES {
                return Ok(Some(Vec::new()));
            }
            self.read_on()?;
        }
    }

    fn read_on(&mut self) -> Result<(), FileError> {
        let length = FIRST_PIECE_BYTES.max(self.piece.len() as u64).min(self.start);
        let mut longer = self.log.read(self.start - length, self.start)?;
        longer.append(&mut self.piece);
        self.piece = longer;
        self.start -= length;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
