//! Tests of `ended`.

use super::*;

fn state(code: i64, seconds: u8) -> ContainerState {
    ContainerState {
        exit_code: Some(code),
        oom_killed: Some(false),
        started_at: Some("2026-01-02T03:04:00.5Z".into()),
        finished_at: Some(format!("2026-01-02T03:04:{seconds:02}.5Z")),
        ..Default::default()
    }
}

#[test]
fn an_end_that_was_not_asked_for_is_the_exit_code() {
    assert_eq!(ended(&state(0, 5), None, Some(60)), Ended::Exited(0));
    assert_eq!(ended(&state(137, 5), None, Some(60)), Ended::Exited(137));
    assert_eq!(ended(&ContainerState::default(), None, None), Ended::Exited(-1));
}

#[test]
fn what_was_asked_for_goes_before_the_exit_code() {
    assert_eq!(ended(&state(0, 5), Some(EndReason::Stop), None), Ended::Stopped);
    assert_eq!(ended(&state(137, 5), Some(EndReason::TimeLimit), None), Ended::TimedOut);
    let hang = Hang::Silent(Duration::from_secs(60));
    assert_eq!(ended(&state(0, 5), Some(EndReason::Hang(hang)), None), Ended::Hung(hang));
}

#[test]
fn a_time_limit_that_a_process_before_this_one_enforced_is_recognized() {
    assert_eq!(ended(&state(143, 30), None, Some(30)), Ended::TimedOut);
    assert_eq!(ended(&state(143, 29), None, Some(30)), Ended::Exited(143));
    assert_eq!(ended(&state(1, 40), None, Some(30)), Ended::Exited(1));
}

#[test]
fn memory_that_ran_out_is_told_unless_the_program_went_on_to_succeed() {
    let with = |code| ContainerState { oom_killed: Some(true), ..state(code, 5) };
    assert_eq!(ended(&with(137), None, None), Ended::OutOfMemory);
    assert_eq!(ended(&with(0), None, None), Ended::Exited(0));
}

#[test]
fn a_container_that_was_never_started_has_no_start() {
    let never =
        ContainerState { started_at: Some("0001-01-01T00:00:00Z".into()), ..Default::default() };
    assert_eq!(started(&never), None);
    assert!(started(&state(0, 1)).is_some());
}
