//! The exponential moving average of the weights, which is evaluated and kept if a study has
//! `weight-average`.
//!
//! The average over the last steps is better than the last step alone (Polyak and Juditsky 1992); with a
//! constant learning rate it has a similar effect to lowering the rate.

use crate::model::{Weights, WeightsError};

/// Updates `average` with the `weights` after `steps` steps of a training, running statistics included.
///
/// The decay is at most (1 + steps) / (10 + steps), as in TensorFlow's `ExponentialMovingAverage`, so that
/// the initial weights are soon forgotten.
///
/// # Errors
///
/// If the two are not of the same network.
pub(super) fn move_towards(
    average: &mut Weights,
    weights: &Weights,
    decay: f64,
    steps: usize,
) -> Result<(), WeightsError> {
    let decay = decay.min((1 + steps) as f64 / (10 + steps) as f64);
    let share = (1.0 - decay) as f32;
    for (name, array) in average.iter_mut() {
        let new = weights.get(name)?;
        for (average, new) in array.values.iter_mut().zip(&new.values) {
            *average += share * (new - *average);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
}
