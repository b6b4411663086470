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
mod tests;
