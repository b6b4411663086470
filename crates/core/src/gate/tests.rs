//! Tests of `gate`.

use super::*;
use crate::record::FoldResult;

fn gate(accuracy: f64, confidence: Option<f64>) -> GateSpec {
    GateSpec { accuracy, confidence, ..GateSpec::default() }
}

fn judge(gate: &GateSpec, accuracy: f64, images: usize) -> Judgement {
    judge_figures(gate, accuracy, &[], images)
}

#[test]
fn the_gate_opens_at_its_threshold_and_not_below() {
    assert!(judge(&gate(0.8, None), 0.8, 1000).passes);
    assert!(!judge(&gate(0.8, None), 0.799, 1000).passes);
}

#[test]
fn no_images_never_pass() {
    assert!(!judge(&gate(0.0, None), 0.0, 0).passes);
}

#[test]
fn with_a_confidence_luck_on_few_images_does_not_pass() {
    assert!(judge(&gate(0.8, None), 0.9, 10).passes);
    assert!(!judge(&gate(0.8, Some(0.95)), 0.9, 10).passes);
    assert!(judge(&gate(0.8, Some(0.95)), 0.9, 10_000).passes);
}

#[test]
fn all_floors_must_be_reached() {
    let recalls = [(95, 100), (6, 10)].map(|(right, images)| ClassRecall { right, images });
    let passes =
        |gate: GateSpec| judge_figures(&gate, Measure::Accuracy.of(&recalls), &recalls, 110).passes;
    let gate = gate(0.9, None);
    assert!(passes(GateSpec { least_recall: Some(0.6), balanced_accuracy: Some(0.77), ..gate }));
    assert!(!passes(GateSpec { least_recall: Some(0.61), ..gate }));
    assert!(!passes(GateSpec { balanced_accuracy: Some(0.78), ..gate }));
    assert!(!passes(GateSpec { accuracy: 0.92, least_recall: Some(0.6), ..gate }));
    // Six of ten may be luck.
    assert!(!passes(GateSpec {
        accuracy: 0.0,
        least_recall: Some(0.6),
        confidence: Some(0.95),
        ..gate
    }));
}

#[test]
fn a_floor_that_was_not_measured_is_not_reached() {
    let gate = GateSpec { least_recall: Some(0.0), ..gate(0.0, None) };
    assert!(!judge(&gate, 1.0, 100).passes);
}

#[test]
fn a_gate_that_a_constant_answer_passes_is_found() {
    let counts = [10, 980, 10];
    assert_eq!(passing_constant_answer(&gate(0.98, None), &counts), Some(1));
    assert_eq!(passing_constant_answer(&gate(0.981, None), &counts), None);
    // The bound of 98 % of 1000 images is lower.
    assert_eq!(passing_constant_answer(&gate(0.98, Some(0.95)), &counts), None);
    assert_eq!(passing_constant_answer(&gate(0.96, Some(0.95)), &counts), Some(1));
    let with = |least_recall, balanced_accuracy| GateSpec {
        least_recall,
        balanced_accuracy,
        ..gate(0.9, None)
    };
    assert_eq!(passing_constant_answer(&with(Some(0.01), None), &counts), None);
    assert_eq!(passing_constant_answer(&with(Some(0.0), None), &counts), Some(1));
    assert_eq!(passing_constant_answer(&with(None, Some(0.33)), &counts), Some(1));
    assert_eq!(passing_constant_answer(&with(None, Some(0.34)), &counts), None);
    assert_eq!(passing_constant_answer(&gate(0.8, None), &[]), None);
}

