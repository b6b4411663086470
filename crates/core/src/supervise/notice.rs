//! Messages of a supervisor.

use std::fmt;
use std::time::Duration;

use super::heartbeats::Silence;
use crate::sys::signals::StopSignal;

/// A message about the trainer.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// It was started.
    Started {
        /// Its process id.
        pid: u32,
    },
    /// A signal was passed on to it.
    Forwarded {
        /// The signal.
        signal: StopSignal,
    },
    /// It hangs, and is being ended.
    Hung {
        /// How long there was no heartbeat.
        silence: Silence,
    },
    /// It ended, and will be restarted.
    Restarting {
        /// Why it ended.
        cause: String,
        /// Number of the restart, counted from 1.
        attempt: u32,
        /// Time until the restart.
        delay: Duration,
    },
    /// It will not be restarted.
    GaveUp {
        /// Why.
        cause: String,
    },
    /// A message of `[notify]` was sent.
    Notified {
        /// Which, and to whom.
        message: String,
    },
    /// A message of `[notify]` could not be sent.
    NotifyFailed {
        /// Why.
        why: String,
    },
    /// An event of the supervisor could not be recorded in the run folder.
    NotRecorded {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Started { pid } => write!(f, "started the trainer as process {pid}"),
            Self::Forwarded { signal } => write!(f, "forwarded {} to the trainer", signal.name()),
            Self::Hung { silence } => write!(f, "ending the trainer: {silence}"),
            Self::Restarting { cause, attempt, delay } => {
                write!(f, "{cause}; restart {attempt} in {:.1} s", delay.as_secs_f64())
            }
            Self::GaveUp { cause } => write!(f, "gave up: {cause}"),
            Self::Notified { message } => f.write_str(message),
            Self::NotifyFailed { why } => f.write_str(why),
            Self::NotRecorded { why } => write!(f, "could not record this in the run: {why}"),
        }
    }
}
