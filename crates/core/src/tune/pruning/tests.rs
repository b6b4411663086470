//! Tests of `tune::pruning`.

use super::*;
use crate::spec::{Conv, InputShape, Layer, StudyFile};

fn spec(epochs: usize, schedule: Schedule) -> Spec {
    let mut file = StudyFile::new("outlook", vec![Layer::Conv(Conv::same(4, 3))]);
    file.train.epochs = epochs;
    file.train.schedule = schedule;
    file.gate.accuracy = 0.97;
    Spec::new(file, InputShape::MNIST).unwrap_or_else(|error| panic!("{error}"))
}

fn curve(accuracies: &[f64]) -> Vec<EpochRecord> {
    let epoch = |(at, &accuracy): (usize, &f64)| EpochRecord {
        epoch: at + 1,
        train_loss: 1.0 - accuracy,
        train_accuracy: accuracy,
        validation_loss: 1.0 - accuracy,
        validation_accuracy: accuracy,
        learning_rate: 0.001,
        seconds: 1.0,
        images: 1000,
        course: Vec::new(),
        probe: None,
        recalls: Vec::new(),
        given_up: None,
        evaluation_seconds: None,
    };
    accuracies.iter().enumerate().map(epoch).collect()
}

fn verdict(spec: &Spec, accuracies: &[f64]) -> Option<String> {
    let curve = curve(accuracies);
    reason_to_prune(spec, &SoFar { curve: &curve, course: &[], accuracy: 0.0, steps: 1000 })
}

#[test]
fn a_curve_that_leads_nowhere_is_given_up() {
    let constant = spec(6, Schedule::Constant {});
    assert!(verdict(&constant, &[0.80, 0.801, 0.802]).is_some());
}

#[test]
fn a_trial_that_may_train_on_from_its_rung_is_not() {
    let mut file = spec(6, Schedule::Constant {}).file().clone();
    file.tune.policy = Policy::Asha;
    let spec = Spec::new(file, InputShape::MNIST).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(verdict(&spec, &[0.80, 0.801, 0.802]), None);
}

#[test]
fn a_curve_that_can_still_get_there_is_not() {
    let constant = spec(6, Schedule::Constant {});
    assert_eq!(verdict(&constant, &[0.80, 0.85, 0.89]), None);
    assert_eq!(verdict(&constant, &[0.96, 0.965, 0.967]), None);
    assert_eq!(verdict(&constant, &[0.80]), None);
}

#[test]
fn a_flat_curve_may_yet_fall_with_the_rate() {
    let cycle = Schedule::OneCycle { peak_at: 0.3, start: 0.04, floor: 0.0 };
    // Of 5 % of errors after half of the cycle, 2 % at its end are usual; of 60 % they are not.
    assert_eq!(verdict(&spec(6, cycle.clone()), &[0.93, 0.95, 0.95]), None);
    let why = verdict(&spec(6, cycle), &[0.35, 0.4, 0.4]).unwrap();
    assert!(why.contains("after 3 of 6 epochs"), "{why}");
}

#[test]
fn nothing_is_given_up_while_the_rate_still_rises() {
    let cycle = Schedule::OneCycle { peak_at: 0.6, start: 0.0, floor: 0.0 };
    assert_eq!(verdict(&spec(6, cycle), &[0.2, 0.2, 0.2]), None);
}

#[test]
fn half_an_epoch_of_guessing_is_enough_where_few_are_planned() {
    let long = spec(60, Schedule::Constant {});
    let spec = spec(5, Schedule::Constant {});
    let guessing =
        SoFar { curve: &[], course: &[2.31, 2.30, 2.30, 2.30], accuracy: 0.11, steps: 430 };
    assert!(reason_to_prune(&spec, &guessing).is_some());
    assert_eq!(reason_to_prune(&long, &guessing), None);
    assert_eq!(reason_to_prune(&spec, &SoFar { course: &[2.31, 2.30], ..guessing }), None);
    assert_eq!(reason_to_prune(&spec, &SoFar { steps: 20, ..guessing }), None);
    assert_eq!(reason_to_prune(&spec, &SoFar { course: &[2.3, 2.2, 2.1, 1.9], ..guessing }), None);
}
