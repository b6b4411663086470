//! Tests of `spec::schedule`.

use super::*;

fn rates(schedule: Schedule, warm_up: f64) -> Vec<f64> {
    let train = TrainSpec { schedule, warm_up, learning_rate: 2.0, ..TrainSpec::default() };
    (0..=100).map(|step| learning_rate(&train, step, 100)).collect()
}

#[test]
fn a_constant_schedule_holds_the_rate() {
    assert!(rates(Schedule::Constant {}, 0.0).iter().all(|&rate| rate == 2.0));
}

#[test]
fn cosine_falls_from_the_rate_to_its_floor() {
    let rates = rates(Schedule::Cosine { floor: 0.1 }, 0.0);
    assert_eq!(rates[0], 2.0);
    assert!((rates[50] - 1.1).abs() < 1e-12);
    assert!((rates[100] - 0.2).abs() < 1e-12);
    assert!(rates.is_sorted_by(|a, b| a >= b));
}

#[test]
fn one_cycle_peaks_where_it_should() {
    let rates = rates(Schedule::one_cycle(), 0.0);
    assert!((rates[0] - 0.08).abs() < 1e-12);
    assert_eq!(rates[30], 2.0);
    assert!(rates[100].abs() < 1e-12);
}

#[test]
fn warm_up_rises_linearly_and_never_starts_at_zero() {
    let rates = rates(Schedule::Constant {}, 0.1);
    assert!((rates[0] - 0.2).abs() < 1e-12);
    assert!((rates[4] - 1.0).abs() < 1e-12);
    assert_eq!(rates[10], 2.0);
}
