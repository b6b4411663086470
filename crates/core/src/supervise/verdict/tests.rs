//! Tests of `supervise::verdict`.

use std::time::Duration;

use super::super::heartbeats::SilentSince;
use super::*;

fn exited(code: i32) -> Ending {
    Ending::Exited(ExitStatus::from_raw(code << 8))
}

fn killed_by(signal: i32) -> Ending {
    Ending::Exited(ExitStatus::from_raw(signal))
}

#[test]
fn finished_trainers_are_never_restarted() {
    for code in [0, 2, 3, 4] {
        assert_eq!(exited(code).next(None), Next::Finish(code as u8));
    }
}

#[test]
fn failures_are_restarted_with_their_cause() {
    for (ending, cause) in [
        (exited(1), "the trainer exited with code 1"),
        (exited(101), "the trainer exited with code 101"),
        (killed_by(9), "the trainer was killed by SIGKILL"),
        (Ending::NotStarted("no".into()), "the trainer could not be started: no"),
    ] {
        assert_eq!(ending.next(None), Next::Restart(cause.into()));
    }
    let lasted = Duration::from_secs(9);
    let hung = Ending::Hung(Silence { lasted, since: SilentSince::LastBeat });
    assert!(matches!(hung.next(None), Next::Restart(_)));
}

#[test]
fn a_trainer_that_finishes_while_it_is_ended_as_hung_has_finished() {
    let lasted = Duration::from_secs(9);
    let silence = Some(Silence { lasted, since: SilentSince::LastBeat });
    let after = |raw| Ending::new(ExitStatus::from_raw(raw), silence).next(None);
    assert_eq!(after(0), Next::Finish(0));
    assert!(matches!(after(143 << 8), Next::Restart(_)));
}

#[test]
fn a_trainer_stopped_by_somebody_else_is_restarted() {
    assert!(matches!(exited(143).next(None), Next::Restart(_)));
}

#[test]
fn told_to_stop_nothing_is_restarted() {
    let term = Some(StopSignal::Terminate);
    assert_eq!(exited(143).next(term), Next::Finish(143));
    assert_eq!(exited(0).next(term), Next::Finish(0));
    assert_eq!(exited(1).next(term), Next::Finish(1));
    assert_eq!(killed_by(9).next(term), Next::Finish(143));
    assert_eq!(killed_by(2).next(Some(StopSignal::Interrupt)), Next::Finish(130));
}
