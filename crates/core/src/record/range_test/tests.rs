//! Tests of `record::range_test`.

use super::*;

fn test(losses: &[f64]) -> RangeTest {
    let rates = (0..losses.len()).map(|step| 10_f64.powi(step as i32 - 6)).collect();
    RangeTest { rates, losses: losses.to_vec() }
}

#[test]
fn a_quarter_of_the_rate_with_the_lowest_loss_is_suggested() {
    let suggestion = test(&[2.3, 2.3, 2.2, 1.5, 0.9, 2.0]).suggestion();
    assert!(suggestion.is_some_and(|rate| (rate - 0.0025).abs() < 1e-9), "{suggestion:?}");
}

#[test]
fn a_loss_that_never_falls_suggests_nothing() {
    assert_eq!(test(&[2.3, 2.3, 2.29, 2.28, 2.4]).suggestion(), None);
    assert_eq!(test(&[]).suggestion(), None);
}
