//! The model file: weights and preparation in one safetensors file.

use serde::{Deserialize, Serialize};

use super::preparation::{Preparation, PreparationError, Subject};
use super::weights::{METADATA_KEY, WeightArray, Weights, WeightsError};
use crate::data::Normalization;
use crate::spec::{DataSpec, InputShape};

/// Everything besides the spec that is needed to use a trained network, in one safetensors file.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    /// The trained weights.
    pub weights: Weights,
    /// How pictures become the network's input, and the names of its classes.
    pub preparation: Preparation,
}

/// A model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// The weights are wrong.
    #[error("its weights cannot be used")]
    Weights(#[from] WeightsError),
    /// The metadata has no entry `burgeon`.
    #[error("it has no metadata `{METADATA_KEY}`, so it was not written by burgeon")]
    NoNote,
    /// The metadata cannot be parsed or written.
    #[error("its metadata `{METADATA_KEY}` is invalid")]
    Note(#[source] serde_json::Error),
    /// The archive of its arrays cannot be written.
    #[error("the archive of its arrays cannot be written")]
    Archive(#[source] zip::result::ZipError),
    /// The preparation is invalid or not supported.
    #[error(transparent)]
    Preparation(#[from] PreparationError),
    /// The dense weights have a layout that this version does not support.
    #[error("its dense weights have the layout `{found}`; this burgeon supports `{DENSE_WEIGHTS}`")]
    Layout {
        /// The layout in the file.
        found: String,
    },
}

/// The layout of dense weights in the file, the same as that of PyTorch's `Linear`.
const DENSE_WEIGHTS: &str = "[out, in]";

/// The metadata `burgeon`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Note {
    dense_weights: String,
    preparation: Preparation,
}

/// The metadata as version 0.1.0 wrote it; its dense weights are `[in, out]`.
#[derive(Deserialize)]
struct FirstNote {
    input: InputShape,
    mean: f32,
    std: f32,
    classes: Vec<String>,
}

/// The part of the metadata that holds its version.
#[derive(Deserialize)]
struct AnyNote {
    preparation: Option<AnyPreparation>,
}

#[derive(Deserialize)]
struct AnyPreparation {
    version: u64,
}

impl ModelFile {
    /// The content of the file. Conv weights are `[filters, channels, kernel, kernel]`, dense weights
    /// `[out, in]`, as in PyTorch.
    ///
    /// # Errors
    ///
    /// If the weights cannot be written as safetensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelFileError> {
        let note =
            Note { dense_weights: DENSE_WEIGHTS.into(), preparation: self.preparation.clone() };
        let note = serde_json::to_string(&note).map_err(ModelFileError::Note)?;
        Ok(with_transposed_dense_weights(&self.weights).to_safetensors(Some(&note))?)
    }

    /// Parses the output of [`to_safetensors`](Self::to_safetensors), also of version 0.1.0. Those older files
    /// do not say what pictures show, so pictures are then used whole.
    ///
    /// # Errors
    ///
    /// If it is not a model file, or not supported by this version.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelFileError> {
        Self::read(bytes, Subject::Whole)
    }

    /// Parses the model file of a study, whose `[data]` says what files of version 0.1.0 lack.
    pub(super) fn from_safetensors_of(
        bytes: &[u8],
        data: &DataSpec,
    ) -> Result<Self, ModelFileError> {
        Self::read(bytes, if data.centres_digits() { Subject::Digit } else { Subject::Whole })
    }

    fn read(bytes: &[u8], subject_of_first: Subject) -> Result<Self, ModelFileError> {
        let weights = Weights::from_safetensors(bytes)?;
        weights.check_numbers()?;
        let (_, header) =
            safetensors::SafeTensors::read_metadata(bytes).map_err(WeightsError::Unreadable)?;
        let note = header.metadata().as_ref().and_then(|notes| notes.get(METADATA_KEY));
        let note = note.ok_or(ModelFileError::NoNote)?;
        let any: AnyNote = serde_json::from_str(note).map_err(ModelFileError::Note)?;
        let Some(preparation) = any.preparation else {
            return Self::first(weights, note, subject_of_first);
        };
        if !(1..=u64::from(Preparation::VERSION)).contains(&preparation.version) {
            return Err(PreparationError::Version { found: preparation.version }.into());
        }
        let note: Note = serde_json::from_str(note).map_err(ModelFileError::Note)?;
        note.preparation.check()?;
        if note.dense_weights != DENSE_WEIGHTS {
            return Err(ModelFileError::Layout { found: note.dense_weights });
        }
        Ok(Self { weights: with_transposed_dense_weights(&weights), preparation: note.preparation })
    }

    fn first(weights: Weights, note: &str, subject: Subject) -> Result<Self, ModelFileError> {
        let note: FirstNote = serde_json::from_str(note).map_err(ModelFileError::Note)?;
        if note.input.channels != 1 {
            return Err(PreparationError::Value {
                key: "channels",
                value: note.input.channels.to_string(),
                expected: "1, for grey images",
            }
            .into());
        }
        if note.input.classes != note.classes.len() {
            return Err(PreparationError::Value {
                key: "classes",
                value: format!("{:?}", note.classes),
                expected: "a name for every class",
            }
            .into());
        }
        let normalization = Normalization::of_all(note.mean, note.std);
        let preparation = Preparation::grey(note.input, normalization, note.classes, subject);
        preparation.check()?;
        Ok(Self { weights, preparation })
    }
}

/// The weights with all arrays of two axes, which are dense weights, transposed.
pub(super) fn with_transposed_dense_weights(weights: &Weights) -> Weights {
    let mut result = Weights::default();
    for (name, array) in weights.iter() {
        result.insert(name, transposed(array).unwrap_or_else(|| array.clone()));
    }
    result
}

fn transposed(array: &WeightArray) -> Option<WeightArray> {
    let [rows, columns] = *array.shape.as_slice() else {
        return None;
    };
    if array.values.len() != rows * columns {
        return None;
    }
    let values = (0..columns)
        .flat_map(|column| array.values.iter().skip(column).step_by(columns.max(1)).copied());
    Some(WeightArray { shape: vec![columns, rows], values: values.collect() })
}

#[cfg(test)]
mod tests;
