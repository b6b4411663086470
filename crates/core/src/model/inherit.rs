//! The first weights of a study that continues from a trained model.
//!
//! The layers below the head are carried over by grafting. The head has a column of weights and a bias
//! for each class: those of a class that both know move to its new index, those of a new class are drawn
//! as for a fresh network, and those of a class that the study lacks are left out.

use std::collections::{BTreeMap, VecDeque};

use super::graft::{Graft, GraftError};
use super::weights::{WeightArray, Weights, WeightsError};
use crate::spec::{Edit, InputShape, Layer, Spec, SpecError, StudyFile, edits_between};

/// Why a model's weights cannot be carried into a study's network.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// The layers differ too much for edits to lead from one to the other.
    #[error("its weights do not fit the study's layers: {0}")]
    OtherLayers(#[source] WeightsError),
    /// An edit cannot be made.
    #[error("its weights cannot be carried over")]
    Graft(#[from] GraftError),
    /// The layers do not fit the model's input.
    #[error("its layers cannot be used")]
    Spec(#[from] SpecError),
    /// The weights are incomplete.
    #[error("its weights cannot be used")]
    Weights(#[from] WeightsError),
}

/// Which classes of a model are also classes of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassMatch {
    /// For each class of the study, its index in the model; `None` for a new class.
    indices: Vec<Option<usize>>,
    /// Indices in the model of classes that the study lacks.
    pub dropped: Vec<usize>,
}

impl ClassMatch {
    /// Matches classes by name. Classes without names are named by their numbers, and so matched by
    /// them. Of several classes of one name, each is matched once, in order.
    pub fn of(model: &[String], study: &[String]) -> Self {
        let mut free: BTreeMap<&str, VecDeque<usize>> = BTreeMap::new();
        for (index, name) in model.iter().enumerate() {
            free.entry(name).or_default().push_back(index);
        }
        let mut take = |name: &String| free.get_mut(name.as_str())?.pop_front();
        let indices: Vec<Option<usize>> = study.iter().map(&mut take).collect();
        let mut dropped: Vec<usize> = free.into_values().flatten().collect();
        dropped.sort_unstable();
        Self { indices, dropped }
    }

    /// Indices in the study of the classes that the model knows.
    pub fn kept(&self) -> Vec<usize> {
        self.indices_where(|index| index.is_some())
    }

    /// Indices in the study of the classes that the model does not know.
    pub fn fresh(&self) -> Vec<usize> {
        self.indices_where(|index| index.is_none())
    }

    /// Of each class that both know, its indices in the model and in the study.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.indices.iter().enumerate().filter_map(|(at, index)| Some(((*index)?, at)))
    }

    fn indices_where(&self, holds: impl Fn(&Option<usize>) -> bool) -> Vec<usize> {
        self.indices
            .iter()
            .enumerate()
            .filter(|(_, index)| holds(index))
            .map(|(at, _)| at)
            .collect()
    }
}

/// The weights of `trial`, a trial of `study`, from those of a trained `model`, with the edits that lead
/// from the model's layers to the study's.
///
/// # Errors
///
/// If the study's layers are neither the model's nor reached from them by edits, or `weights` do not fit
/// `model`.
pub fn inherited_weights(
    model: &Spec,
    weights: &Weights,
    study: &Spec,
    classes: &ClassMatch,
    trial: u32,
) -> Result<(Weights, Vec<Edit>), InheritError> {
    weights.check(model)?;
    let seed = study.train().seed;
    let old = network_spec(model.layers(), model.input(), seed)?;
    let edits = edits_between(&old, study.layers());
    let graft = Graft::plan(&old, &edits, weights)?;
    let edited = Edit::apply_all(&edits, &old).map_err(GraftError::from)?;
    let carried = graft.weights(weights, &edited, trial);
    let input = InputShape { classes: model.input().classes, ..study.input() };
    carried
        .check(&network_spec(study.layers(), input, seed)?)
        .map_err(InheritError::OtherLayers)?;
    let mut result = Weights::initial(study, trial);
    for (name, array) in result.iter_mut() {
        let carried = carried.get(name)?;
        match name {
            "head.weight" | "head.bias" => move_columns(array, carried, classes),
            _ => *array = carried.clone(),
        }
    }
    result.check(study)?;
    Ok((result, edits))
}

/// The spec of a network with these layers, without the budget and training settings of a study.
fn network_spec(layers: &[Layer], input: InputShape, seed: u64) -> Result<Spec, SpecError> {
    let mut file = StudyFile::new("network", layers.to_vec());
    file.train.seed = seed;
    file.train.batch_size = 1;
    Spec::new(file, input)
}

/// Fills the columns of known classes of `array`, `[…, study's classes]`, from `model`,
/// `[…, model's classes]`; the others keep their values.
fn move_columns(array: &mut WeightArray, model: &WeightArray, classes: &ClassMatch) {
    let (Some(&now), Some(&before)) = (array.shape.last(), model.shape.last()) else {
        return;
    };
    let rows = array.values.chunks_exact_mut(now.max(1));
    for (row, model) in rows.zip(model.values.chunks_exact(before.max(1))) {
        for (value, index) in row.iter_mut().zip(&classes.indices) {
            if let Some(known) = index.and_then(|index| model.get(index)) {
                *value = *known;
            }
        }
    }
}

#[cfg(test)]
mod tests;
