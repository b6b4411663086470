//! Rejects gates that a model passes without having learned anything.
#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for the command"))]

use super::launch::StudySource;
use crate::data::{DataFinding, DataReport, Split};
use crate::gate::passing_constant_answer;
use crate::spec::{GateSpec, Problem, Spec, SpecError};

/// The accuracy of a model that always predicts the most frequent class.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConstantAnswer {
    /// The name of that class.
    pub class: String,
    /// Its share of the validation images.
    pub accuracy: f64,
}

impl ConstantAnswer {
    /// Its accuracy on the validation images, from the counts of a report.
    pub(super) fn on(report: &DataReport, classes: &[String]) -> Self {
        let counts = &report.counts.validation;
        let most = counts.iter().copied().max().unwrap_or(0);
        let class = counts.iter().position(|&count| count == most);
        let class = class.and_then(|class| classes.get(class)).cloned().unwrap_or_default();
        Self { class, accuracy: most as f64 / counts.iter().sum::<usize>().max(1) as f64 }
    }
}

/// Rejects a gate that a model passes by always predicting the same class, unless the study confirms it with
/// `allow-majority`, and a gate on per-class recall where a class has no validation image.
pub(super) fn check_gate(
    study: &StudySource,
    spec: &Spec,
    report: &DataReport,
    classes: &[String],
) -> Result<(), SpecError> {
    let gate = spec.gate();
    let problem =
        unmeasured(gate, report, classes).or_else(|| passed_unlearned(gate, report, classes));
    match problem {
        None => Ok(()),
        Some(problem) => {
            let error = SpecError { origin: String::new(), text: None, problems: vec![problem] };
            Err(study.locate(error))
        }
    }
}

fn passed_unlearned(gate: &GateSpec, report: &DataReport, classes: &[String]) -> Option<Problem> {
    let counts = &report.counts.validation;
    let class = passing_constant_answer(gate, counts).filter(|_| !gate.allow_majority)?;
    let share = counts[class] as f64 / counts.iter().sum::<usize>().max(1) as f64;
    let name = classes.get(class).cloned().unwrap_or_default();
    Some(Problem {
        key: floor_key(gate).into(),
        message: format!(
            "a model that always predicts {name} would pass: {:.2} % of the validation images are of that class",
            share * 100.0
        ),
        help: "raise it, set `least-recall` or `balanced-accuracy`, or confirm with \
               `allow-majority = true`"
            .into(),
        location: None,
    })
}

fn unmeasured(gate: &GateSpec, report: &DataReport, classes: &[String]) -> Option<Problem> {
    if gate.is_accuracy_alone() {
        return None;
    }
    let is_validation = |finding: &&DataFinding| {
        matches!(finding, DataFinding::NotMeasured { split: Split::Validation, .. })
    };
    let finding = report.findings.iter().find(is_validation)?;
    Some(Problem {
        key: floor_key(gate).into(),
        message: finding.words(classes),
        help: "raise data.validation, so that every class has validation images".into(),
        location: None,
    })
}

/// The key that the problem is reported for.
fn floor_key(gate: &GateSpec) -> &'static str {
    match gate {
        GateSpec { least_recall: Some(_), .. } => "gate.least-recall",
        GateSpec { balanced_accuracy: Some(_), .. } => "gate.balanced-accuracy",
        _ => "gate.accuracy",
    }
}
