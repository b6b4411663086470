//! Tests of `report::runs::reading`.

use super::super::super::samples::{accepted, decided, ended, epoch, finished, records, started};
use super::*;
use crate::ledger::Outcome;

fn reading(events: impl IntoIterator<Item = Event>) -> Result<Reading, LedgerError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let lines = records(events).into_iter().map(|recorded| recorded.to_line().unwrap() + "\n");
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    read_record(&path)
}

#[test]
fn of_a_finished_study_the_training_is_not_read() {
    let Ok(Reading::Ends(records)) = reading(accepted()) else { panic!("read as a whole") };
    let names: Vec<&str> = records.iter().map(|recorded| recorded.event.name()).collect();
    assert_eq!(names, ["study_started", "trial_finished", "gate_decided", "study_finished"]);
}

#[test]
fn of_a_study_that_is_judged_by_bounds_the_best_trials_decision_is_read() {
    let bounded = |trial: u32, judged| match decided(trial, 0.8) {
        Event::GateDecided { trial, decision, threshold, accuracy, floors, basis, .. } => {
            Event::GateDecided { trial, decision, threshold, accuracy, floors, judged, basis }
        }
        other => other,
    };
    let events = |judged| {
        let trial = |number: u32| [started(number, None), finished(number, 0.8)];
        let mut events = accepted();
        events.truncate(1);
        for number in 1..=4 {
            events.extend(trial(number));
            events.push(bounded(number, judged));
        }
        events.push(ended(Outcome::Rejected, 2, 0.8));
        events
    };
    let decisions = |judged| {
        let Ok(Reading::Ends(records)) = reading(events(judged)) else { panic!("as a whole") };
        let decided = records.into_iter().filter_map(|recorded| match recorded.event {
            Event::GateDecided { trial, .. } => Some(trial),
            _ => None,
        });
        decided.collect::<Vec<_>>()
    };
    assert_eq!(decisions(Some(0.7)), [2, 3, 4]);
    assert_eq!(decisions(None), [4]);
}

#[test]
fn of_a_study_that_goes_on_everything_is_read() {
    let unfinished = |events: Vec<Event>| {
        let count = events.len();
        match reading(events) {
            Ok(Reading::Whole(records)) => assert_eq!(records.len(), count),
            other => panic!("{other:?}"),
        }
    };
    let begun = accepted()[..2].to_vec();
    unfinished(begun.clone());
    let stopped = Event::StudyStopped { signal: "SIGTERM".into() };
    unfinished([begun, vec![epoch(1, 1, 0.5), stopped.clone()]].concat());
    let extended = Event::StudyExtended {
        extension: 1,
        more_trials: 1,
        more_epochs: 0,
        gate: None,
        trials: 9,
        threshold: 0.9,
        request: None,
    };
    unfinished([accepted(), vec![extended.clone()]].concat());
    unfinished([accepted(), vec![extended.clone(), stopped.clone()]].concat());
    let again = [started(3, Some(1)), finished(3, 0.5), ended(Outcome::Rejected, 2, 0.8)];
    let again = [accepted(), vec![extended, stopped.clone()], again.into()].concat();
    let Ok(Reading::Ends(records)) = reading(again) else { panic!("read as a whole") };
    let extension = records.iter().position(|read| read.event.name() == "study_extended");
    assert_eq!(extension, Some(1), "the gate is that of the extension: {records:#?}");
    assert!(matches!(reading([accepted(), vec![stopped]].concat()), Ok(Reading::Ends(_))));
}