fn folds(of: &[(u64, u64)], folds: u32) -> CrossValidation {
    let measured = of.iter().zip(1..).map(|(&(right, images), fold)| FoldResult {
        fold,
        folds,
        images,
        correct: right,
        recalls: vec![ClassRecall { right, images }, ClassRecall { right: 0, images: 0 }],
        epochs: 1,
        seconds: 1.0,
    });
    CrossValidation::of(&measured.collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_cross_validated_trial_is_judged_by_all_images_and_passes_with_all_folds_alone() {
    let gate = gate(0.8, None);
    let judged = judge_folds(&gate, &folds(&[(40, 40), (30, 40), (29, 40)], 3));
    assert!(judged.passes);
    assert_eq!(judged.to_string(), "cross-validated accuracy 82.50 % reaches the gate of 80.00 %");
    let judged = judge_folds(&gate, &folds(&[(40, 40), (39, 40)], 3));
    assert!(!judged.passes, "one is missing");
    assert!(judged.to_string().ends_with("; 2 of 3 folds were measured; all must be, to pass"));
    let judged =
        judge_folds(&GateSpec { confidence: Some(0.95), ..gate }, &folds(&[(83, 100); 2], 2));
    assert!(!judged.passes && judged.bound().is_some_and(|bound| bound > 0.77), "{judged}");
    let judged = super::judge(&gate, None, 10).on(Basis::NoFolds);
    assert!(
        judged
            .to_string()
            .ends_with("not cross-validated, because this trainer does not train folds")
    );
}

#[test]
fn folds_are_out_of_reach_only_where_chance_does_not_explain_it() {
    // statsmodels: proportion_confint(26, 40, alpha=0.01, method="wilson") is 0.444 to 0.812; of 25, 0.793.
    assert!(is_within_reach(&gate(0.8, None), &folds(&[(26, 40)], 5)));
    assert!(!is_within_reach(&gate(0.8, None), &folds(&[(25, 40)], 5)));
    // The same share of more images leaves less to chance.
    assert!(!is_within_reach(&gate(0.8, None), &folds(&[(26, 40), (26, 40)], 5)));
    let balanced = GateSpec { balanced_accuracy: Some(0.8), ..gate(0.0, None) };
    assert!(!is_within_reach(&balanced, &folds(&[(10, 40)], 5)));
    assert!(is_within_reach(&balanced, &folds(&[(30, 40)], 5)));
    let least = GateSpec { least_recall: Some(0.8), ..gate(0.0, None) };
    assert!(!is_within_reach(&least, &folds(&[(10, 40)], 5)));
    assert!(is_within_reach(&least, &folds(&[(30, 40)], 5)));
}

#[test]
fn a_gate_on_few_images_is_told_with_its_interval() {
    let told = few_images(&gate(0.8, None), 100).unwrap();
    assert!(
        told.contains("80.0 % measured on them may stand for anything from 71.1 % to 86.7 %"),
        "{told}"
    );
    assert!(few_images(&gate(0.8, None), 244).is_some());
    assert_eq!(few_images(&gate(0.8, None), 246), None);
    assert_eq!(few_images(&gate(0.8, Some(0.95)), 100), None);
    assert_eq!(few_images(&GateSpec { folds: Some(5), ..gate(0.8, None) }, 20), None);
    // Shares near 1 vary less.
    assert_eq!(few_images(&gate(0.99, None), 80), None);
}

#[test]
fn a_judgement_by_a_bound_names_accuracy_bound_and_gate() {
    let judged_at = |threshold, confidence, accuracy| {
        judge_figures(&gate(threshold, confidence), accuracy, &[], 400)
    };
    let judged = judged_at(0.8, Some(0.95), 0.81);
    assert!(!judged.passes && judged.bound().is_some());
    assert_eq!(
        judged.to_string(),
        "validation accuracy 81.00 % has a lower confidence bound of 76.87 %, which is below the gate of 80.00 %"
    );
    let judged = judged_at(0.8, None, 0.13);
    assert_eq!(judged.to_string(), "validation accuracy 13.00 % is below the gate of 80.00 %");
    let close = judged_at(0.97, None, 0.969_96);
    assert_eq!(close.to_string(), "validation accuracy 96.996 % is below the gate of 97.000 %");
    let none = judged_at(0.97, None, f64::NAN);
    assert!(none.to_string().starts_with("no validation accuracy was measured"), "{none}");
}
