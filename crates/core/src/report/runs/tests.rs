//! Tests of `report::runs`.

use super::super::samples::{accepted, imbalanced, records, started, study_started};
use super::*;
use crate::record::Conclusion;

fn line(events: impl IntoIterator<Item = Event>) -> RunLine {
    RunLine::of(&Reading::Whole(records(events)), &Standing::Free, None)
}

#[test]
fn the_ends_of_a_record_tell_as_much_as_all_of_it() {
    for events in [accepted(), imbalanced()] {
        let all = records(events);
        let names = ["study_started", "trial_finished", "gate_decided", "study_finished"];
        let of_ends = |recorded: &&Recorded| names.contains(&recorded.event.name());
        let ends: Vec<Recorded> = all.iter().filter(of_ends).cloned().collect();
        let whole = RunLine::of(&Reading::Whole(all), &Standing::Free, None);
        assert_eq!(RunLine::of(&Reading::Ends(ends), &Standing::Free, None), whole);
        assert!(whole.gate.is_some() && whole.validation_accuracy.is_some(), "{whole:?}");
    }
}

#[test]
fn the_gate_is_the_one_that_holds_with_its_other_minimums() {
    let strict = line(imbalanced());
    let recall = Floor { measure: Measure::LeastRecall, floor: 0.5 };
    assert_eq!((strict.gate, strict.floors), (Some(0.0), vec![recall]));
    let mut events = accepted();
    events.push(Event::StudyExtended {
        extension: 1,
        more_trials: 1,
        more_epochs: 0,
        gate: Some(0.9),
        trials: 9,
        threshold: 0.9,
        request: None,
    });
    let extended = line(events);
    assert_eq!((extended.gate, extended.state), (Some(0.9), RunState::Interrupted));
}

#[test]
fn what_was_judged_by_a_bound_is_told_with_it() {
    assert_eq!(line(accepted()).bound, None);
    let mut events = accepted();
    for event in &mut events {
        if let Event::GateDecided { accuracy, judged, .. } = event {
            *judged = Some(*accuracy - 0.01);
        }
    }
    assert_eq!(line(events).bound, Some(0.8718 - 0.01));
}

#[test]
fn a_rejection_by_the_clock_is_told_from_one_by_the_budget() {
    let mut events = imbalanced();
    assert_eq!(line(events.clone()).state, RunState::Rejected);
    for event in &mut events {
        if let Event::TrialFinished { diagnosis, .. } = event {
            let why = Some("the 5 s of `tune.seconds` have passed".into());
            *diagnosis = Conclusion { out_of_time: why, ..diagnosis.clone() };
        }
    }
    assert_eq!(line(events).state, RunState::OutOfTime);
}

#[test]
fn a_run_that_has_only_begun_is_a_line_too() {
    let begun = line([study_started(), started(1, None)]);
    assert_eq!((begun.trials, begun.validation_accuracy, begun.gate), (1, None, Some(0.8)));
    let nothing = line([]);
    assert_eq!((nothing.study, nothing.state), (None, RunState::Interrupted));
}
