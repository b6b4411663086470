//! Tests of `study::deadline`.

use super::*;
use crate::spec::{InputShape, StudyDocument};

fn spec(train_seconds: &str) -> Spec {
    let text = format!("name = \"timed\"\n[model]\nlayers = []\n[train]\n{train_seconds}");
    StudyDocument::new("timed.toml", text).validate(InputShape::MNIST).unwrap()
}

fn left(deadline: &Deadline) -> f64 {
    deadline.at.saturating_duration_since(Instant::now()).as_secs_f64()
}

#[test]
fn the_earlier_bound_counts_and_says_which_it_is() {
    assert!(Deadline::of(&spec(""), None, 5.0, 5.0).is_none());
    let trial = Deadline::of(&spec("seconds = 300"), Some(9000.0), 100.0, 100.0).unwrap();
    assert!(trial.why.contains("`train.seconds`"), "{}", trial.why);
    assert!((199.0..=200.0).contains(&left(&trial)), "{trial:?}");
    let study = Deadline::of(&spec("seconds = 300"), Some(9000.0), 8900.0, 0.0).unwrap();
    assert!(study.why.contains("`tune.seconds`"), "{}", study.why);
    assert!((99.0..=100.0).contains(&left(&study)), "{study:?}");
}

#[test]
fn what_was_trained_is_still_evaluated_though_not_for_long() {
    let passed = Deadline::of(&spec("seconds = 30"), None, 0.0, 31.0).unwrap();
    let none = Reserve::default();
    assert!(passed.has_passed(Phase::Training, &none));
    assert!(!passed.has_passed(Phase::Evaluating, &none));
    let ahead = Deadline::of(&spec("seconds = 30"), None, 0.0, 17.0).unwrap();
    assert!(!ahead.has_passed(Phase::Training, &none));
    // What the evaluation takes is left to it, but not more than half of the limit.
    let reserve = |seconds| Reserve { seconds, since: None };
    assert!(!ahead.has_passed(Phase::Training, &reserve(12.0)));
    assert!(ahead.has_passed(Phase::Training, &reserve(14.0)));
    let early = Deadline::of(&spec("seconds = 30"), None, 0.0, 14.0).unwrap();
    assert!(!early.has_passed(Phase::Training, &reserve(1e9)));
    for (seconds, grace) in [(0.5, 1.0), (100.0, 10.0), (1e6, 60.0)] {
        let deadline = Deadline::after(seconds, 0.0, String::new());
        assert_eq!(deadline.grace.as_secs_f64(), grace);
    }
}

#[test]
fn the_time_of_an_evaluation_follows_from_the_record() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let started = |trial, flops| Event::TrialStarted {
        trial,
        parent: None,
        edits: Vec::new(),
        inherit: crate::record::Inherit::Nothing,
        reason: String::new(),
        spec_hash: String::new(),
        parameters: 1,
        flops_per_image: flops,
        expected_seconds: None,
        forecast: None,
    };
    let epoch = |trial, epoch, seconds| Event::EpochFinished {
        trial,
        epoch,
        train_loss: 1.0,
        train_accuracy: 0.5,
        validation_loss: 1.0,
        validation_accuracy: 0.5,
        learning_rate: 0.1,
        seconds,
        evaluation_seconds: None,
        images: 10,
        course: Vec::new(),
        probe: None,
        recalls: Vec::new(),
        given_up: None,
    };
    let resumed = Event::StudyResumed { run: String::new(), trials: 0, instruction_set: None };
    let records = |events: &[(i64, Event)]| -> Vec<Recorded> {
        let events = events.iter().cloned();
        events.map(|(second, event)| Recorded { at: at(second), event }).collect()
    };
    // 3 s, then 2 s without a probe.
    let first = [(0, started(1, 100)), (8, epoch(1, 1, 5.0)), (15, epoch(1, 2, 5.0))];
    let reserve = Reserve::of(&records(&first), 1, 100.0);
    assert_eq!(reserve, Reserve { seconds: 3.0, since: Some(at(15)) });
    let second = [&first[..], &[(20, started(2, 400))]].concat();
    let reserve = Reserve::of(&records(&second), 2, 400.0);
    assert_eq!(reserve, Reserve { seconds: 12.0, since: Some(at(20)) });
    // The time between processes is none of an evaluation.
    let cut = [&second[..], &[(900, resumed), (990, epoch(2, 1, 1.0))]].concat();
    let reserve = Reserve::of(&records(&cut), 2, 400.0);
    assert_eq!(reserve, Reserve { seconds: 12.0, since: Some(at(990)) });
    assert_eq!(Reserve::of(&records(&first[..1]), 1, 100.0).seconds, 0.0, "not known yet");
    let mut odd = Reserve { seconds: 1.0, since: Some(at(5)) };
    odd.add(at(3), 2.0);
    odd.add(at(4), f64::NAN);
    assert_eq!(odd, Reserve { seconds: 1.0, since: Some(at(4)) });
}

#[test]
fn time_between_processes_is_not_spent() {
    let resumed = || Event::StudyResumed { run: String::new(), trials: 0, instruction_set: None };
    let epoch = |epoch| Event::TrialResumed { trial: 2, epoch, step: 0, fold: None };
    let started = Event::CheckpointRejected { path: String::new(), why: String::new() };
    let events = [
        (10, started),
        (13, epoch(1)),
        (17, epoch(2)),
        (1000, resumed()),
        (1005, epoch(3)),
        // A clock that was set back.
        (1003, epoch(4)),
        (2000, resumed()),
        (2500, epoch(5)),
    ];
    let at = |second| Timestamp::from_second(second).unwrap();
    let records: Vec<Recorded> =
        events.map(|(second, event)| Recorded { at: at(second), event }).into();
    assert_eq!(seconds_before(&records, |_| true), 7.0 + 5.0);
    let is_second = |event: &Event| matches!(event, Event::TrialResumed { epoch: 2, .. });
    assert_eq!(seconds_before(&records, is_second), 5.0);
    assert_eq!(seconds_before(&records[..3], |_| true), 0.0, "all of it is this process's");
}
