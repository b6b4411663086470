//! The heartbeat: a file in the run folder that shows that work continues, and how far the training is. It
//! is written at every piece of progress: a step, an evaluated batch, a block of a download.
//!
//! The supervisor reads it to detect a hang, and to see whether a trainer that crashed again got further.
//! It is overwritten in place, in one system call of a few microseconds that needs no further disk space,
//! and it is never synced, because it does not matter after a crash of the machine.

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

/// The position of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// Number of the trial.
    pub trial: u32,
    /// Number of the epoch.
    pub epoch: u32,
    /// Finished steps of the epoch.
    pub step: u64,
}

/// Writes the heartbeat, for the trainer. All threads that work on a study share it.
#[derive(Debug)]
pub struct Heartbeat {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    beats: u64,
    /// The position of each running trial.
    running_trials: BTreeMap<u32, Position>,
    /// The last position.
    last: Position,
    /// Length of the longest beat in bytes; shorter ones are padded to overwrite all of it.
    width: usize,
}

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Id of the process that trains.
    pub pid: u32,
    /// Number of heartbeats of this process; grows even if the position does not change.
    pub beats: u64,
    /// Time in milliseconds since 1970. It distinguishes processes with the same id, as a restarted
    /// container may have.
    pub at_ms: u64,
    /// Position of the first running trial.
    #[serde(flatten)]
    pub position: Position,
    /// Positions of the other running trials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Position>,
}

impl Beat {
    /// Positions of all running trials, in order; empty before the first step.
    pub fn positions(&self) -> Vec<Position> {
        let all = [self.position].into_iter().chain(self.beside.iter().copied());
        all.filter(|position| *position != Position::default()).collect()
    }
}

/// Length that a beat of one trial is padded to.
const WIDTH_BYTES: usize = 192;
/// More than the length of a beat with the largest number of running trials.
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

    /// Records progress without a new position: an evaluated batch, a step of a range test, a checkpoint
    /// that is being written.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn beat(&self) -> Result<(), FileError> {
        self.change(|_| {})
    }

    /// Records the position of a running trial.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn move_to(&self, position: Position) -> Result<(), FileError> {
        self.change(|running_trials| {
            running_trials.insert(position.trial, position);
        })
    }

    /// Records that a trial no longer runs.
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
        // The state is consistent even if another thread panicked.
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

/// The current time in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// For the supervisor: the last beat in a run folder, `None` if there is none.
pub fn last_beat(run_folder: &Path) -> Option<Beat> {
    let file = File::open(run_folder.join(HEARTBEAT_FILE)).ok()?;
    let mut text = Vec::new();
    file.take(WIDTH_BYTES_MAX).read_to_end(&mut text).ok()?;
    // Later lines are remains of a longer beat of an earlier process.
    serde_json::from_slice(text.split(|&byte| byte == b'\n').next()?).ok()
}

#[cfg(test)]
mod tests;
