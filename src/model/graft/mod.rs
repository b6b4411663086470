//! Carrying what a parent learned into its child.
//!
//! Edits that widen and deepen change nothing of what the network says: the child's logits equal
//! the parent's before its first step, up to rounding. Where the mathematics does not allow that,
//! what can be carried over is, and the [`GraftReport`] says what could not.

mod cells;
mod depth;
mod fit;
mod inputs;
mod optimizer;
mod refresh;
mod width;

#[cfg(test)]
mod tests;

pub use self::optimizer::keeps_optimizer;
pub use self::refresh::refreshed;

use self::cells::{Cell, CellArray, CellNetwork, Factors, LayerCells};
use super::weights::{WeightArray, Weights, WeightsError};
use crate::record::GraftReport;
use crate::spec::{Edit, EditError, FeatureShape, Layer, Spec};

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

/// The layer that an edit speaks of is not in the edited spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NoLayer;

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
        let network = &mut self.network;
        let mut inputs: Vec<FeatureShape> =
            before.table().rows.iter().map(|row| row.input).collect();
        let changed = match *edit {
            Edit::AddConvBlock { at, pool, .. } => {
                let at = at.min(before.layers().len());
                let added = 1 + usize::from(pool);
                inputs
                    .splice(at..at, after.table().rows[at..at + added].iter().map(|row| row.input));
                depth::insert_conv(network, before, after, at, pool)?
            }
            Edit::AddDense { at, .. } => {
                let at = at.min(before.layers().len());
                inputs.insert(at, after.table().rows[at].input);
                let note = depth::insert_dense(network, before, after, at)?;
                inputs[at + 1] = after.table().rows[at + 1].input;
                note
            }
            Edit::Widen { layer, width } | Edit::Narrow { layer, width } => {
                let old = before.table().rows[layer].output.channels();
                if width >= old {
                    width::widen(network, before, layer, width);
                    None
                } else {
                    width::narrow(network, before, layer, width, weights);
                    Some(format!("{} units are left out", old - width))
                }
            }
            Edit::RemoveLayer { layer } => {
                network.layers.remove(layer);
                inputs.remove(layer);
                let kind = before.layers()[layer].kind();
                (kind != "dropout").then(|| format!("the {kind} is gone"))
            }
            Edit::SetKernel { layer, .. } => fit::set_kernel(network, before, after, layer)?,
            Edit::SetStride { .. } => Some("the stride has changed".into()),
            Edit::SetPool { .. } => Some("the pool's window has changed".into()),
            Edit::AddBatchNorm { layer } => {
                inputs.insert(layer + 1, after.table().rows[layer + 1].input);
                let norm = normalizing_nothing(after, layer + 1);
                network.layers.insert(layer + 1, norm);
                None
            }
            Edit::AddDropout { at, .. } => {
                let at = at.min(before.layers().len());
                inputs.insert(at, after.table().rows[at].input);
                network.layers.insert(at, LayerCells::new());
                None
            }
            Edit::SetActivation { .. } => {
                let bends = |spec: &Spec| -> Vec<_> {
                    spec.layers().iter().map(Layer::activation).collect()
                };
                (bends(before) != bends(after)).then(|| "the activation has changed".into())
            }
            Edit::SetLayers { .. } => {
                network.layers = CellNetwork::fresh(after).layers;
                inputs = after.table().rows.iter().map(|row| row.input).collect();
                Some("all layers are new".into())
            }
            Edit::SetBatchNorm { .. } => {
                Some("the settings of batch normalization have changed".into())
            }
            // What only training sees. Each is named, so that a new edit does not compile until it is
            // said here what becomes of the weights.
            Edit::SetDropout { .. }
            | Edit::SetInitialBias { .. }
            | Edit::AddEpochs { .. }
            | Edit::SetEpochs { .. }
            | Edit::SetLearningRate { .. }
            | Edit::SetSchedule { .. }
            | Edit::SetOptimizer { .. }
            | Edit::SetBatchSize { .. }
            | Edit::SetWeightDecay { .. }
            | Edit::SetLabelSmoothing { .. }
            | Edit::SetGradientClipping { .. }
            | Edit::SetEarlyStopping { .. }
            | Edit::SetAugment { .. } => None,
        };
        self.changed.extend(changed);
        self.changed.extend(fit::fit(&mut self.network, after, &inputs));
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
        let (_, array) = self.network.arrays(child).find(|(found, _)| found == name)?;
        Some(self.network.array_numbers(array, parent, factors, |_, _| fill))
    }

    /// What is carried over and what is not.
    pub fn report(&self, child: &Spec) -> GraftReport {
        let is_carried =
            |array: &CellArray| array.cells.iter().any(|cell| matches!(cell, Cell::Parent { .. }));
        let (carried, fresh): (Vec<_>, Vec<_>) =
            self.network.arrays(child).partition(|(_, array)| is_carried(array));
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

/// A batch-norm that hands on what it receives, by its running statistics.
fn normalizing_nothing(spec: &Spec, at: usize) -> LayerCells {
    let channels = spec.table().rows[at].input.channels();
    let epsilon = match spec.layers().get(at) {
        Some(Layer::BatchNorm(norm)) => norm.epsilon,
        _ => 0.0,
    };
    let filled = |value: f64| CellArray::filled(vec![channels], Cell::Value(value as f32));
    LayerCells::from([
        ("gamma", filled((1.0 + epsilon).sqrt())),
        ("beta", filled(0.0)),
        ("running-mean", filled(0.0)),
        ("running-variance", filled(1.0)),
    ])
}
