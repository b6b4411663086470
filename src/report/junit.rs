//! The report for test runners: a test case for each trial, and one for the gate.

use std::time::Duration;

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{LineageTrial, Report, State, trial_words, words};

impl Report {
    /// JUnit XML. The case `gate` passes if the study is accepted, fails if it is rejected, and is an
    /// error while it is unfinished, which must not look like passing. A trial that missed the gate
    /// counts as skipped, because growth expects such trials.
    ///
    /// # Errors
    ///
    /// When the XML cannot be written.
    pub fn to_junit(&self) -> Result<String, SerializeError> {
        let mut suite = TestSuite::new(&self.started.name);
        suite.set_time(time(self.figures.seconds));
        for (name, value) in self.origins() {
            suite.add_property((name.as_str(), value.as_str()));
        }
        suite.add_test_cases(self.lineage.trials.iter().map(|trial| self.case(trial)));
        let mut gate = TestCase::new("gate", self.gate());
        gate.set_classname(&self.started.name).set_system_out(self.outcome());
        suite.add_test_case(gate);
        let mut report = quick_junit::Report::new("burgeon");
        report.set_time(time(self.figures.seconds)).add_test_suite(suite);
        Ok(without_skipped(report.to_string()?))
    }

    fn case(&self, trial: &LineageTrial) -> TestCase {
        let status = if trial.opened {
            TestCaseStatus::success()
        } else {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(why_not_passed(trial, self.started.threshold));
            skipped
        };
        let mut case =
            TestCase::new(format!("trial {}: {}", trial.trial, trial_words::edits(trial)), status);
        case.set_classname(&self.started.name).set_time(time(trial.seconds()));
        case.set_system_out(trial_text(trial));
        case
    }

    fn gate(&self) -> TestCaseStatus {
        let kind = match self.state {
            State::Accepted => return TestCaseStatus::success(),
            State::Rejected => NonSuccessKind::Failure,
            State::Stopped { .. } | State::GaveUp { .. } | State::Unfinished => {
                NonSuccessKind::Error
            }
        };
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(match (&self.state, self.started.threshold) {
            (State::Rejected, Some(threshold)) => self.gate_text(threshold),
            _ => self.outcome(),
        });
        status
    }
}

/// Removes the number of skipped cases that `quick_junit` writes on `<testsuites>`: the schema of
/// Jenkins' xUnit plugin has no such attribute there.
fn without_skipped(mut xml: String) -> String {
    const ATTRIBUTE: &str = " skipped=\"";
    let tag = xml.find("<testsuites").and_then(|start| {
        let end = start + xml[start..].find('>')?;
        let attribute = start + xml[start..end].find(ATTRIBUTE)?;
        let value = attribute + ATTRIBUTE.len();
        Some(attribute..value + xml[value..end].find('"')? + 1)
    });
    if let Some(attribute) = tag {
        xml.replace_range(attribute, "");
    }
    xml
}

fn why_not_passed(trial: &LineageTrial, threshold: Option<f64>) -> String {
    match (trial.train_seconds, threshold) {
        (None, _) => "not finished".into(),
        (_, Some(threshold)) => trial.gate_text(threshold),
        (_, None) => "it does not pass the gate".into(),
    }
}

fn trial_text(trial: &LineageTrial) -> String {
    let mut lines = vec![format!(
        "{} on validation images, {}, {} FLOPs per image, {}",
        words::percent(trial.measured()),
        words::count(trial.parameters, "parameter"),
        words::grouped(trial.flops_per_image),
        words::count(trial.epochs.into(), "epoch"),
    )];
    lines.extend(trial.inherited_text().map(|kept| format!("{kept}; reason: {}", trial.reason)));
    lines.extend(trial.given_up.as_ref().map(|why| format!("given up: {why}")));
    lines.extend(trial.out_of_time.as_ref().map(|why| format!("out of time: {why}")));
    let finding = trial.finding.as_ref();
    lines.extend(finding.map(|finding| format!("{}: {}", finding.diagnosis, finding.evidence)));
    lines.join("\n")
}

/// Seconds as a duration; zero for NaN.
fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
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
            TestCaseStatus::NonSuccess { message, .. }
            | TestCaseStatus::Skipped { message, .. } => {
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
        });
        events.push(ended(Outcome::Rejected, 1, 0.81));
        let said = "validation accuracy 81.00 % has a lower confidence bound of 76.80 %, which is below the gate of 80.00 %";
        let report = Report::from_records(&records(events.clone()));
        assert!(report.outcome().contains(said), "{}", report.outcome());
        assert!(
            report.to_markdown().contains("lower confidence bound"),
            "{}",
            report.to_markdown()
        );
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
}
