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
        "{}, {}, {} FLOPs per image, {}",
        trial.accuracy_text(),
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
mod tests;
