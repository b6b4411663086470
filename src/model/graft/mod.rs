//! Carrying what a parent learned into its child.
//!
//! Edits that widen and deepen change nothing of what the network says: the child's logits equal
//! the parent's before its first step, up to rounding. Where the mathematics does not allow that,
//! what can be carried over is, and the [`GraftReport`] says what could not.

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

/// What keeps a parent's weights from being carried over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraftError {
    /// An edit cannot be made of the parent.
    #[error("the child cannot be made from its parent")]
    Edit(#[from] EditError),
    /// The weights are not the parent's.
    #[error("the parent's weights cannot be carried over")]
    Weights(#[from] WeightsError),
    /// The edited spec does not hold what the edit puts into it.
    #[error("`{edit}` made no layer that weights can be carried into")]
    NoLayer {
        /// The edit in words.
        edit: String,
    },
}

/// What an optimizer remembers of gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Means of them: a negated weight has a negated one.
    OfGradients,
    /// Means of their squares, which are never negative.
    OfSquares,
}

/// Where every number of a child comes from.
#[derive(Debug, Clone)]
pub struct Graft {
    network: CellNetwork,
    changed: Vec<String>,
}

impl Graft {
    /// Plans the carrying over from `parent` into the child that `edits` make of it. `weights` are
    /// the parent's: what is narrowed keeps what matters most.
    ///
    /// # Errors
    ///
    /// When an edit cannot be made, or the weights are not the parent's.
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

    /// The child's weights: the parent's numbers where the plan has them, others as for a new
    /// network of that trial.
    pub fn weights(&self, parent: &Weights, child: &Spec, trial: u32) -> Weights {
        let initial = Weights::initial(child, trial);
        self.network.numbers(child, parent, Factors::Whole, |name, at, value| {
            let drawn = || initial.get(name).ok().and_then(|array| array.values.get(at).copied());
            value.or_else(drawn).unwrap_or_default()
        })
    }

    /// The same rearrangement of an optimizer's moments for one array of the child's; new weights get
    /// `fill`. `None` where the child has no such array.
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

    /// What is carried over and what is not.
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
