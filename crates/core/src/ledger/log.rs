//! The event log: appends events, each synced to disk before the study continues, and removes an
//! unfinished last line when it is opened.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::event::Event;
use super::parse::{LINE_LIMIT_BYTES, LineError, parse_pieces};
use super::recorded::Recorded;
use super::replay::EventKey;
use crate::sys::clock::{Clock, RealClock};
use crate::sys::fence::{Fence, FenceError};
use crate::sys::files::{FileError, Files, WritableFile, WriteMode, parent};

/// The largest log that is written or read, enough for millions of trials.
pub const LOG_LIMIT_BYTES: u64 = 16 << 30;
/// How much of it is read at a time.
const PIECE_BYTES: usize = 4 << 20;

/// An event log that is open for appending.
pub struct Ledger {
    sink: Option<Sink>,
    clock: Arc<dyn Clock>,
    records: Vec<Recorded>,
    /// The index in `records` of the last event of each key.
    last_places: HashMap<EventKey, usize>,
    repaired: Option<Repair>,
    observer: Option<Observer>,
}

/// Receives every recorded event and its line, without the newline.
type Observer = Box<dyn FnMut(&Recorded, &str) + Send>;

struct Sink {
    file: Box<dyn WritableFile>,
    path: PathBuf,
    fence: Fence,
    /// Length of the complete lines.
    whole_bytes: u64,
    /// Whether part of a line follows them, left by a failed write.
    has_tail: bool,
}

/// The unfinished last line that was removed from an event log when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The log.
    pub path: PathBuf,
    /// Bytes of the line that a crash had cut short.
    pub bytes: usize,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "removed an unfinished last line of {} bytes from {}",
            self.bytes,
            self.path.display()
        )
    }
}

/// What [`Ledger::append_once`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It recorded the event.
    Now,
    /// It did nothing, as the event was recorded already.
    Before,
}

/// Why an event log cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The log is damaged.
    #[error("cannot read {}", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        source: LineError,
    },
    /// An event that cannot be written as JSON.
    #[error("cannot write the event `{event}` as JSON")]
    Unwritable {
        /// Its name.
        event: String,
        /// Why.
        source: serde_json::Error,
    },
    /// An event or a log that would exceed the limit for reading it back.
    #[error("the event `{event}` of {bytes} bytes is too large for {}", path.display())]
    TooLarge {
        /// The log.
        path: PathBuf,
        /// The event's name.
        event: String,
        /// Length of its line.
        bytes: usize,
    },
    /// Another process has taken over the run.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Ledger {
    /// Opens an event log, creating it if it is missing, and removes an unfinished last line.
    ///
    /// # Errors
    ///
    /// If another line is damaged, or the file cannot be read or written.
    pub fn open(
        files: &dyn Files,
        path: &Path,
        fence: Fence,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        fence.check()?;
        let is_new = files.kind(path)?.is_none();
        let parsed = parse(files, path)?;
        let mut sink = Sink {
            file: files.open(path, WriteMode::Append)?,
            path: path.to_path_buf(),
            fence,
            whole_bytes: parsed.whole_bytes as u64,
            has_tail: parsed.torn_bytes > 0,
        };
        if is_new {
            files.sync_folder(parent(path))?;
        }
        sink.cut_tail()?;
        let repaired = (parsed.torn_bytes > 0)
            .then(|| Repair { path: path.to_path_buf(), bytes: parsed.torn_bytes });
        let places = parsed.records.iter().enumerate();
        let places = places.filter_map(|(place, record)| Some((record.event.key()?, place)));
        Ok(Self {
            sink: Some(sink),
            clock,
            last_places: places.collect(),
            records: parsed.records,
            repaired,
            observer: None,
        })
    }

    /// A log that is kept in memory only.
    pub fn without_file() -> Self {
        Self {
            sink: None,
            clock: Arc::new(RealClock::default()),
            records: Vec::new(),
            last_places: HashMap::new(),
            repaired: None,
            observer: None,
        }
    }

    /// Calls `observer` with every event that is recorded from now on, and its line.
    #[must_use]
    pub fn observed_by(mut self, observer: impl FnMut(&Recorded, &str) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// The unfinished last line that was removed when the log was opened.
    pub fn repaired(&self) -> Option<&Repair> {
        self.repaired.as_ref()
    }

    /// Everything recorded so far, by this process and those before it.
    pub fn records(&self) -> &[Recorded] {
        &self.records
    }

    /// Records an event. Once this returns, the event survives a crash.
    ///
    /// # Errors
    ///
    /// If the event cannot be written, or another process has taken over the run. The log is then
    /// unchanged, at the latest when it is opened again.
    pub fn append(&mut self, event: Event) -> Result<(), LedgerError> {
        let at = self.clock.now();
        let recorded = Recorded { at, event };
        let line = recorded.to_line().map_err(|source| LedgerError::Unwritable {
            event: recorded.event.name().to_owned(),
            source,
        })?;
        if let Some(sink) = &mut self.sink {
            sink.append(&recorded, &line)?;
        }
        if let Some(observer) = &mut self.observer {
            observer(&recorded, &line);
        }
        if let Some(key) = recorded.event.key() {
            self.last_places.insert(key, self.records.len());
        }
        self.records.push(recorded);
        Ok(())
    }

    /// Records an event unless it is recorded already: a process that continues from a checkpoint
    /// repeats what happened after it. An event is recorded already if the last one about the same
    /// thing, such as the end of the same epoch, has the same values apart from times.
    ///
    /// # Errors
    ///
    /// As for [`Ledger::append`].
    pub fn append_once(&mut self, event: Event) -> Result<Appended, LedgerError> {
        let last = event.key().and_then(|key| self.last_places.get(&key));
        let is_recorded =
            last.is_some_and(|&place| differ_only_in_times(&self.records[place].event, &event));
        if is_recorded {
            return Ok(Appended::Before);
        }
        self.append(event)?;
        Ok(Appended::Now)
    }
}

