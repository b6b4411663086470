//! Tests of `record::epoch`.

use super::*;

/// An epoch with these shares of the images of each class classified correctly, in percent.
fn epoch(recalls: &[(u64, u64)]) -> EpochRecord {
    let recalls: Vec<ClassRecall> =
        recalls.iter().map(|&(right, images)| ClassRecall { right, images }).collect();
    EpochRecord {
        epoch: 1,
        train_loss: 0.1,
        train_accuracy: 0.9,
        validation_loss: 0.1,
        validation_accuracy: Measure::Accuracy.of(&recalls),
        learning_rate: 0.1,
        seconds: 1.0,
        images: 10,
        course: Vec::new(),
        probe: None,
        recalls,
        given_up: None,
        evaluation_seconds: None,
    }
}

#[test]
fn the_best_epoch_is_the_one_that_the_gate_asks_for() {
    let constant = epoch(&[(990, 990), (0, 10)]);
    let balanced = epoch(&[(960, 990), (9, 10)]);
    let by_accuracy = GateSpec::default();
    assert!(constant.beats(&balanced, &by_accuracy));
    let others = [
        GateSpec { accuracy: 0.0, least_recall: Some(0.5), ..by_accuracy },
        GateSpec { accuracy: 0.0, balanced_accuracy: Some(0.5), ..by_accuracy },
        GateSpec { accuracy: 0.9, least_recall: Some(0.5), ..by_accuracy },
        GateSpec { accuracy: 0.9, least_recall: Some(0.5), confidence: Some(0.95), ..by_accuracy },
    ];
    for gate in others {
        assert!(balanced.beats(&constant, &gate) && !constant.beats(&balanced, &gate));
    }
}

#[test]
fn an_epoch_of_which_a_floor_was_not_measured_beats_none() {
    let gate = GateSpec { least_recall: Some(0.5), ..GateSpec::default() };
    let untold = EpochRecord { validation_accuracy: 1.0, ..epoch(&[]) };
    assert!(!untold.beats(&epoch(&[(1, 2), (1, 2)]), &gate));
    assert!(untold.score(&gate).is_nan());
}
