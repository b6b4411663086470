//! Converts a training's complete state to the files of a checkpoint and back.

use serde::{Deserialize, Serialize};

use super::{Checkpoint, Meta};
use crate::model::{Weights, WeightsError};
use crate::record::EpochRecord;
use crate::train::{BestEpoch, Position, RunningSums, TrainState};

const WEIGHTS: &str = "weights.safetensors";
const BEST_WEIGHTS: &str = "best.safetensors";
const AVERAGE: &str = "average.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";

/// The trial, spec and data that a state belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The trial's number.
    pub trial: u32,
    /// Hash of its spec.
    pub spec_hash: String,
    /// Hash of its images.
    pub data_hash: String,
}

/// An undamaged checkpoint that cannot be converted to a training state, or a state that cannot be saved.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A part is missing.
    #[error("the checkpoint has no {part}")]
    Missing {
        /// Its name.
        part: &'static str,
    },
    /// The weights cannot be read or written.
    #[error("the checkpoint's weights cannot be used")]
    Weights(#[from] WeightsError),
    /// The rest cannot be read or written.
    #[error("the checkpoint's state cannot be used")]
    State(#[from] serde_json::Error),
}

/// The part of the state that is small enough for the manifest.
#[derive(Serialize, Deserialize)]
struct SmallState {
    position: Position,
    sums: RunningSums,
    curve: Vec<EpochRecord>,
    best: Option<EpochRecord>,
}

/// The files of a checkpoint: names and content.
pub type Parts = Vec<(String, Vec<u8>)>;

/// Converts a training's state for [`CheckpointStore::write`](super::CheckpointStore::write).
///
/// # Errors
///
/// If the weights cannot be written as safetensors.
pub fn to_parts(state: &TrainState, owner: &Owner) -> Result<(Meta, Parts), StateError> {
    let small = SmallState {
        position: state.position,
        sums: state.sums,
        curve: state.curve.clone(),
        best: state.best.as_ref().map(|best| best.record.clone()),
    };
    let is_best = match (&small.best, state.curve.last()) {
        (Some(best), Some(last)) => best.epoch == last.epoch && state.position.step == 0,
        _ => false,
    };
    let mut parts = vec![(WEIGHTS.to_owned(), state.weights.to_safetensors(None)?)];
    if !state.optimizer.is_empty() {
        parts.push((OPTIMIZER.to_owned(), state.optimizer.clone()));
    }
    if let Some(average) = &state.average {
        parts.push((AVERAGE.to_owned(), average.to_safetensors(None)?));
    }
    // The best weights are often the current ones, or their average if there is one.
    if let Some(best) = &state.best
        && !is_best
    {
        parts.push((BEST_WEIGHTS.to_owned(), best.weights.to_safetensors(None)?));
    }
    let meta = Meta {
        trial: owner.trial,
        epoch: state.position.epoch as u32,
        step: state.position.step as u64,
        spec_hash: owner.spec_hash.clone(),
        data_hash: owner.data_hash.clone(),
        best: is_best,
        state: serde_json::to_value(small)?,
    };
    Ok((meta, parts))
}

/// Converts a checkpoint to a training's state.
///
/// # Errors
///
/// If a part is missing or cannot be read.
pub fn from_parts(mut checkpoint: Checkpoint) -> Result<TrainState, StateError> {
    let small: SmallState = serde_json::from_value(checkpoint.meta.state.clone())?;
    let weights = checkpoint.parts.get(WEIGHTS);
    let weights = Weights::from_safetensors(weights.ok_or(StateError::Missing { part: WEIGHTS })?)?;
    let average = checkpoint.parts.get(AVERAGE).map(|bytes| Weights::from_safetensors(bytes));
    let average = average.transpose()?;
    let best = match small.best {
        None => None,
        Some(record) => Some(BestEpoch {
            weights: match checkpoint.parts.get(BEST_WEIGHTS) {
                Some(bytes) => Weights::from_safetensors(bytes)?,
                None if checkpoint.meta.best => average.as_ref().unwrap_or(&weights).clone(),
                None => return Err(StateError::Missing { part: BEST_WEIGHTS }),
            },
            record,
        }),
    };
    Ok(TrainState {
        weights,
        optimizer: checkpoint.parts.remove(OPTIMIZER).unwrap_or_default(),
        position: small.position,
        sums: small.sums,
        curve: small.curve,
        best,
        average,
    })
}

#[cfg(test)]
mod tests;
