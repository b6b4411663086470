//! A trained network that names the classes of images: the model file and what runs it.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::network::{Mode, Network};
use super::weights::{Weights, WeightsError};
use crate::data::Normalization;
use crate::spec::{InputShape, Spec};

/// Everything besides the spec that is needed to use a trained network, in one safetensors file.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    /// The network's numbers.
    pub weights: Weights,
    /// The images it takes.
    pub input: InputShape,
    /// What is done to pixels before it sees them.
    pub normalization: Normalization,
    /// The name of each class, by label.
    pub classes: Vec<String>,
}

/// A model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The weights are wrong.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The note in the header is wrong or missing.
    #[error("the file's header does not say what images the network takes")]
    Note(#[source] Option<serde_json::Error>),
}

#[derive(Serialize, Deserialize)]
struct Note {
    input: InputShape,
    mean: f32,
    std: f32,
    classes: Vec<String>,
}

impl ModelFile {
    /// The file's bytes.
    ///
    /// # Errors
    ///
    /// When the weights cannot be put into safetensors.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelFileError> {
        let note = Note {
            input: self.input,
            mean: self.normalization.mean,
            std: self.normalization.std,
            classes: self.classes.clone(),
        };
        let note =
            serde_json::to_string(&note).map_err(|error| ModelFileError::Note(Some(error)))?;
        Ok(self.weights.to_safetensors(Some(&note))?)
    }

    /// Reads what [`to_safetensors`](Self::to_safetensors) wrote.
    ///
    /// # Errors
    ///
    /// When the bytes are not such a file.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelFileError> {
        let weights = Weights::from_safetensors(bytes)?;
        let (_, header) =
            safetensors::SafeTensors::read_metadata(bytes).map_err(WeightsError::Unreadable)?;
        let note = header.metadata().as_ref().and_then(|notes| notes.get("burgeon"));
        let note = note.ok_or(ModelFileError::Note(None))?;
        let note: Note =
            serde_json::from_str(note).map_err(|error| ModelFileError::Note(Some(error)))?;
        Ok(Self {
            weights,
            input: note.input,
            normalization: Normalization { mean: note.mean, std: note.std },
            classes: note.classes,
        })
    }
}

/// Names the classes of images.
#[derive(Debug)]
pub struct Classifier {
    network: Network,
    device: Device,
    file: ModelFile,
}

impl Classifier {
    /// The network of a spec with a model file's numbers.
    ///
    /// # Errors
    ///
    /// When the file does not belong to the spec.
    pub fn new(spec: &Spec, file: ModelFile, device: &Device) -> Result<Self, WeightsError> {
        Ok(Self {
            network: Network::new(spec, &file.weights, device)?,
            device: device.clone(),
            file,
        })
    }

    /// The name of each class, by label.
    pub fn classes(&self) -> &[String] {
        &self.file.classes
    }

    /// Probability of every class for one grey image of `[height, width]` bytes, light on dark.
    ///
    /// # Panics
    ///
    /// If the image has another size than the network takes.
    pub fn probabilities(&self, image: &[u8]) -> Vec<f32> {
        read(softmax(self.forward(image), 1))
    }

    /// The same before the softmax.
    ///
    /// # Panics
    ///
    /// If the image has another size than the network takes.
    pub fn logits(&self, image: &[u8]) -> Vec<f32> {
        read(self.forward(image))
    }

    fn forward(&self, image: &[u8]) -> Tensor<2> {
        let InputShape { height, width, .. } = self.file.input;
        assert_eq!(image.len(), height * width, "the network takes {height}×{width} images");
        let (factor, term) = self.file.normalization.affine();
        let pixels: Vec<f32> =
            image.iter().map(|&pixel| f32::from(pixel) * factor + term).collect();
        let data = TensorData::new(pixels, [1, 1, height, width]);
        let images = Tensor::from_data(data, &self.device);
        self.network.forward(images, Mode::Evaluate)
    }
}

fn read(row: Tensor<2>) -> Vec<f32> {
    row.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
}
