//! Letting a network forget some of its answers and keep its features.

use crate::model::weights::{WeightArray, Weights, WeightsError};
use crate::spec::Spec;

/// What stays of a weight.
const KEPT: f32 = 0.5;
/// What is added of a fresh one.
const FRESH: f32 = 0.5;

/// Every weight and bias half of what it was and half of a fresh one of that trial; batch-norm's numbers stay.
///
/// A network that names nearly every training image right sends so little gradient back that what was added to it
/// hardly learns. Shrunk and perturbed (Ash and Adams 2020, "On warm-starting neural network training") it learns
/// again; whether that pays is measured by the example `inheritance`.
///
/// # Errors
///
/// The weights are not those of `spec`.
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
