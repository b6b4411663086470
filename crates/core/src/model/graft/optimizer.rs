//! Carries the optimizer's state over to the child.

use super::{Graft, Moment};
use crate::model::OptimizerRecord;
use crate::model::optimizer_record::MomentField;
use crate::model::weights::WeightArray;
use crate::spec::{Optimizer, Spec};

impl Graft {
    /// The child's initial optimizer state: the parent's moments, rearranged like the weights.
    pub fn optimizer(&self, parent: &OptimizerRecord, child: &Spec) -> OptimizerRecord {
        let mut record = OptimizerRecord::default();
        let carried = self.network.arrays(child).into_iter().filter_map(|(name, array)| {
            let source = self.network.sources(array).first().copied()?;
            parent.parameters.contains(source).then(|| (name, source.to_owned()))
        });
        for (name, source) in carried.collect::<Vec<_>>() {
            if let Some(steps) = parent.steps.get(&source) {
                record.steps.insert(name.clone(), *steps);
            }
            for (field, moments) in &parent.moments {
                let Ok(of_source) = moments.get(&source) else {
                    continue;
                };
                let moment = match field {
                    MomentField::Velocity | MomentField::First => Moment::OfGradients,
                    MomentField::Second => Moment::OfSquares,
                };
                // For squared gradients, zero would make the first steps of new weights several times
                // too long; the mean of the array is a better estimate.
                let fill = match moment {
                    Moment::OfGradients => 0.0,
                    Moment::OfSquares => mean(of_source),
                };
                if let Some(array) = self.moment(moments, child, &name, moment, fill) {
                    record.moments.entry(*field).or_default().insert(name.clone(), array);
                }
            }
            record.parameters.insert(name);
        }
        record
    }
}

/// Whether the child's optimizer can continue with the state of the parent's.
pub fn keeps_optimizer(parent: &Spec, child: &Spec) -> bool {
    match (&parent.train().optimizer, &child.train().optimizer) {
        (Optimizer::Sgd(old), Optimizer::Sgd(new)) => old.momentum > 0.0 && new.momentum > 0.0,
        (Optimizer::Adam(_), Optimizer::Adam(_))
        | (Optimizer::AdamW(_), Optimizer::AdamW(_))
        | (Optimizer::Muon(_), Optimizer::Muon(_)) => true,
        (Optimizer::Sgd(_) | Optimizer::Adam(_) | Optimizer::AdamW(_) | Optimizer::Muon(_), _) => {
            false
        }
    }
}

fn mean(array: &WeightArray) -> f32 {
    array.values.iter().sum::<f32>() / array.values.len().max(1) as f32
}
