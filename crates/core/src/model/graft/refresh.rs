//! Shrinks and perturbs weights, so that a network that fits its training images can learn again.

use crate::model::weights::{WeightArray, Weights, WeightsError};
use crate::spec::Spec;

/// Factor of the old weight.
const KEPT: f32 = 0.5;
/// Factor of the fresh weight.
const FRESH: f32 = 0.5;

/// Replaces every weight and bias by the mean of itself and a fresh initial value of that trial; the arrays
/// of batch-norm are unchanged.
///
/// A network that classifies nearly every training image correctly has very small gradients, so that added
/// layers and units hardly learn. After shrinking and perturbing (Ash and Adams 2020, "On warm-starting
/// neural network training") they do; the example `inheritance` measures the effect.
///
/// # Errors
///
/// If the weights do not fit `spec`.
pub fn refreshed(mut weights: Weights, spec: &Spec, trial: u32) -> Result<Weights, WeightsError> {
    weights.check(spec)?;
    for (name, fresh) in Weights::initial(spec, trial).iter() {
        if name.ends_with(".weight") || name.ends_with(".bias") {
            let WeightArray { shape, values } = weights.get(name)?;
            let pairs = values.iter().zip(&fresh.values);
            let values = pairs.map(|(old, new)| KEPT * old + FRESH * new).collect();
            let mixed = WeightArray { shape: shape.clone(), values };
            weights.insert(name, mixed);
        }
    }
    Ok(weights)
}
