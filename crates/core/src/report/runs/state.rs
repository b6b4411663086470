//! Whether a run is running, over, or waits to be resumed.

use serde::Serialize;

use super::super::State;
use crate::sys::heartbeat::Beat;
use crate::sys::standing::Standing;

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A process works on it.
    Running,
    /// A process of this machine holds it, but has shown no progress for a while.
    Hung,
    /// It was stopped on request, and can be resumed.
    Stopped,
    /// Its process ended before the study did, and it can be resumed.
    Interrupted,
    /// The supervisor gave up restarting it; it can be resumed.
    GaveUp,
    /// A model passed the gate.
    Accepted,
    /// No model passed, and the time for that is over.
    OutOfTime,
    /// No model passed, and the budget is used up.
    Rejected,
}

/// The supervisor's default: it detects a hang within twice this time.
const SILENT_SECONDS: u64 = 2 * 60;
/// From the start to the first heartbeat, likewise.
const STARTING_SECONDS: u64 = 900;

impl RunState {
    /// The state of a run whose record ends in `recorded`; `now_ms` is the time in milliseconds since 1970.
    pub fn of(
        recorded: &State,
        out_of_time: bool,
        standing: &Standing,
        beat: Option<&Beat>,
        now_ms: u64,
    ) -> Self {
        match (recorded, standing) {
            (State::Accepted, _) => Self::Accepted,
            (State::Rejected, _) if out_of_time => Self::OutOfTime,
            (State::Rejected, _) => Self::Rejected,
            (_, Standing::Held(holder)) => {
                let beat = beat.filter(|beat| beat.pid == holder.process.pid);
                let since = holder.since.as_millisecond().max(0) as u64;
                let (last, patience) = match beat {
                    Some(beat) => (beat.at_ms.max(since), SILENT_SECONDS),
                    None => (since, STARTING_SECONDS),
                };
                let silent = now_ms.saturating_sub(last) / 1000;
                if silent > patience { Self::Hung } else { Self::Running }
            }
            // Whether that process lives can only be told from its heartbeat.
            (_, Standing::Elsewhere(_)) if is_fresh(beat, now_ms) => Self::Running,
            (State::Stopped { .. }, _) => Self::Stopped,
            (State::GaveUp { .. }, _) => Self::GaveUp,
            (State::Unfinished, _) => Self::Interrupted,
        }
    }

    /// Whether `burgeon resume` continues it.
    pub fn can_be_resumed(self) -> bool {
        matches!(self, Self::Stopped | Self::Interrupted | Self::GaveUp)
    }

    /// Its name, as `--json` tells it, with spaces.
    pub fn words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Hung => "hung",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::GaveUp => "gave up",
            Self::Accepted => "accepted",
            Self::OutOfTime => "out of time",
            Self::Rejected => "rejected",
        }
    }
}

fn is_fresh(beat: Option<&Beat>, now_ms: u64) -> bool {
    beat.is_some_and(|beat| now_ms.saturating_sub(beat.at_ms) <= SILENT_SECONDS * 1000)
}

#[cfg(test)]
mod tests;
