//! Tests of `report::runs::state`.

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
