//! Rejects gates that a model passes without having learned anything.
#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for the command"))]

use std::collections::HashMap;

use super::launch::StudySource;
use crate::data::{DataFinding, DataReport, Dataset, Split, Subset};
use crate::gate::{passing_constant_answer, wilson_lower_bound};
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
/// `allow-majority`, a gate on per-class recall where a class has no validation image, and a gate that no model can
/// pass on these validation images.
pub(super) fn check_gate(
    study: &StudySource,
    spec: &Spec,
    report: &DataReport,
    data: &Dataset,
) -> Result<(), SpecError> {
    let classes = &data.classes;
    let gate = spec.gate();
    let problem = unmeasured(gate, report, classes)
        .or_else(|| passed_by_constant(gate, report, classes))
        .or_else(|| unreachable_gate(gate, report, &data.validation));
    match problem {
        None => Ok(()),
        Some(problem) => {
            let error = SpecError { origin: String::new(), text: None, problems: vec![problem] };
            Err(study.locate(error))
        }
    }
}

fn passed_by_constant(gate: &GateSpec, report: &DataReport, classes: &[String]) -> Option<Problem> {
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

/// A gate that even a model without any error does not pass: by the confidence that so few validation images allow, or
/// because images with the same pixels have different labels, of which at most one is correct.
fn unreachable_gate(gate: &GateSpec, report: &DataReport, validation: &Subset) -> Option<Problem> {
    let images = validation.len();
    let conflicts =
        |finding: &DataFinding| matches!(finding, DataFinding::ConflictingLabels { .. });
    let correct = match report.findings.iter().any(conflicts) {
        true => most_correct(validation),
        false => images,
    };
    let share = correct as f64 / images.max(1) as f64;
    let problem = |message: String, help: String| {
        let key = floor_key(gate).into();
        Some(Problem { key, message, help, location: None })
    };
    if share < gate.accuracy {
        return problem(
            format!(
                "no model can pass: {} of the {images} validation images have the same pixels as images of another class, so at most {:.2} % can be classified correctly",
                images - correct,
                share * 100.0
            ),
            "correct the labels of these images, or lower the gate".into(),
        );
    }
    let confidence = gate.confidence?;
    let bound = wilson_lower_bound(share, images, confidence);
    if bound >= gate.accuracy || share <= 0.0 {
        return None;
    }
    let enough = (1..40)
        .map(|doubling| images << doubling)
        .find(|&more| wilson_lower_bound(share, more, confidence) >= gate.accuracy);
    problem(
        format!(
            "no model can pass: even if all {images} validation images were classified correctly, the lower confidence bound would be {:.2} %",
            bound * 100.0
        ),
        match enough {
            Some(more) => format!(
                "raise data.validation to about {more}, or lower the gate or its confidence"
            ),
            None => "lower the gate or its confidence".into(),
        },
    )
}

/// The most images that a model can classify correctly, given that it predicts the same class for the same pixels.
fn most_correct(images: &Subset) -> usize {
    let mut labels: HashMap<&[u8], HashMap<u16, usize>> = HashMap::new();
    for position in 0..images.len() {
        let of_these = labels.entry(images.image(position)).or_default();
        *of_these.entry(images.label(position)).or_default() += 1;
    }
    labels.values().filter_map(|counts| counts.values().max()).sum()
}

/// The key under which a problem is reported.
fn floor_key(gate: &GateSpec) -> &'static str {
    match gate {
        GateSpec { least_recall: Some(_), .. } => "gate.least-recall",
        GateSpec { balanced_accuracy: Some(_), .. } => "gate.balanced-accuracy",
        _ => "gate.accuracy",
    }
}
