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
    /// The best trial, until its bound is found, if the gate judges by bounds.
    bound_of: Option<u32>,
}

impl End {
    fn judge(&mut self, event: &Event) -> Enough {
        match event {
            Event::StudyFinished(result) if !self.is_finished => {
                self.is_finished = true;
                self.bound_of = result.best_trial;
            }
            // Both come before the end of the study, and after what their trial was trained in.
            Event::GateDecided { trial, judged, .. } if self.is_finished => {
                self.has_gate = true;
                if judged.is_none() || self.bound_of == Some(*trial) {
                    self.bound_of = None;
                }
            }
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
            Event::StudyExtended { .. } if self.is_finished && !self.wants_bound() => {
                return Enough::Yes;
            }
            _ if !self.is_finished => return Enough::NeedsAll,
            _ => {}
        }
        match self.has_gate && self.has_trial && !self.wants_bound() {
            true => Enough::Yes,
            false => Enough::No,
        }
    }

    /// Whether decisions by a bound were seen, but not yet that on the best trial.
    fn wants_bound(&self) -> bool {
        self.has_gate && self.bound_of.is_some()
    }
}

#[cfg(test)]
mod tests;
