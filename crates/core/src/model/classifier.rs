//! A trained network that classifies images.

use std::path::Path;

use burgeon_ink::Invert;
use burgeon_pixels::{Picture, PictureError};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::model_file::ModelFile;
use super::network::{Mode, Network};
use super::preparation::{Preparation, PreparationError};
use super::saved::{OpenError, SavedModel};
use super::weights::WeightsError;
use crate::spec::{InputShape, Spec};

/// Number of images in one forward pass, the same as in evaluation.
const BATCH: usize = 250;

/// Classifies images with a trained network, prepared like its training images. It is `Sync`: threads can
/// share one.
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

/// Weights, preparation and spec that do not fit together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// The weights do not fit the spec.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The preparation does not fit the spec.
    #[error(transparent)]
    Preparation(#[from] PreparationError),
}

/// An image that cannot be classified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// An image in memory has another size.
    #[error(
        "image {index} has {found} bytes; expected {} images of {height}×{width} pixels, which have {}",
        if *channels == 1 { "grey" } else { "colour" },
        channels * height * width
    )]
    Size {
        /// Its index in the batch, counted from 0.
        index: usize,
        /// Its number of bytes.
        found: usize,
        /// Number of channels of the network's input.
        channels: usize,
        /// Height of the network's input.
        height: usize,
        /// Width of the network's input.
        width: usize,
    },
    /// An encoded picture cannot be used.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The device did not return the result.
    #[error("the result cannot be read back from the device: {0}")]
    Device(String),
}

impl Classifier {
    /// Opens the best model of a run (`runs/lenet-5-0001`), or the model of a folder such as
    /// `runs/lenet-5-0001/best`, on the CPU.
    ///
    /// # Errors
    ///
    /// If there is none, or its files are invalid or do not fit together.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        SavedModel::open(path)?.classifier(&Device::flex())
    }

    /// The network of a spec with a model file's weights and preparation.
    ///
    /// # Errors
    ///
    /// If the file does not fit the spec.
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

    /// Shape of the network's input, and the number of classes.
    pub fn input(&self) -> InputShape {
        self.preparation.input()
    }

    /// The probability of every class, by label, for each image of a batch.
    ///
    /// An image is `[channels, height, width]` bytes in the network's own size, 0 for black. For picture
    /// files of any size, use [`classify_encoded`](Self::classify_encoded).
    ///
    /// # Errors
    ///
    /// If an image has another size, or the device fails.
    pub fn classify(&self, images: &[impl AsRef<[u8]>]) -> Result<Vec<Vec<f32>>, InputError> {
        self.rows(images, |logits| softmax(logits, 1))
    }

    /// Like [`classify`](Self::classify), but returns logits: the values before the softmax.
    ///
    /// # Errors
    ///
    /// As [`classify`](Self::classify).
    pub fn logits(&self, images: &[impl AsRef<[u8]>]) -> Result<Vec<Vec<f32>>, InputError> {
        self.rows(images, |logits| logits)
    }

    /// The probability of every class, by label, for the content of a picture file of any size (PNG, JPEG,
    /// WebP, GIF, BMP, TIFF or PNM), which is prepared like the training images.
    ///
    /// # Errors
    ///
    /// If it cannot be decoded, is a blank picture instead of a digit, or the device fails.
    pub fn classify_encoded(&self, bytes: &[u8]) -> Result<Vec<f32>, InputError> {
        let picture = Picture::decode_for(bytes, self.preparation.decode_size())?;
        self.classify_picture(&picture, Invert::Auto)
    }

    /// Rows and columns that are [wanted](Picture::decode_for) of a picture file, so that it is decoded like the
    /// training images.
    #[cfg(feature = "cli")]
    pub(crate) fn decode_size(&self) -> Option<[usize; 2]> {
        self.preparation.decode_size()
    }

    /// The probability of every class, by label, for a decoded picture; `invert` says whether a digit is
    /// in dark or light ink.
    ///
    /// # Errors
    ///
    /// If it is a blank picture instead of a digit, or the device fails.
    pub fn classify_picture(
        &self,
        picture: &Picture,
        invert: Invert,
    ) -> Result<Vec<f32>, InputError> {
        let image = self.preparation.prepare(picture, invert)?;
        let mut rows = self.classify(&[image])?;
        rows.pop().ok_or_else(|| InputError::Device("it is empty".into()))
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
            let values = self.forward(pixels, &finish)?;
            rows.extend(rows_of(&values, batch.len(), classes)?);
        }
        Ok(rows)
    }

    /// The logits, `[images, classes]`, of normalized images, `[images, channels, height, width]`, of any number.
    ///
    /// # Errors
    ///
    /// If the device fails.
    #[cfg(feature = "cli")]
    pub(crate) fn logits_of_normalized(
        &self,
        mut pixels: Vec<f32>,
    ) -> Result<Vec<f32>, InputError> {
        let InputShape { channels, height, width, classes } = self.input();
        let image_len = channels * height * width;
        let images = pixels.len() / image_len.max(1);
        let mut logits = Vec::with_capacity(images * classes);
        while !pixels.is_empty() {
            let rest = pixels.split_off(pixels.len().min(BATCH * image_len));
            let batch = pixels.len() / image_len.max(1);
            let values = self.forward(pixels, |logits| logits)?;
            let _ = rows_of(&values, batch, classes)?;
            logits.extend(values);
            pixels = rest;
        }
        Ok(logits)
    }

    /// What the network makes of normalized pixels, `[images, channels, height, width]`.
    fn forward(
        &self,
        pixels: Vec<f32>,
        finish: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Result<Vec<f32>, InputError> {
        let InputShape { channels, height, width, .. } = self.input();
        let images = pixels.len() / (channels * height * width).max(1);
        let data = TensorData::new(pixels, [images, channels, height, width]);
        let logits = self.network.forward(Tensor::from_data(data, &self.device), Mode::Evaluate);
        let data = finish(logits).try_into_data();
        let data = data.map_err(|error| InputError::Device(error.to_string()))?;
        data.convert::<f32>()
            .try_into_vec()
            .map_err(|error| InputError::Device(format!("{error:?}")))
    }
}

/// Splits `values`, `[images, classes]`, into rows; an error if the device returned another number.
fn rows_of(
    values: &[f32],
    images: usize,
    classes: usize,
) -> Result<impl Iterator<Item = Vec<f32>>, InputError> {
    let wanted = images * classes;
    if values.len() != wanted {
        let found = values.len();
        let problem = format!("it has {found} values instead of {wanted}, {classes} an image");
        return Err(InputError::Device(problem));
    }
    Ok(values.chunks_exact(classes).map(<[f32]>::to_vec))
}

#[cfg(test)]
mod tests;