/// Whether two events are equal but for times. Compared as text, in which NaN equals NaN.
fn differ_only_in_times(one: &Event, other: &Event) -> bool {
    let text = |event: &Event| serde_json::to_string(&event.without_times());
    match (text(one), text(other)) {
        (Ok(one), Ok(other)) => one == other,
        // An event that cannot be written as JSON is refused by `append`.
        _ => false,
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let path = self.sink.as_ref().map(|sink| &sink.path);
        f.debug_struct("Ledger")
            .field("path", &path)
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl Sink {
    fn append(&mut self, recorded: &Recorded, line: &str) -> Result<(), LedgerError> {
        let bytes = line.len() + 1;
        if bytes > LINE_LIMIT_BYTES || self.whole_bytes + bytes as u64 > LOG_LIMIT_BYTES {
            return Err(LedgerError::TooLarge {
                path: self.path.clone(),
                event: recorded.event.name().to_owned(),
                bytes,
            });
        }
        self.fence.check()?;
        self.cut_tail()?;
        self.has_tail = true;
        let written = self.write(line);
        if written.is_ok() {
            self.has_tail = false;
            self.whole_bytes += bytes as u64;
        } else {
            // Part of a line must not stay, or the next line would be appended to it. If it cannot be
            // removed now, it is before the next append, or when the log is opened again.
            let _ = self.cut_tail();
        }
        Ok(written?)
    }

    fn write(&mut self, line: &str) -> Result<(), FileError> {
        self.file.write(format!("{line}\n").as_bytes())?;
        self.file.sync()
    }

    fn cut_tail(&mut self) -> Result<(), FileError> {
        if self.has_tail {
            self.file.truncate(self.whole_bytes)?;
            self.file.sync()?;
            self.has_tail = false;
        }
        Ok(())
    }
}

/// Reads an event log, which another process may be writing. An unfinished last line is left out, but
/// not removed. A missing log has no events.
///
/// # Errors
///
/// When the log is damaged before its last line, or cannot be read.
pub fn read(files: &dyn Files, path: &Path) -> Result<Vec<Recorded>, LedgerError> {
    Ok(parse(files, path)?.records)
}

fn parse(files: &dyn Files, path: &Path) -> Result<super::Parsed, LedgerError> {
    /// Why a piece of a log cannot be read.
    enum Failure {
        Line(LineError),
        File(FileError),
    }
    impl From<LineError> for Failure {
        fn from(error: LineError) -> Self {
            Self::Line(error)
        }
    }
    let parsed = parse_pieces(|offset| {
        if offset > LOG_LIMIT_BYTES {
            let (path, limit_bytes) = (path.into(), LOG_LIMIT_BYTES);
            return Err(Failure::File(FileError::TooLarge { path, limit_bytes }));
        }
        match files.read_at(path, offset, PIECE_BYTES) {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            other => other.map_err(Failure::File),
        }
    });
    parsed.map_err(|failure| match failure {
        Failure::Line(source) => LedgerError::Damaged { path: path.into(), source },
        Failure::File(error) => error.into(),
    })
}

#[cfg(test)]
mod tests;
