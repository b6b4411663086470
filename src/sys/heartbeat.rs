//! A sign of life in the run folder: that work goes on, and where training is. It comes from whatever
//! makes progress, in every phase: a step, an evaluated batch, a block of a download.
//!
//! The supervisor reads it to notice a hang, and to tell whether a trainer that crashed again got
//! any further. It is overwritten in place, in one system call of a few microseconds that needs no
//! space on the disk after the first, and is never synced: it says nothing about the past.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
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

/// The trainer's end. All threads that work on a study share it.
#[derive(Debug)]
pub struct Heartbeat {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    beats: u64,
    /// How far each trial is that trains now.
    running_trials: BTreeMap<u32, Position>,
    /// Where training was last.
    last: Position,
    /// Bytes of the longest beat; shorter ones are padded, so that nothing of it is left behind.
    width: usize,
}

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The process that trains.
    pub pid: u32,
    /// Grows by one with every sign of life, also where the position stays.
    pub beats: u64,
    /// When, in milliseconds since 1970; a restarted container gives its trainer the same process
    /// id again, and only this tells the two apart.
    pub at_ms: u64,
    /// Where training is: the first of the trials that train at the same time.
    #[serde(flatten)]
    pub position: Position,
    /// Where the other trials are that train at the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Position>,
}

impl Beat {
    /// Where all trials are that train at the same time, the first one first; nothing before the
    /// first step.
    pub fn positions(&self) -> Vec<Position> {
        let all = [self.position].into_iter().chain(self.beside.iter().copied());
        all.filter(|position| *position != Position::default()).collect()
    }
}

/// What a beat of one trial is padded to.
const WIDTH_BYTES: usize = 192;
/// More than the beat of as many trials as may train at the same time.
const WIDTH_BYTES_MAX: u64 = 64 << 10;

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
        let (running_trials, last) = (BTreeMap::new(), Position::default());
        let state = State { file, beats: 0, running_trials, last, width: WIDTH_BYTES };
        Ok(Self { path, state: Mutex::new(state) })
    }

    /// Tells that work goes on, whatever work it is: an evaluated batch, a step of a range test, a
    /// checkpoint that is being written.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn beat(&self) -> Result<(), FileError> {
        self.change(|_| {})
    }

    /// Tells that a trial is there now.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn move_to(&self, position: Position) -> Result<(), FileError> {
        self.change(|running_trials| {
            running_trials.insert(position.trial, position);
        })
    }

    /// Tells that a trial trains no more.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn leave(&self, trial: u32) -> Result<(), FileError> {
        self.change(|running_trials| {
            running_trials.remove(&trial);
        })
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<u32, Position>)) -> Result<(), FileError> {
        // Every part of the state is whole at any time, whoever panicked.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.running_trials);
        let mut positions = state.running_trials.values().copied();
        let first = positions.next();
        let beside = positions.collect();
        state.last = first.unwrap_or(state.last);
        state.beats += 1;
        let (pid, at_ms) = (std::process::id(), now_ms());
        let beat = Beat { pid, beats: state.beats, at_ms, position: state.last, beside };
        let failed = |e| FileError::new(Operation::Write, &self.path, WIDTH_BYTES as u64, e);
        let mut line = serde_json::to_vec(&beat).map_err(|e| failed(e.into()))?;
        state.width = state.width.max(line.len() + 1);
        line.resize(state.width - 1, b' ');
        line.push(b'\n');
        state.file.write_all_at(&line, 0).map_err(failed)
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
    file.take(WIDTH_BYTES_MAX).read_to_end(&mut text).ok()?;
    // What follows is left of a longer beat of an earlier process.
    serde_json::from_slice(text.split(|&byte| byte == b'\n').next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(trial: u32, step: u64) -> Position {
        Position { trial, epoch: 1, step }
    }

    #[test]
    fn the_last_beat_is_read_back_and_every_beat_differs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_beat(folder.path()), None);
        let heart = Heartbeat::open(folder.path()).unwrap();
        let far = Position { trial: 12, epoch: 1000, step: 123_456_789 };
        heart.move_to(far).unwrap();
        let first = last_beat(folder.path()).unwrap();
        assert_eq!((first.position, first.pid), (far, std::process::id()));
        heart.beat().unwrap();
        heart.beat().unwrap();
        let third = last_beat(folder.path()).unwrap();
        assert_eq!((third.position, third.beats), (far, 3));
    }

    #[test]
    fn all_trials_that_train_at_the_same_time_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let heart = Heartbeat::open(folder.path()).unwrap();
        for trial in (1..=256).rev() {
            heart.move_to(at(trial, u64::MAX - u64::from(trial))).unwrap();
        }
        let positions = last_beat(folder.path()).unwrap().positions();
        let expected = (1..=256).map(|trial| at(trial, u64::MAX - u64::from(trial)));
        assert_eq!(positions, expected.collect::<Vec<_>>());
        for trial in 1..=255 {
            heart.leave(trial).unwrap();
        }
        let only = last_beat(folder.path()).unwrap();
        assert_eq!(only.positions(), [at(256, u64::MAX - 256)]);
        heart.leave(256).unwrap();
        assert_eq!(last_beat(folder.path()).unwrap().position, only.position, "where it was last");
    }

    #[test]
    fn nothing_is_left_of_a_longer_beat_of_an_earlier_process() {
        let folder = tempfile::tempdir().unwrap();
        let earlier = Heartbeat::open(folder.path()).unwrap();
        for trial in 1..=20 {
            earlier.move_to(at(trial, 9)).unwrap();
        }
        let heart = Heartbeat::open(folder.path()).unwrap();
        heart.move_to(at(3, 1)).unwrap();
        assert_eq!(last_beat(folder.path()).unwrap().positions(), [at(3, 1)]);
    }

    #[test]
    fn a_damaged_heartbeat_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(HEARTBEAT_FILE), [0xff; 1000]).unwrap();
        assert_eq!(last_beat(folder.path()), None);
    }
}
