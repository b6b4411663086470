//! Rejects gates that a model passes without having learned anything.
#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for the command"))]

use std::collections::HashMap;

use super::launch::StudySource;
use super::setup::StudyError;
use crate::data::{DataFinding, DataReport, Dataset, Folds, Split, Subset};
use crate::gate::{passing_constant_answer, wilson_lower_bound};
use crate::record::SplitCounts;
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
    match problem_of(spec.gate(), report, data) {
        None => Ok(()),
        Some(problem) => {
            let error = SpecError { origin: String::new(), text: None, problems: vec![problem] };
            Err(study.locate(error))
        }
    }
}

/// As [`check_gate`], for the gate that an extension asks for. What would be right differs, because the study of a run
/// cannot change.
pub(super) fn check_extended_gate(
    spec: &Spec,
    accuracy: f64,
    report: &DataReport,
    data: &Dataset,
) -> Result<(), StudyError> {
    let gate = GateSpec { accuracy, ..*spec.gate() };
    let Some(problem) = problem_of(&gate, report, data) else {
        return Ok(());
    };
    let help = match passed_by_constant(&gate, report, &data.classes) {
        Some(_) => {
            "use a higher gate, or start a new run with `least-recall`, `balanced-accuracy` or \
             `allow-majority = true` in its [gate]"
        }
        None => "use a lower gate, or start a new run",
    };
    let percent = accuracy * 100.0;
    Err(StudyError::Extension(format!(
        "with a gate of {percent:.2} %, {}; {help}",
        problem.message
    )))
}

fn problem_of(gate: &GateSpec, report: &DataReport, data: &Dataset) -> Option<Problem> {
    let classes = &data.classes;
    unmeasured(gate, report, classes)
        .or_else(|| passed_by_constant(gate, report, classes))
        .or_else(|| unreachable_gate(gate, report, judged_images(data)))
}

/// The images that a trial is judged on.
fn judged_images(data: &Dataset) -> &Subset {
    data.folds.as_ref().map_or(&data.validation, Folds::pool)
}

/// Of the images that a trial is judged on, how many are of each class.
fn judged_counts(gate: &GateSpec, report: &DataReport) -> Vec<usize> {
    let SplitCounts { train, validation, .. } = &report.counts;
    match gate.folds {
        Some(_) => train.iter().zip(validation).map(|(train, held_out)| train + held_out).collect(),
        None => validation.clone(),
    }
}

/// What those images are called.
fn judged_name(gate: &GateSpec) -> &'static str {
    if gate.folds.is_some() { "images of all folds" } else { "validation images" }
}

fn passed_by_constant(gate: &GateSpec, report: &DataReport, classes: &[String]) -> Option<Problem> {
    let counts = &judged_counts(gate, report);
    let class = passing_constant_answer(gate, counts).filter(|_| !gate.allow_majority)?;
    let share = counts[class] as f64 / counts.iter().sum::<usize>().max(1) as f64;
    let name = classes.get(class).cloned().unwrap_or_default();
    Some(Problem {
        key: floor_key(gate).into(),
        message: format!(
            "a model that always predicts {name} would pass: {:.2} % of the {} are of that class",
            share * 100.0,
            judged_name(gate)
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
fn unreachable_gate(gate: &GateSpec, report: &DataReport, judged: &Subset) -> Option<Problem> {
    let (images, name) = (judged.len(), judged_name(gate));
    let conflicts =
        |finding: &DataFinding| matches!(finding, DataFinding::ConflictingLabels { .. });
    let correct = match report.findings.iter().any(conflicts) {
        true => most_correct(judged),
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
                "no model can pass: {} of the {images} {name} have the same pixels as images of another class, so at most {:.2} % can be classified correctly",
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
            "no model can pass: even if all {images} {name} were classified correctly, the lower confidence bound would be {:.2} %",
            bound * 100.0
        ),
        match enough {
            Some(more) if gate.folds.is_some() => {
                format!("use about {more} images, or lower the gate or its confidence")
            }
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
