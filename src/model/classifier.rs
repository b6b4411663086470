//! A trained network that names the classes of images.

use std::path::Path;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::model_file::ModelFile;
use super::network::{Mode, Network};
use super::preparation::{Preparation, PreparationError};
use super::saved::{OpenError, SavedModel};
use super::weights::WeightsError;
use crate::data::image_file::{Invert, Picture, PictureError};
use crate::spec::{InputShape, Spec};

/// Images in one forward pass, as in evaluation.
const BATCH: usize = 250;

/// Names the classes of images, with what was learned and as it was learned. Threads may share one.
///
/// ```no_run
/// use burgeon::model::Classifier;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let classifier = Classifier::open("runs/lenet-5-0001")?;
/// let probabilities = classifier.classify_encoded(&std::fs::read("digit.png")?)?;
/// for (name, probability) in classifier.classes().iter().zip(probabilities) {
///     println!("{name}: {:.1} %", probability * 100.0);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Classifier {
    network: Network,
    device: Device,
    preparation: Preparation,
}

/// Weights, preparation and spec that do not belong together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// The weights are not those of the spec's network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The preparation makes what the network does not take.
    #[error(transparent)]
    Preparation(#[from] PreparationError),
}

/// An image that cannot be classified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// An image in memory has another size.
    #[error(
        "image {index} has {found} bytes; the network takes {} images of {height}×{width}, which have {}",
        if *channels == 1 { "grey" } else { "colour" },
        channels * height * width
    )]
    Size {
        /// Its place in the batch, counted from 0.
        index: usize,
        /// Its bytes.
        found: usize,
        /// Channels that the network takes.
        channels: usize,
        /// Rows that the network takes.
        height: usize,
        /// Columns that the network takes.
        width: usize,
    },
    /// An encoded picture cannot be used.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The device did not hand the result back.
    #[error("the result cannot be read back from the device: {0}")]
    Device(String),
}

impl Classifier {
    /// Opens the best model of a run (`runs/lenet-5-0001`), or the model of a folder such as
    /// `runs/lenet-5-0001/best`, on the CPU.
    ///
    /// # Errors
    ///
    /// When there is none, or its files do not belong together.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        SavedModel::open(path)?.classifier(&Device::flex())
    }

    /// The network of a spec with a model file's weights and preparation.
    ///
    /// # Errors
    ///
    /// When the file does not belong to the spec.
    pub fn new(spec: &Spec, file: ModelFile, device: &Device) -> Result<Self, ClassifierError> {
        file.preparation.check_fits(spec)?;
        Ok(Self {
            network: Network::new(spec, &file.weights, device)?,
            device: device.clone(),
            preparation: file.preparation,
        })
    }

    /// The name of each class, by label.
    pub fn classes(&self) -> &[String] {
        &self.preparation.classes
    }

    /// How pictures become the network's input.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// The images that the network takes.
    pub fn input(&self) -> InputShape {
        self.preparation.input()
    }

    /// The probability of every class for each image of a batch.
    ///
    /// An image is `[channels, height, width]` bytes of the network's own size, as the data set has it; pictures of any other
    /// kind go through [`classify_encoded`](Self::classify_encoded).
    ///
    /// # Errors
    ///
    /// When an image has another size, or the device fails.
    pub fn classify(&self, images: &[impl AsRef<[u8]>]) -> Result<Vec<Vec<f32>>, InputError> {
        self.rows(images, |logits| softmax(logits, 1))
    }

    /// The same before the softmax.
    ///
    /// # Errors
    ///
    /// As [`classify`](Self::classify).
    pub fn logits(&self, images: &[impl AsRef<[u8]>]) -> Result<Vec<Vec<f32>>, InputError> {
        self.rows(images, |logits| logits)
    }

    /// The probability of every class for the content of a PNG or JPEG file of any size, prepared as
    /// the model says.
    ///
    /// # Errors
    ///
    /// When it cannot be decoded, is blank, or the device fails.
    pub fn classify_encoded(&self, bytes: &[u8]) -> Result<Vec<f32>, InputError> {
        self.classify_picture(&Picture::decode(bytes)?, Invert::Auto)
    }

    /// The same for a decoded picture, whose ink is light or dark as `invert` says.
    ///
    /// # Errors
    ///
    /// When it is blank, or the device fails.
    pub fn classify_picture(
        &self,
        picture: &Picture,
        invert: Invert,
    ) -> Result<Vec<f32>, InputError> {
        let image = self.preparation.prepare(picture, invert)?;
        Ok(self.classify(&[image])?.pop().unwrap_or_default())
    }

    fn rows(
        &self,
        images: &[impl AsRef<[u8]>],
        finish: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Result<Vec<Vec<f32>>, InputError> {
        let InputShape { channels, height, width, classes } = self.input();
        let image_len = channels * height * width;
        for (index, image) in images.iter().enumerate() {
            let found = image.as_ref().len();
            if found != image_len {
                return Err(InputError::Size { index, found, channels, height, width });
            }
        }
        let normalization = self.preparation.normalization();
        let mut rows = Vec::with_capacity(images.len());
        for batch in images.chunks(BATCH) {
            let mut pixels = vec![0.0; batch.len() * image_len];
            for (image, out) in batch.iter().zip(pixels.chunks_exact_mut(image_len)) {
                normalization.apply(image.as_ref(), channels, out);
            }
            let data = TensorData::new(pixels, [batch.len(), channels, height, width]);
            let logits =
                self.network.forward(Tensor::from_data(data, &self.device), Mode::Evaluate);
            let data = finish(logits).try_into_data();
            let data = data.map_err(|error| InputError::Device(error.to_string()))?;
            let values: Vec<f32> = data
                .convert::<f32>()
                .try_into_vec()
                .map_err(|error| InputError::Device(format!("{error:?}")))?;
            rows.extend(values.chunks_exact(classes).map(<[f32]>::to_vec));
        }
        Ok(rows)
    }
}
