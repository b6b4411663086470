//! Tests of `train::average`.

use super::*;
use crate::model::WeightArray;

fn of(values: &[f32]) -> Weights {
    let mut weights = Weights::default();
    let array = WeightArray { shape: vec![values.len()], values: values.to_vec() };
    weights.insert("head.bias", array);
    weights
}

#[test]
fn the_average_forgets_by_the_decay_and_faster_at_first() {
    let mut average = of(&[0.0, 4.0]);
    move_towards(&mut average, &of(&[1.0, 4.0]), 0.75, 1_000_000).unwrap();
    assert_eq!(average, of(&[0.25, 4.0]));
    let mut average = of(&[0.0]);
    move_towards(&mut average, &of(&[1.0]), 0.999, 0).unwrap();
    assert!((average.get("head.bias").unwrap().values[0] - 0.9).abs() < 1e-6);
    assert!(move_towards(&mut average, &Weights::default(), 0.9, 1).is_err());
}
