//! Tests of `tune::law`.

use super::*;

fn law() -> Law {
    Law::new([0.1_f64.ln(), 1.0], [0.35, 0.2])
}

#[test]
fn two_exact_points_give_the_exponent() {
    let mut law = law();
    law.observe(1.0, 0.2_f64.ln(), 1e-4);
    law.observe(16.0, 0.1_f64.ln(), 1e-4);
    // 16^−α = 1/2.
    assert!((law.alpha()[0] - 0.25).abs() < 1e-3, "{law:?}");
    assert!((law.at(256.0, 0.0).mean.exp() - 0.05).abs() < 1e-3, "{law:?}");
}

#[test]
fn the_posterior_is_that_of_numerical_integration() {
    // Python, a grid of 1501 × 1501 over a in ln 0.1 ± 6 and α in 0.35 ± 1.2, on which prior and likelihood were
    // multiplied: means −1.895390 and 0.335379, deviations 0.099905 and 0.154669.
    let mut law = law();
    law.observe(1.0, 0.15_f64.ln(), 0.12);
    law.observe(2.0, 0.12_f64.ln(), 0.12);
    let sd = law.covariance[0].sqrt();
    assert!((law.mean[0] - -1.895_39).abs() < 1e-5, "{law:?}");
    assert!((law.mean[1] - 0.335_379).abs() < 1e-5, "{law:?}");
    assert!((sd - 0.099_905).abs() < 1e-5 && (law.alpha()[1] - 0.154_669).abs() < 1e-5, "{law:?}");
}

#[test]
fn what_was_not_observed_is_less_certain() {
    let mut law = law();
    law.observe(1.0, 0.1_f64.ln(), 0.1);
    let spread = |compute| law.at(compute, 0.1).deviation;
    assert!(spread(1.0) < spread(4.0) && spread(4.0) < spread(64.0));
}

#[test]
fn an_interval_is_around_its_median_and_below_guessing() {
    let error = LogError { mean: 0.5_f64.ln(), deviation: 1.0 };
    let [low, median, high] = error.interval(0.9);
    assert!(low < median && median < high && (median - 0.5).abs() < 1e-12 && high == 0.9);
    assert!((error.at_most(0.5) - 0.5).abs() < 1e-9 && error.at_most(low) < 0.101);
}
