//! Grafting: initializes a child network from its parent's weights.
//!
//! Edits that widen or deepen a network preserve its function: before the first training step, the
//! child's logits equal the parent's up to rounding. Where that is not possible, as much as possible is
//! carried over, and the [`GraftReport`] lists what changes the outputs.

mod cells;
mod change;
mod depth;
mod fit;
mod inputs;
mod optimizer;
mod refresh;
mod shortcut;
mod width;

#[cfg(test)]
mod tests;

pub use self::optimizer::keeps_optimizer;
pub use self::refresh::refreshed;

use self::cells::{Cell, CellArray, CellNetwork, Factors, NoLayer, Numbers, Part};
use self::change::Change;
use super::weights::{WeightArray, Weights, WeightsError};
use crate::record::GraftReport;
use crate::spec::{Edit, EditError, FeatureShape, Spec};

/// Why a parent's weights cannot be carried over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraftError {
    /// An edit cannot be applied to the parent.
    #[error("the child cannot be made from its parent")]
    Edit(#[from] EditError),
    /// The weights do not fit the parent's spec.
    #[error("the parent's weights cannot be carried over")]
    Weights(#[from] WeightsError),
    /// The edited spec lacks the layer that the edit should have added or changed.
    #[error("`{edit}` made no layer that weights can be carried into")]
    NoLayer {
        /// The edit in words.
        edit: String,
    },
}

/// A running mean that an optimizer keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Of gradients; it is negated with the weight.
    OfGradients,
    /// Of squared gradients, which are never negative.
    OfSquares,
}

/// The plan of a graft: where each number of the child comes from.
#[derive(Debug, Clone)]
pub struct Graft {
    network: CellNetwork,
    changed: Vec<String>,
}

impl Graft {
    /// Plans the graft from `parent` onto the child that results from `edits`. `weights` are the parent's;
    /// a narrowed layer keeps the units whose weights matter most.
    ///
    /// # Errors
    ///
    /// If an edit cannot be applied, or the weights do not fit the parent's spec.
    pub fn plan(parent: &Spec, edits: &[Edit], weights: &Weights) -> Result<Self, GraftError> {
        weights.check(parent)?;
        let mut graft = Self { network: CellNetwork::of(parent), changed: Vec::new() };
        let mut before = parent.clone();
        for edit in edits {
            let after = edit.apply(&before)?;
            graft
                .make(edit, &before, &after, weights)
                .map_err(|NoLayer| GraftError::NoLayer { edit: edit.to_string() })?;
            before = after;
        }
        Ok(graft)
    }

    fn make(
        &mut self,
        edit: &Edit,
        before: &Spec,
        after: &Spec,
        weights: &Weights,
    ) -> Result<(), NoLayer> {
        let CellNetwork { layers, names } = &mut self.network;
        let (before, after) = (Part::of(before), Part::of(after));
        let mut inputs: Vec<FeatureShape> = before.rows.iter().map(|row| row.input).collect();
        let numbers = Numbers { names, parent: weights };
        let change = Change { before, after, numbers };
        self.changed.extend(change.make(edit, layers, &mut inputs)?.notes);
        self.changed.extend(fit::fit(layers, after, &inputs));
        Ok(())
    }

    /// The child's weights: from the parent where the plan says so, otherwise initial values of that
    /// trial.
    pub fn weights(&self, parent: &Weights, child: &Spec, trial: u32) -> Weights {
        let initial = Weights::initial(child, trial);
        self.network.numbers(child, parent, Factors::Whole, |name, at, value| {
            let drawn = || initial.get(name).ok().and_then(|array| array.values.get(at).copied());
            value.or_else(drawn).unwrap_or_default()
        })
    }

    /// The optimizer's moments for one array of the child, rearranged like its weights; new weights get
    /// `fill`. `None` if the child has no such array.
    fn moment(
        &self,
        parent: &Weights,
        child: &Spec,
        name: &str,
        moment: Moment,
        fill: f32,
    ) -> Option<WeightArray> {
        let factors = match moment {
            Moment::OfGradients => Factors::Sign,
            Moment::OfSquares => Factors::Ignored,
        };
        let mut arrays = self.network.arrays(child).into_iter();
        let (_, array) = arrays.find(|(found, _)| found == name)?;
        Some(self.network.array_numbers(array, parent, factors, |_, _| fill))
    }

    /// Which arrays are carried over, which are new, and what changes the outputs.
    pub fn report(&self, child: &Spec) -> GraftReport {
        let is_carried =
            |array: &CellArray| array.cells.iter().any(|cell| matches!(cell, Cell::Parent { .. }));
        let (carried, fresh): (Vec<_>, Vec<_>) =
            self.network.arrays(child).into_iter().partition(|(_, array)| is_carried(array));
        let names = |arrays: Vec<(String, &CellArray)>| {
            arrays.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        GraftReport {
            carried: names(carried),
            fresh: names(fresh),
            preserved: self.changed.is_empty(),
            changed: self.changed.clone(),
            optimizer: false,
        }
    }
}
