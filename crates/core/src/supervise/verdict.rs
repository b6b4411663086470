//! Whether to restart a trainer that ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::heartbeats::Silence;
use crate::sys::signals::StopSignal;

/// How a trainer process ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// By itself, or by a signal from elsewhere.
    Exited(ExitStatus),
    /// The supervisor killed it.
    Hung(Silence),
    /// It could not be started, with the system's error.
    NotStarted(String),
}

/// What the supervisor does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The supervisor ends with this code.
    Finish(u8),
    /// The trainer is restarted, for this reason.
    Restart(String),
}

/// Exit codes that are final: gate passed, wrong usage, gate not passed, locked by another process.
const FINISHED: [i32; 4] = [0, 2, 3, 4];

impl Ending {
    /// How a trainer ended. With `silence`, it was being ended as hung, but it may have finished just then.
    pub(super) fn new(status: ExitStatus, silence: Option<Silence>) -> Self {
        let finished = status.code().is_some_and(|code| FINISHED.contains(&code));
        match silence {
            Some(silence) if !finished => Self::Hung(silence),
            _ => Self::Exited(status),
        }
    }

    pub(super) fn next(&self, stop_requested: Option<StopSignal>) -> Next {
        let code = match self {
            Self::Exited(status) => status.code(),
            Self::Hung(_) | Self::NotStarted(_) => None,
        };
        match (code, stop_requested) {
            (Some(code), _) if FINISHED.contains(&code) => Next::Finish(code as u8),
            // Asked to stop, it answers with the signal's code, or with that of an error on the
            // way, which must not be hidden.
            (Some(code), Some(_)) => Next::Finish(code as u8),
            (None, Some(signal)) => Next::Finish(signal.exit_code()),
            (_, None) => Next::Restart(self.cause()),
        }
    }

    fn cause(&self) -> String {
        match self {
            Self::Hung(silence) => format!("the trainer hung: {silence}"),
            Self::NotStarted(why) => format!("the trainer could not be started: {why}"),
            Self::Exited(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("the trainer exited with code {code}"),
                (_, Some(signal)) => format!("the trainer was killed by {}", name(signal)),
                _ => format!("the trainer ended: {status}"),
            },
        }
    }
}

fn name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| format!("signal {signal}"), Into::into)
}

#[cfg(test)]
mod tests;
