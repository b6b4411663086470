//! Quantizes a network with the ranges that its layers see on training images.

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::{Normalization, Subset};
use crate::model::{Calibration, Network, QuantizedNetwork, ReadError, Weights, WeightsError};
use crate::spec::Spec;

/// Images that ranges are taken from; more hardly widen them.
const CALIBRATION_IMAGES: usize = 512;
/// Images in one forward pass.
const BATCH: usize = 64;

/// Why a network cannot be quantized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The weights do not fit the spec.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The network of a spec in whole numbers of 8 bits, calibrated on images spread evenly over `images`.
///
/// # Errors
///
/// If the weights do not fit the spec, or the device fails.
pub fn quantize(
    spec: &Spec,
    weights: &Weights,
    images: &Subset,
    normalization: Normalization,
    device: &Device,
) -> Result<QuantizedNetwork, QuantizeError> {
    let network = Network::new(spec, weights, device)?;
    let count = images.len().min(CALIBRATION_IMAGES);
    let [channels, height, width] = images.shape();
    let image_len = channels * height * width;
    let mut calibration = Calibration::default();
    for start in (0..count).step_by(BATCH) {
        let chosen = start..(start + BATCH).min(count);
        let mut pixels = vec![0.0; chosen.len() * image_len];
        for (at, out) in chosen.clone().zip(pixels.chunks_exact_mut(image_len)) {
            // Not the first ones, which may all be of one class.
            normalization.apply(images.image(at * images.len() / count), channels, out);
        }
        let data = TensorData::new(pixels, [chosen.len(), channels, height, width]);
        calibration.see(spec, &network, Tensor::from_data(data, device))?;
    }
    Ok(QuantizedNetwork::new(spec, weights, &calibration)?)
}
