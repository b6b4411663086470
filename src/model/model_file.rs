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
mod tests {
    use super::*;
    use crate::spec::StudyDocument;

    fn file() -> ModelFile {
        let text = include_str!("../../models/lenet.toml");
        let spec = StudyDocument::new("lenet.toml", text).validate(InputShape::MNIST).unwrap();
        let classes = (0..10).map(|class| class.to_string()).collect();
        let normalization = Normalization::of_all(0.13, 0.31);
        ModelFile {
            weights: Weights::initial(&spec, 1),
            preparation: Preparation::grey(
                InputShape::MNIST,
                normalization,
                classes,
                Subject::Digit,
            ),
        }
    }

    #[test]
    fn dense_weights_lie_out_by_in_as_pytorch_has_them_and_come_back() {
        let file = file();
        let bytes = file.to_safetensors().unwrap();
        let raw = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(raw.tensor("head.weight").unwrap().shape(), [10, 84]);
        assert_eq!(raw.tensor("layers.0.weight").unwrap().shape(), [6, 1, 5, 5]);
        // Unit 1, input 0 is the second number of the network's [in, out] array.
        let own = file.weights.get("head.weight").unwrap().values[1];
        let first_of_unit_1 = &raw.tensor("head.weight").unwrap().data()[84 * 4..][..4];
        assert_eq!(first_of_unit_1, own.to_le_bytes());
        assert_eq!(ModelFile::from_safetensors(&bytes).unwrap(), file);
    }

    #[test]
    fn a_file_of_version_0_1_0_opens_with_its_own_arrangement() {
        let file = file();
        let note = r#"{"input":{"channels":1,"height":28,"width":28,"classes":10},"mean":0.13,"std":0.31,
            "classes":["0","1","2","3","4","5","6","7","8","9"]}"#;
        let bytes = file.weights.to_safetensors(Some(note)).unwrap();
        let digits = DataSpec::default();
        assert_eq!(ModelFile::from_safetensors_of(&bytes, &digits).unwrap(), file);
        let read = ModelFile::from_safetensors(&bytes).unwrap();
        assert_eq!(read.preparation, file.preparation.whole());
    }

    #[test]
    fn numbers_that_nothing_can_be_computed_with_are_refused_by_name() {
        let refusal = |name: &str, number: f32| {
            let mut file = file();
            let array = WeightArray { shape: vec![2], values: vec![1.0, number] };
            file.weights.insert(name, array);
            let read = ModelFile::from_safetensors(&file.to_safetensors().unwrap());
            read.err().map(|error| crate::sys::error_chain(&error))
        };
        assert_eq!(refusal("layers.1.running-variance", 0.0), None);
        assert_eq!(refusal("layers.1.running-mean", -1.0), None);
        let negative = refusal("layers.1.running-variance", -0.5).unwrap();
        assert!(negative.contains("`layers.1.running-variance` has negative"), "{negative}");
        let nan = refusal("layers.1.beta", f32::NAN).unwrap();
        assert!(nan.contains("`layers.1.beta` has numbers that are not finite"), "{nan}");
    }

    #[test]
    fn crafted_headers_are_refused_by_name() {
        let file = file();
        let refusal = |note: &str| {
            let bytes = file.weights.to_safetensors(Some(note)).unwrap();
            ModelFile::from_safetensors(&bytes).unwrap_err().to_string()
        };
        let first = |channels: usize, height: usize, std: f32, classes: &str| {
            refusal(&format!(
                r#"{{"input":{{"channels":{channels},"height":{height},"width":28,"classes":2}},"mean":0,"std":{std},"classes":{classes}}}"#
            ))
        };
        assert!(
            first(3, 28, 1.0, r#"["a","b"]"#)
                .contains("`channels` of the model's preparation is 3")
        );
        assert!(
            first(1, 0, 1.0, r#"["a","b"]"#).contains("`height` of the model's preparation is 0")
        );
        assert!(first(1, 28, 0.0, r#"["a","b"]"#).contains("`std`"));
        assert!(first(1, 28, 1.0, r#"["a"]"#).contains("`classes`"));
        let twice = first(1, 28, 1.0, r#"["a","a"]"#);
        assert!(twice.contains("a list with \"a\" more than once"), "{twice}");
        let mut preparation = serde_json::to_value(&file.preparation).unwrap();
        let mut noted = |key: &str, value: serde_json::Value| {
            let before = preparation[key].take();
            preparation[key] = value;
            let note = serde_json::json!({
                "dense-weights": "[out, in]", "preparation": &preparation,
            });
            preparation[key] = before;
            refusal(&note.to_string())
        };
        assert!(noted("version", 3.into()).contains("version 3"));
        assert!(noted("range", serde_json::json!([-1.0, 1.0])).contains("`range`"));
        assert!(noted("classes", serde_json::json!([])).contains("`classes`"));
        assert!(noted("channels", "rgb".into()).contains("`mean`"));
        assert!(refusal("[]").contains("is invalid"));
    }
}
