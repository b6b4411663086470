//! Tests of `report::compare::side`.

use super::super::super::samples::{accepted, imbalanced, records, started, study_started};
use super::super::{Comparison, Significance};
use super::*;

#[test]
fn a_run_is_told_with_its_interval_and_the_curve_of_its_ancestry() {
    let side = Side::of(&records(accepted()));
    assert_eq!(side.curve, [0.3, 0.4, 0.8718]);
    // statsmodels: proportion_confint(4359, 5000, method="wilson") is 0.86226 to 0.88078.
    let [low, high] = side.validation_interval.unwrap();
    assert!((low - 0.862_26).abs() < 1e-4 && (high - 0.880_78).abs() < 1e-4, "{low} {high}");
    assert_eq!(side.recalls, [ClassRecall { right: 4359, images: 5_000 }]);
    assert_eq!((side.trials, side.epochs, side.flops_per_image), (2, 4, Some(20_000)));
}

#[test]
fn runs_are_judged_only_on_the_same_images() {
    let side = |seed| {
        let mut events = accepted();
        if let Event::StudyStarted { seed: found, .. } = &mut events[0] {
            *found = seed;
        }
        Side::of(&records(events))
    };
    let same = Comparison::of(side(1), side(1), None);
    assert!(same.data.is_same && same.data.same_validation_images);
    assert_eq!(
        (same.difference, same.significance),
        (Some(0.0), Significance::MayBeChance { p_least: 1.0 })
    );
    let other = Comparison::of(side(1), side(2), None);
    assert!(other.data.is_same && !other.data.same_validation_images);
    assert_eq!(other.significance, Significance::OtherImages);
}

#[test]
fn a_run_without_a_model_is_compared_as_far_as_it_goes() {
    let begun = Side::of(&records([study_started(), started(1, None)]));
    assert_eq!((begun.validation_accuracy, begun.validation_interval), (None, None));
    let comparison = Comparison::of(begun, Side::of(&records(imbalanced())), None);
    assert_eq!((comparison.difference, comparison.significance), (None, Significance::NotJudged));
}
