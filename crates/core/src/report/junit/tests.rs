//! Tests of `report::junit`.

use super::super::samples::{accepted, decided, ended, hostile, records, started};
use super::*;
use crate::ledger::{Event, Outcome};

fn suite(events: Vec<Event>) -> TestSuite {
    let xml = Report::from_records(&records(events)).to_junit().unwrap();
    let mut report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    report.test_suites.remove(0)
}

fn message(case: &TestCase) -> Option<&str> {
    match &case.status {
        TestCaseStatus::Success { .. } => None,
        TestCaseStatus::NonSuccess { message, .. } | TestCaseStatus::Skipped { message, .. } => {
            message.as_ref().map(quick_junit::XmlString::as_str)
        }
    }
}

#[test]
fn an_accepted_study_is_green() {
    let suite = suite(accepted());
    assert_eq!((suite.tests, suite.failures, suite.errors), (3, 0, 0));
    assert!(matches!(suite.test_cases[0].status, TestCaseStatus::Skipped { .. }));
    let names: Vec<&str> = suite.test_cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["trial 1: as written", "trial 2: train for 2 more epochs", "gate"]);
    assert_eq!(
        message(&suite.test_cases[0]),
        Some("validation accuracy 40.00 % is below the gate of 80.00 %")
    );
    assert_eq!(message(&suite.test_cases[1]), None);
    assert_eq!(suite.test_cases[1].time, Some(Duration::from_secs(3)));
}

#[test]
fn a_rejected_study_fails_by_its_gate_alone() {
    let mut events = accepted();
    events.truncate(6);
    events.push(ended(Outcome::Rejected, 1, 0.4));
    let suite = suite(events);
    assert_eq!((suite.tests, suite.failures, suite.errors), (2, 1, 0));
    assert_eq!(
        message(&suite.test_cases[1]),
        Some("validation accuracy 40.00 % is below the gate of 80.00 %")
    );
}

#[test]
fn a_gate_that_judges_by_a_bound_says_so_and_never_that_more_is_less() {
    let mut events = accepted();
    events.truncate(5);
    let threshold = 0.8;
    events[2] = crate::report::samples::epoch(1, 1, 0.81);
    events[3] = crate::report::samples::epoch(1, 2, 0.81);
    events[4] = crate::report::samples::finished(1, 0.81);
    events.push(Event::GateDecided {
        trial: 1,
        decision: crate::ledger::Verdict::Reject,
        threshold,
        accuracy: 0.81,
        judged: Some(0.768),
        floors: Vec::new(),
        basis: crate::record::Basis::Validation,
    });
    events.push(ended(Outcome::Rejected, 1, 0.81));
    let said = "validation accuracy 81.00 % has a lower confidence bound of 76.80 %, which is below the gate of 80.00 %";
    let report = Report::from_records(&records(events.clone()));
    assert!(report.outcome().contains(said), "{}", report.outcome());
    assert!(report.to_markdown().contains("lower confidence bound"), "{}", report.to_markdown());
    let suite = suite(events);
    assert_eq!(message(&suite.test_cases[0]), Some(said));
    assert_eq!(message(&suite.test_cases[1]), Some(said));
}

#[test]
fn an_unfinished_study_is_not_green() {
    let mut events = accepted();
    events.pop();
    assert_eq!(suite(events).errors, 1);
}

#[test]
fn an_accepted_study_stays_green_however_many_trials_failed_after_the_best() {
    let mut events = accepted();
    events.insert(10, started(3, Some(2)));
    events.insert(11, decided(3, 0.5));
    let suite = suite(events);
    assert_eq!((suite.tests, suite.failures, suite.errors), (4, 0, 0));
}

#[test]
fn hostile_text_is_read_back_as_text() {
    let suite = suite(hostile());
    assert!(suite.name.as_str().contains("<script>alert(1)</script>"), "{:?}", suite.name);
    assert_eq!(suite.errors, 1);
}
