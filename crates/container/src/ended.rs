//! How a container ended, from what the engine says of it and from what was asked of it.

use std::time::Duration;

use bollard::models::ContainerState;
use jiff::Timestamp;

use crate::hang::Hang;

/// How the program in a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, or by a signal that burgeon did not send, with this exit code.
    Exited(i64),
    /// As the caller asked for it.
    Stopped,
    /// As its time was up.
    TimedOut,
    /// As it gave no sign of life.
    Hung(Hang),
    /// Killed by the kernel, as it needed more memory than its limit.
    OutOfMemory,
}

/// Why a container was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The caller said so.
    Stop,
    /// Its time is up.
    TimeLimit,
    /// It gave no sign of life.
    Hang(Hang),
}

/// Exit codes of a program that SIGKILL or SIGTERM ended.
const BY_SIGNAL: [i64; 2] = [137, 143];

/// The end of a container that runs no more; `asked` as far as this process asked for it.
pub(super) fn ended(state: &ContainerState, asked: Option<EndReason>, limit: Option<u64>) -> Ended {
    let code = state.exit_code.unwrap_or(-1);
    match asked {
        Some(EndReason::Stop) => return Ended::Stopped,
        Some(EndReason::TimeLimit) => return Ended::TimedOut,
        Some(EndReason::Hang(hang)) => return Ended::Hung(hang),
        None => {}
    }
    if code != 0 && state.oom_killed == Some(true) {
        return Ended::OutOfMemory;
    }
    // A process before this one may have stopped it, and died before it could tell.
    let ran = started(state).zip(time(state.finished_at.as_deref())).map(|(from, to)| to - from);
    let is_over = |limit| {
        ran.and_then(|ran| Duration::try_from(ran).ok())
            .is_some_and(|ran| ran >= Duration::from_secs(limit))
    };
    match BY_SIGNAL.contains(&code) && limit.is_some_and(is_over) {
        true => Ended::TimedOut,
        false => Ended::Exited(code),
    }
}

/// When it was started, if it was.
pub(super) fn started(state: &ContainerState) -> Option<Timestamp> {
    time(state.started_at.as_deref())
}

/// Engines write the year 1 for what has not happened.
fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|at: &Timestamp| *at > Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
