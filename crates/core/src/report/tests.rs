//! Tests of `report`.

use super::samples::{accepted, ended, epoch, finished, records, started, study_started};
use super::*;

#[test]
fn an_accepted_study_is_told_in_a_sentence() {
    let report = Report::from_records(&records(accepted()));
    assert_eq!(report.state, State::Accepted);
    let outcome = report.outcome();
    assert!(
        outcome.starts_with("Accepted: trial 2, 87.18 % on validation images, 88.16 % on test"),
        "{outcome}"
    );
}

#[test]
fn what_happens_after_a_stop_shows_that_it_went_on() {
    let mut events = vec![study_started(), started(1, None), epoch(1, 1, 0.4)];
    events.push(Event::StudyStopped { signal: "SIGTERM".into() });
    let stopped = Report::from_records(&records(events.clone()));
    assert_eq!(stopped.state, State::Stopped { signal: "SIGTERM".into() });
    events.push(Event::StudyResumed { run: "r".into(), trials: 0, instruction_set: None });
    let resumed = Report::from_records(&records(events.clone()));
    assert_eq!((&resumed.state, resumed.interruptions.len()), (&State::Unfinished, 2));
    events.push(Event::SupervisorGaveUp { cause: "same step".into(), restarts: 3 });
    let given_up = Report::from_records(&records(events));
    assert!(given_up.outcome().contains("gave up: same step"), "{}", given_up.outcome());
}

#[test]
fn an_unfinished_study_is_told_with_what_it_has() {
    let nothing = Report::from_records(&records([study_started(), started(1, None)]));
    assert_eq!(nothing.figures.best_trial, None);
    assert!(nothing.outcome().contains("no trial finished an epoch"), "{}", nothing.outcome());
    let events = [study_started(), started(1, None), epoch(1, 1, 0.4), epoch(1, 2, f64::NAN)];
    let some = Report::from_records(&records(events));
    assert_eq!(some.figures.validation_accuracy, Some(0.4));
}

#[test]
fn an_extended_study_is_unfinished_until_it_ends_again() {
    let mut events = accepted();
    events.push(Event::StudyExtended {
        extension: 1,
        more_trials: 2,
        more_epochs: 0,
        gate: Some(0.9),
        trials: 10,
        threshold: 0.9,
        request: None,
    });
    let report = Report::from_records(&records(events.clone()));
    assert_eq!(report.state, State::Unfinished);
    let what = &report.interruptions[0].what;
    assert_eq!(what, "the study was extended: a gate of 90.00 %, 2 more trials");
    events.push(ended(Outcome::Rejected, 2, 0.8718));
    let outcome = Report::from_records(&records(events)).outcome();
    assert!(outcome.contains("87.18 % is below the gate of 90.00 %"), "{outcome}");
}

#[test]
fn a_rejection_names_what_was_missing() {
    let mut events = vec![study_started(), started(1, None), finished(1, f64::NAN)];
    events.push(Event::StudyFinished(StudyResult {
        outcome: Outcome::Rejected,
        best_trial: None,
        validation_accuracy: f64::NAN,
        test_accuracy: None,
        test_readings: None,
        parameters: 0,
        trials: 1,
        seconds: 2.0,
        run: "r".into(),
    }));
    let outcome = Report::from_records(&records(events)).outcome();
    assert!(
        outcome.contains("no validation accuracy was measured; the gate is 80.00 %"),
        "{outcome}"
    );
}

#[test]
fn events_of_a_newer_version_are_counted_by_name() {
    let unknown =
        || Event::Unknown { version: 9, name: "paused".into(), fields: serde_json::Map::new() };
    let report = Report::from_records(&records([study_started(), unknown(), unknown()]));
    assert!(report.source_note().contains("paused ×2"), "{}", report.source_note());
}
