//! Tests of `record::figures`.

use super::*;
use crate::record::wilson_interval;

fn figures(confusion: &[(usize, usize, u64)]) -> SplitFigures {
    SplitFigures {
        images: 10,
        accuracy: 0.9,
        interval: wilson_interval(0.9, 10),
        loss: f64::NAN,
        calibration_error: 0.1,
        classes: 2,
        confusion: confusion.to_vec(),
        mistakes: Vec::new(),
    }
}

#[test]
fn classes_have_the_figures_of_the_confusion_matrix() {
    let [first, second] = figures(&[(0, 0, 6), (0, 1, 2), (1, 1, 2), (9, 9, 5)]).by_class()[..]
    else {
        panic!("two classes");
    };
    assert_eq!((first.support, first.precision, first.recall), (8, 1.0, 0.75));
    assert!((first.f1 - 2.0 * 0.75 / 1.75).abs() < 1e-12);
    assert_eq!((second.support, second.precision, second.recall), (2, 0.5, 1.0));
}

#[test]
fn the_interval_has_both_ends_of_wilsons() {
    // statsmodels: proportion_confint(9, 10, method="wilson")
    let [low, high] = wilson_interval(0.9, 10);
    assert!((low - 0.595_849_7).abs() < 1e-6 && (high - 0.982_123_8).abs() < 1e-6, "{high}");
    assert_eq!(wilson_interval(1.0, 10)[1], 1.0);
}
