//! A sign of life in the run folder: where training is, told at every step.
//!
//! The supervisor reads it to notice a hang, and to tell whether a trainer that crashed again got
//! any further. It is overwritten in place, in one system call of a few microseconds that needs no
//! space on the disk after the first, and is never synced: it says nothing about the past.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::files::{FileError, Operation};

/// Name of the heartbeat's file in a run folder.
pub const HEARTBEAT_FILE: &str = "heartbeat";

/// Where training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// Number of the trial.
    pub trial: u32,
    /// Number of the epoch.
    pub epoch: u32,
    /// Steps done.
    pub step: u64,
}

/// The trainer's end.
#[derive(Debug)]
pub struct Heartbeat {
    file: File,
    path: PathBuf,
    beats: u64,
}

/// What stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The process that trains.
    pub pid: u32,
    /// Grows by one with every sign of life, also where the position stays.
    pub beats: u64,
    /// When, in milliseconds since 1970; a restarted container gives its trainer the same process
    /// id again, and only this tells the two apart.
    pub at_ms: u64,
    /// Where training is.
    #[serde(flatten)]
    pub position: Position,
}

/// Every beat is padded to this, so that a shorter one leaves nothing of a longer one behind.
const WIDTH_BYTES: usize = 192;

impl Heartbeat {
    /// Opens the heartbeat of a run folder.
    ///
    /// # Errors
    ///
    /// When the file cannot be created.
    pub fn open(run_folder: &Path) -> Result<Self, FileError> {
        let path = run_folder.join(HEARTBEAT_FILE);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| FileError::new(Operation::Open, &path, WIDTH_BYTES as u64, e))?;
        Ok(Self { file, path, beats: 0 })
    }

    /// Tells that training is alive and where it is. Call it at every step and every evaluated
    /// batch.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn beat(&mut self, position: Position) -> Result<(), FileError> {
        self.beats += 1;
        let beat = Beat { pid: std::process::id(), beats: self.beats, at_ms: now_ms(), position };
        let failed = |e| FileError::new(Operation::Write, &self.path, WIDTH_BYTES as u64, e);
        let mut line = serde_json::to_vec(&beat).map_err(|e| failed(e.into()))?;
        line.resize(WIDTH_BYTES - 1, b' ');
        line.push(b'\n');
        self.file.write_all_at(&line, 0).map_err(failed)
    }
}

/// The time as beats tell it, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// The supervisor's end: the last beat in a run folder, `None` where there is none yet.
pub fn last_beat(run_folder: &Path) -> Option<Beat> {
    let file = File::open(run_folder.join(HEARTBEAT_FILE)).ok()?;
    let mut text = Vec::new();
    file.take(WIDTH_BYTES as u64).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_beat_is_read_back_and_every_beat_differs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_beat(folder.path()), None);
        let mut heart = Heartbeat::open(folder.path()).unwrap();
        let far = Position { trial: 12, epoch: 1000, step: 123_456_789 };
        heart.beat(far).unwrap();
        let first = last_beat(folder.path()).unwrap();
        assert_eq!((first.position, first.pid), (far, std::process::id()));
        heart.beat(Position::default()).unwrap();
        heart.beat(Position::default()).unwrap();
        let third = last_beat(folder.path()).unwrap();
        assert_eq!((third.position, third.beats), (Position::default(), 3));
    }

    #[test]
    fn the_largest_numbers_fit() {
        let folder = tempfile::tempdir().unwrap();
        let mut heart = Heartbeat::open(folder.path()).unwrap();
        heart.beats = u64::MAX - 1;
        let last = Position { trial: u32::MAX, epoch: u32::MAX, step: u64::MAX };
        heart.beat(last).unwrap();
        assert_eq!(last_beat(folder.path()).unwrap().position, last);
    }

    #[test]
    fn a_damaged_heartbeat_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(HEARTBEAT_FILE), [0xff; 1000]).unwrap();
        assert_eq!(last_beat(folder.path()), None);
    }
}
