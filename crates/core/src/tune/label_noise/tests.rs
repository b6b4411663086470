//! Tests of `tune::label_noise`.

use super::*;
use crate::record::{EpochRecord, Probe};
use crate::spec::{InputShape, Layer, Pool, Spec, StudyFile};

/// A trial with so many errors in each quarter of 5,000 validation images.
fn trial(wrong: [u64; 4]) -> TrialRecord {
    let file = StudyFile::new("noise", vec![Layer::MaxPool(Pool::of(2))]);
    let by_confidence = wrong.map(|wrong| ConfidenceGroup { wrong, images: 1250 }).to_vec();
    let probe = Probe {
        images: 1,
        training_images: 1000,
        accuracy: 0.9,
        pixel_deviation: 1.0,
        layers: Vec::new(),
        missing_classes: Vec::new(),
        unnamed_classes: Vec::new(),
        mirror_cost: None,
        by_confidence,
        sample: None,
    };
    let epoch = EpochRecord {
        epoch: 1,
        train_loss: 0.5,
        train_accuracy: 0.9,
        validation_loss: 0.5,
        validation_accuracy: 1.0 - wrong.iter().sum::<u64>() as f64 / 5000.0,
        learning_rate: 0.001,
        seconds: 1.0,
        images: 1000,
        course: Vec::new(),
        probe: Some(probe),
        recalls: Vec::new(),
        given_up: None,
        evaluation_seconds: None,
    };
    TrialRecord::new(1, Spec::new(file, InputShape::MNIST).unwrap(), vec![epoch])
}

#[test]
fn errors_that_fall_on_sure_and_less_sure_images_alike_are_wrong_labels() {
    let floor = floor([&trial([225, 230, 240, 300])], 0.05).unwrap();
    assert!((floor.estimate - 0.18).abs() < 1e-9);
    // Wilson's interval of 225 of 1250 at 98 %, by Python: 0.15612 to 0.20664.
    assert!((floor.least - 0.156_12).abs() < 1e-5, "{floor:?}");
}

#[test]
fn errors_that_come_with_doubt_are_those_of_hard_images() {
    assert_eq!(floor([&trial([60, 250, 500, 800])], 0.05), None);
    // Too few to matter.
    assert_eq!(floor([&trial([1, 1, 10, 40])], 0.05), None);
}

#[test]
fn a_network_that_has_learned_little_says_nothing_of_labels() {
    assert_eq!(floor([&trial([600, 800, 900, 1000])], 0.05), None);
}

#[test]
fn what_a_better_network_gets_right_was_no_wrong_label() {
    let (early, late) = (trial([225, 230, 240, 300]), trial([2, 30, 80, 200]));
    assert_eq!(floor([&early, &late], 0.05), None);
}
