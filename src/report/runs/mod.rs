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
mod tests {
    use super::super::samples::{accepted, imbalanced, records, started, study_started};
    use super::*;
    use crate::record::Conclusion;

    fn line(events: impl IntoIterator<Item = Event>) -> RunLine {
        RunLine::of(&Reading::Whole(records(events)), &Standing::Free, None)
    }

    #[test]
    fn the_ends_of_a_record_tell_as_much_as_all_of_it() {
        for events in [accepted(), imbalanced()] {
            let all = records(events);
            let names = ["study_started", "trial_finished", "gate_decided", "study_finished"];
            let of_ends = |recorded: &&Recorded| names.contains(&recorded.event.name());
            let ends: Vec<Recorded> = all.iter().filter(of_ends).cloned().collect();
            let whole = RunLine::of(&Reading::Whole(all), &Standing::Free, None);
            assert_eq!(RunLine::of(&Reading::Ends(ends), &Standing::Free, None), whole);
            assert!(whole.gate.is_some() && whole.validation_accuracy.is_some(), "{whole:?}");
        }
    }

    #[test]
    fn the_gate_is_the_one_that_holds_with_its_other_minimums() {
        let strict = line(imbalanced());
        let recall = Floor { measure: Measure::LeastRecall, floor: 0.5 };
        assert_eq!((strict.gate, strict.floors), (Some(0.0), vec![recall]));
        let mut events = accepted();
        events.push(Event::StudyExtended {
            extension: 1,
            more_trials: 1,
            more_epochs: 0,
            gate: Some(0.9),
            trials: 9,
            threshold: 0.9,
            request: None,
        });
        let extended = line(events);
        assert_eq!((extended.gate, extended.state), (Some(0.9), RunState::Interrupted));
    }

    #[test]
    fn a_rejection_by_the_clock_is_told_from_one_by_the_budget() {
        let mut events = imbalanced();
        assert_eq!(line(events.clone()).state, RunState::Rejected);
        for event in &mut events {
            if let Event::TrialFinished { diagnosis, .. } = event {
                let why = Some("the 5 s of `tune.seconds` have passed".into());
                *diagnosis = Conclusion { out_of_time: why, ..diagnosis.clone() };
            }
        }
        assert_eq!(line(events).state, RunState::OutOfTime);
    }

    #[test]
    fn a_run_that_has_only_begun_is_a_line_too() {
        let begun = line([study_started(), started(1, None)]);
        assert_eq!((begun.trials, begun.validation_accuracy, begun.gate), (1, None, Some(0.8)));
        let nothing = line([]);
        assert_eq!((nothing.study, nothing.state), (None, RunState::Interrupted));
    }
}
