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
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::sys::heartbeat::Position;
    use crate::sys::lock::Holder;
    use crate::sys::process::ProcessName;

    const NOW_MS: u64 = 10_000_000;

    fn holder(seconds_ago: u64) -> Holder {
        let process = ProcessName { pid: 7, ..ProcessName::current() };
        let since = Timestamp::from_millisecond((NOW_MS - seconds_ago * 1000) as i64).unwrap();
        Holder { process, since, command: "burgeon tune".into(), fence: 1 }
    }

    fn state(standing: &Standing, beat: Option<(u32, u64)>) -> RunState {
        let beat = beat.map(|(pid, seconds_ago)| Beat {
            pid,
            beats: 1,
            at_ms: NOW_MS - seconds_ago * 1000,
            position: Position::default(),
            beside: Vec::new(),
        });
        RunState::of(&State::Unfinished, false, standing, beat.as_ref(), NOW_MS)
    }

    #[test]
    fn a_process_without_a_heartbeat_hangs_after_its_time_to_start() {
        assert_eq!(state(&Standing::Held(holder(5)), None), RunState::Running);
        assert_eq!(state(&Standing::Held(holder(899)), None), RunState::Running);
        assert_eq!(state(&Standing::Held(holder(902)), None), RunState::Hung);
    }

    #[test]
    fn a_process_whose_heartbeat_stopped_hangs() {
        let held = Standing::Held(holder(5_000));
        assert_eq!(state(&held, Some((7, 100))), RunState::Running);
        assert_eq!(state(&held, Some((7, 122))), RunState::Hung);
        // A beat of the process before it says nothing.
        assert_eq!(state(&Standing::Held(holder(5)), Some((6, 5_000))), RunState::Running);
    }

    #[test]
    fn a_process_elsewhere_runs_as_long_as_its_heart_beats() {
        let elsewhere = Standing::Elsewhere(holder(5_000));
        assert_eq!(state(&elsewhere, Some((7, 10))), RunState::Running);
        assert_eq!(state(&elsewhere, Some((7, 1_000))), RunState::Interrupted);
        assert_eq!(state(&elsewhere, None), RunState::Interrupted);
        assert_eq!(state(&Standing::Free, Some((7, 1))), RunState::Interrupted);
    }

    #[test]
    fn what_is_over_is_over_whoever_holds_it() {
        let held = Standing::Held(holder(5_000));
        let over = |state: &State, late| RunState::of(state, late, &held, None, NOW_MS);
        assert_eq!(over(&State::Accepted, true), RunState::Accepted);
        assert_eq!(over(&State::Rejected, false), RunState::Rejected);
        assert_eq!(over(&State::Rejected, true), RunState::OutOfTime);
        let stopped = State::Stopped { signal: "SIGTERM".into() };
        assert_eq!(RunState::of(&stopped, false, &Standing::Free, None, 0), RunState::Stopped);
        assert_eq!(over(&stopped, false), RunState::Hung, "it is being resumed");
    }
}
