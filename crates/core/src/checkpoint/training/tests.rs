//! Tests of `checkpoint::training`.

use super::super::place::Place;
use super::*;
use crate::model::WeightArray;

fn weights(value: f32) -> Weights {
    let mut weights = Weights::default();
    weights.insert("head.bias", WeightArray::filled(vec![2], value));
    weights
}

#[test]
fn the_average_is_saved_and_stands_for_the_best_weights_where_it_is_the_same() {
    let record = serde_json::json!({
        "epoch": 1, "train_loss": 0.1, "train_accuracy": 0.5, "validation_loss": 0.1,
        "validation_accuracy": 0.5, "learning_rate": 0.1, "seconds": 1.0
    });
    let record: EpochRecord = serde_json::from_value(record).unwrap();
    let owner = Owner { trial: 1, spec_hash: "s".into(), data_hash: "d".into() };
    for (step, best, parts_expected) in [(0, 2.0, 2), (3, 2.5, 3)] {
        let mut state = TrainState::start(weights(1.0));
        state.average = Some(weights(2.0));
        state.position = Position { epoch: 1, step };
        state.curve.push(record.clone());
        state.best = Some(BestEpoch { record: record.clone(), weights: weights(best) });
        let (meta, parts) = to_parts(&state, &owner).unwrap();
        assert_eq!(parts.len(), parts_expected);
        let place = Place { epoch: 1, step: step as u64, attempt: 1 };
        let parts = parts.into_iter().collect();
        let checkpoint = Checkpoint { path: "here".into(), place, meta, parts };
        assert_eq!(from_parts(checkpoint).unwrap(), state);
    }
}
