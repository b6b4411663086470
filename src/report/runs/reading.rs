//! The record of a run, read as far as a line about it needs.

use std::path::Path;

use crate::ledger::{Enough, Event, LedgerError, LogEnds, Recorded, read, read_ends};
use crate::sys::files::{FileError, RealFiles};

/// The longest log that is read as a whole for one line of a list.
const WHOLE_LOG_BYTES_MAX: u64 = 256 << 20;

/// What was read of a run's events.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Of a finished study: how it started, and the events around its end.
    Ends(Vec<Recorded>),
    /// All events.
    Whole(Vec<Recorded>),
}

impl Reading {
    /// The events, oldest first.
    pub fn records(&self) -> &[Recorded] {
        match self {
            Self::Ends(records) | Self::Whole(records) => records,
        }
    }
}

/// Reads a log: of a finished study its ends, of any other one everything.
///
/// # Errors
///
/// When the log is damaged, too long, or cannot be read.
pub fn read_record(path: &Path) -> Result<Reading, LedgerError> {
    let mut end = End::default();
    if let Some(LogEnds { first, last }) = read_ends(path, |event| end.judge(event))?
        && end.is_finished
    {
        return Ok(Reading::Ends([first].into_iter().chain(last).collect()));
    }
    if std::fs::metadata(path).is_ok_and(|found| found.len() > WHOLE_LOG_BYTES_MAX) {
        let (path, limit_bytes) = (path.into(), WHOLE_LOG_BYTES_MAX);
        return Err(FileError::TooLarge { path, limit_bytes }.into());
    }
    Ok(Reading::Whole(read(&RealFiles, path)?))
}

/// What was seen on the way from the end of a log.
#[derive(Debug, Default)]
struct End {
    is_finished: bool,
    has_gate: bool,
    has_trial: bool,
}

impl End {
    fn judge(&mut self, event: &Event) -> Enough {
        match event {
            Event::StudyFinished(_) => self.is_finished = true,
            // Both come before the end of the study, and after what their trial was trained in.
            Event::GateDecided { .. } if self.is_finished => self.has_gate = true,
            Event::TrialFinished { .. } if self.is_finished => self.has_trial = true,
            // These may come after the end.
            Event::StudyStopped { .. }
            | Event::StudyResumed { .. }
            | Event::TestSplitRead { .. }
            | Event::ForgettingMeasured { .. }
            | Event::CheckpointsRemoved { .. }
            | Event::SupervisorRestarted { .. }
            | Event::SupervisorGaveUp { .. }
            | Event::Unknown { .. } => {}
            // It changes the gate, so what was decided before is no matter.
            Event::StudyExtended { .. } if self.is_finished => return Enough::Yes,
            _ if !self.is_finished => return Enough::NeedsAll,
            _ => {}
        }
        if self.has_gate && self.has_trial { Enough::Yes } else { Enough::No }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{accepted, ended, epoch, finished, records, started};
    use super::*;
    use crate::ledger::Outcome;

    fn reading(events: impl IntoIterator<Item = Event>) -> Result<Reading, LedgerError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let lines = records(events).into_iter().map(|recorded| recorded.to_line().unwrap() + "\n");
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        read_record(&path)
    }

    #[test]
    fn of_a_finished_study_the_training_is_not_read() {
        let Ok(Reading::Ends(records)) = reading(accepted()) else { panic!("read as a whole") };
        let names: Vec<&str> = records.iter().map(|recorded| recorded.event.name()).collect();
        assert_eq!(names, ["study_started", "trial_finished", "gate_decided", "study_finished"]);
    }

    #[test]
    fn of_a_study_that_goes_on_everything_is_read() {
        let unfinished = |events: Vec<Event>| {
            let count = events.len();
            match reading(events) {
                Ok(Reading::Whole(records)) => assert_eq!(records.len(), count),
                other => panic!("{other:?}"),
            }
        };
        let begun = accepted()[..2].to_vec();
        unfinished(begun.clone());
        let stopped = Event::StudyStopped { signal: "SIGTERM".into() };
        unfinished([begun, vec![epoch(1, 1, 0.5), stopped.clone()]].concat());
        let extended = Event::StudyExtended {
            extension: 1,
            more_trials: 1,
            more_epochs: 0,
            gate: None,
            trials: 9,
            threshold: 0.9,
            request: None,
        };
        unfinished([accepted(), vec![extended.clone()]].concat());
        unfinished([accepted(), vec![extended.clone(), stopped.clone()]].concat());
        let again = [started(3, Some(1)), finished(3, 0.5), ended(Outcome::Rejected, 2, 0.8)];
        let again = [accepted(), vec![extended, stopped.clone()], again.into()].concat();
        let Ok(Reading::Ends(records)) = reading(again) else { panic!("read as a whole") };
        let extension = records.iter().position(|read| read.event.name() == "study_extended");
        assert_eq!(extension, Some(1), "the gate is that of the extension: {records:#?}");
        assert!(matches!(reading([accepted(), vec![stopped]].concat()), Ok(Reading::Ends(_))));
    }
}
