//! What a supervisor tells people.

use std::fmt;
use std::time::Duration;

use super::pulse::Silence;
use crate::sys::signals::StopSignal;

/// Something that happened to the trainer.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// It runs.
    Started {
        /// Its process id.
        pid: u32,
    },
    /// A signal was passed on to it.
    Forwarded {
        /// Which.
        signal: StopSignal,
    },
    /// It hangs and is being ended.
    Hung {
        /// How that was seen.
        silence: Silence,
    },
    /// It ended and will be started again.
    Restarting {
        /// Why it ended.
        cause: String,
        /// Counted from 1.
        attempt: u32,
        /// Time until then.
        delay: Duration,
    },
    /// It will not be started again.
    GaveUp {
        /// Why.
        cause: String,
    },
    /// A restart, or giving up, could not be recorded in the run folder.
    NotRecorded {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Started { pid } => write!(f, "the trainer runs as process {pid}"),
            Self::Forwarded { signal } => write!(f, "passed {} on to the trainer", signal.name()),
            Self::Hung { silence } => write!(f, "ending the trainer: {silence}"),
            Self::Restarting { cause, attempt, delay } => {
                write!(f, "{cause}; restart {attempt} in {:.1} s", delay.as_secs_f64())
            }
            Self::GaveUp { cause } => write!(f, "gave up: {cause}"),
            Self::NotRecorded { why } => write!(f, "could not record this in the run: {why}"),
        }
    }
}
