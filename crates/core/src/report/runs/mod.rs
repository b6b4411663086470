//! The runs in a folder, a line each: read from the ends of their records, without a lock, while they run.

mod listing;
mod reading;
mod size;
mod state;

pub(crate) use self::listing::{Foreign, find};
pub(crate) use self::state::RunState;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use self::reading::{Reading, read_record};
use self::size::size_of;
use super::Report;
use crate::ledger::{Event, LedgerError, Recorded};
use crate::record::Measure;
use crate::sys::heartbeat::{Beat, Position, last_beat, now_ms};
use crate::sys::process::ProcessName;
use crate::sys::standing::{Standing, standing};

/// A run, in a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunLine {
    /// The name of its folder, bytes that are not UTF-8 replaced.
    pub run: String,
    /// The path of its folder, likewise.
    pub path: String,
    /// The name of its study; `None` if nothing was recorded yet.
    pub study: Option<String>,
    /// Whether it is running, over, or waits to be resumed.
    pub state: RunState,
    /// Whether `burgeon resume` continues it.
    pub can_be_resumed: bool,
    /// Number of trials that were started.
    pub trials: u64,
    /// The trial of the best model so far.
    pub best_trial: Option<u32>,
    /// Its accuracy on the validation images, 0..=1.
    pub validation_accuracy: Option<f64>,
    /// The lower confidence bound of that, 0..=1, if the gate judges by it.
    pub bound: Option<f64>,
    /// Its accuracy on the test images, 0..=1, if it was accepted.
    pub test_accuracy: Option<f64>,
    /// Its trainable parameters.
    pub parameters: Option<u64>,
    /// The validation accuracy that the gate requires, 0..=1; 0 if it requires none.
    pub gate: Option<f64>,
    /// What the gate requires besides, known once it was applied.
    pub floors: Vec<Floor>,
    /// Seconds of the study; of training alone while it is unfinished.
    pub seconds: f64,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When something was last recorded.
    pub last_event_at: Option<Timestamp>,
    /// What is training, while it runs.
    pub position: Option<Position>,
    /// Seconds since its process last showed progress, while one holds it.
    pub silent_seconds: Option<u64>,
    /// The process that holds it.
    pub holder: Option<HolderLine>,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Whether those are all: nothing in the folder was unreadable.
    pub bytes_are_all: bool,
}

/// A minimum of the gate other than that of the accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Floor {
    /// What is measured.
    pub measure: Measure,
    /// The required minimum, 0..=1.
    pub floor: f64,
}

/// The process that holds a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HolderLine {
    /// Its id.
    pub pid: u32,
    /// The name of its machine.
    pub host: String,
    /// Its command.
    pub command: String,
}

impl RunLine {
    /// Reads what there is to tell about a run; `this` is the process that asks.
    ///
    /// # Errors
    ///
    /// When its record is damaged or cannot be read.
    pub fn read(path: &Path, this: &ProcessName) -> Result<Self, LedgerError> {
        let standing = standing(path, this);
        let beat = last_beat(path);
        let reading = match read_record(&path.join("events.jsonl")) {
            // Begun, but not further than that.
            Err(LedgerError::File(error)) if error.is_not_found() => Reading::Whole(Vec::new()),
            other => other?,
        };
        let size = size_of(path);
        let mut line = Self::of(&reading, &standing, beat.as_ref());
        line.run = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        line.path = path.to_string_lossy().into_owned();
        (line.bytes, line.bytes_are_all) = (size.bytes, size.is_whole);
        Ok(line)
    }

    fn of(reading: &Reading, standing: &Standing, beat: Option<&Beat>) -> Self {
        let records = reading.records();
        let report = Report::from_records(records);
        let state = RunState::of(&report.state, out_of_time(records), standing, beat, now_ms());
        let (gate, floors) = gate(records);
        let is_live = matches!(state, RunState::Running | RunState::Hung);
        let holder = match standing {
            Standing::Held(holder) | Standing::Elsewhere(holder) if is_live => Some(holder),
            _ => None,
        };
        let beat = beat.filter(|beat| holder.is_some_and(|holder| holder.process.pid == beat.pid));
        let figures = report.figures;
        Self {
            run: String::new(),
            path: String::new(),
            study: Some(report.started.name).filter(|name| !name.is_empty()),
            state,
            can_be_resumed: state.can_be_resumed(),
            trials: figures.trials,
            best_trial: figures.best_trial,
            validation_accuracy: figures.validation_accuracy.filter(|share| share.is_finite()),
            bound: figures.best_trial.and_then(|trial| bound(records, trial)),
            test_accuracy: figures.test_accuracy,
            parameters: figures.parameters,
            gate,
            floors,
            seconds: figures.seconds,
            started_at: records.first().map(|first| first.at),
            last_event_at: records.last().map(|last| last.at),
            position: beat.and_then(|beat| beat.positions().first().copied()),
            silent_seconds: beat.map(|beat| now_ms().saturating_sub(beat.at_ms) / 1000),
            holder: holder.map(|holder| HolderLine {
                pid: holder.process.pid,
                host: holder.process.host.clone(),
                command: holder.command.clone(),
            }),
            bytes: 0,
            bytes_are_all: true,
        }
    }
}

/// Whether the last trial was ended by a time limit.
pub(super) fn out_of_time(records: &[Recorded]) -> bool {
    let last = records.iter().rev().find_map(|recorded| match &recorded.event {
        Event::TrialFinished { diagnosis, .. } => Some(diagnosis.out_of_time.is_some()),
        _ => None,
    });
    last.unwrap_or(false)
}

/// The lower confidence bound by which the gate judged a trial.
fn bound(records: &[Recorded], of: u32) -> Option<f64> {
    records.iter().rev().find_map(|recorded| match recorded.event {
        Event::GateDecided { trial, judged, .. } if trial == of => judged,
        _ => None,
    })
}

/// What the gate requires: the accuracy, and other minimums once it was applied.
fn gate(records: &[Recorded]) -> (Option<f64>, Vec<Floor>) {
    let (mut gate, mut required) = (None, Vec::new());
    for recorded in records {
        match &recorded.event {
            Event::StudyStarted { threshold, .. } | Event::StudyExtended { threshold, .. } => {
                gate = Some(*threshold);
            }
            Event::GateDecided { threshold, floors, .. } => {
                gate = Some(*threshold);
                let floor = |judged: &crate::gate::FloorJudgement| Floor {
                    measure: judged.measure,
                    floor: judged.floor,
                };
                required = floors.iter().map(floor).collect();
            }
            _ => {}
        }
    }
    (gate, required)
}

#[cfg(test)]
mod tests;
