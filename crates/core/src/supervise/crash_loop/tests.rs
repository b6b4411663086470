//! Tests of `supervise::crash_loop`.

use super::*;

fn at(step: u64) -> [Position; 1] {
    [in_trial(1, step)]
}

fn in_trial(trial: u32, step: u64) -> Position {
    Position { trial, epoch: 1, step }
}

#[test]
fn the_third_failure_at_one_step_is_the_last() {
    let mut crashes = CrashLoop::new(&SuperviseOptions::default());
    assert_eq!(crashes.failed_at(&at(5)), None);
    crashes.forget_restarts();
    assert_eq!(crashes.failed_at(&at(5)), None);
    let reason = crashes.failed_at(&at(5)).unwrap();
    assert_eq!(reason, "failed 3 times in a row at step 5 of epoch 1 in trial 1");
}

#[test]
fn failures_at_different_steps_are_not_a_loop() {
    let mut crashes = CrashLoop::new(&SuperviseOptions::default());
    for step in [1, 1, 2, 2, 1, 1, 3] {
        assert_eq!(crashes.failed_at(&at(step)), None);
    }
}

#[test]
fn failures_around_one_step_are_a_loop_too() {
    let mut crashes = CrashLoop::new(&SuperviseOptions::default());
    assert_eq!(crashes.failed_at(&at(9)), None);
    for step in [7, 8, 7, 9, 8, 7, 8, 9] {
        assert_eq!(crashes.failed_at(&at(step)), None);
    }
    assert_eq!(
        crashes.failed_at(&at(8)).unwrap(),
        "failed 9 times in a row without progress; the furthest failure was at step 9 of epoch 1 in \
             trial 1"
    );
}

#[test]
fn a_trainer_that_gets_further_now_and_then_is_no_loop() {
    let mut crashes = CrashLoop::new(&SuperviseOptions::default());
    for step in 1..30 {
        assert_eq!((crashes.failed_at(&at(step)), crashes.failed_at(&at(step - 1))), (None, None));
    }
}

#[test]
fn failing_before_the_first_step_counts_as_a_place() {
    let mut crashes = CrashLoop::new(&SuperviseOptions::default());
    assert_eq!((crashes.failed_at(&[]), crashes.failed_at(&[])), (None, None));
    assert!(crashes.failed_at(&[]).unwrap().contains("before the first step"));
}

#[test]
fn restarts_are_bounded_unless_a_healthy_life_lies_between() {
    let options = SuperviseOptions { max_restarts: 2, ..SuperviseOptions::default() };
    let mut crashes = CrashLoop::new(&options);
    for step in 0..2 {
        assert_eq!(crashes.failed_at(&at(step)), None);
        crashes.count_restart();
    }
    assert_eq!(crashes.failed_at(&at(3)).unwrap(), "restarted 2 times");
    crashes.forget_restarts();
    assert_eq!(crashes.failed_at(&at(4)), None);
    assert_eq!(crashes.count_restart(), 3);
}

#[test]
fn a_trial_that_fails_for_ever_is_seen_though_another_one_gets_further_beside_it() {
    let mut crashes = CrashLoop::new(&SuperviseOptions::default());
    let failing = in_trial(2, 412);
    assert_eq!(crashes.failed_at(&[in_trial(1, 7), failing]), None);
    // The first trial gets back to where it was each time, more or less.
    for step in [6, 7, 5, 6, 7, 5, 6, 7] {
        assert_eq!(crashes.failed_at(&[in_trial(1, step), failing]), None);
    }
    assert!(crashes.failed_at(&[in_trial(1, 6), failing]).is_some());
}

#[test]
fn a_later_trial_that_gets_further_is_progress_though_the_first_one_does_not() {
    let mut crashes = CrashLoop::new(&SuperviseOptions::default());
    for step in 1..40 {
        assert_eq!(crashes.failed_at(&[in_trial(1, 7), in_trial(2, step)]), None);
    }
}
