//! The inputs of a training, and its errors.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::WatchError;
use super::profile::Profiling;
use crate::data::Dataset;
use crate::model::{GraftError, OpenDevice, OptimizerRecordError, ReadError, WeightsError};
use crate::spec::{InputShape, Spec};

/// The inputs of a training besides its state.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSetup<'a> {
    /// The network and how to train it.
    pub spec: &'a Spec,
    /// The images. Those of the test split are not read.
    pub data: &'a Dataset,
    /// The device to train on.
    pub device: &'a OpenDevice,
    /// Number of the trial within its study; seeds its randomness together with the spec's seed.
    pub trial: u32,
    /// Whether to measure where the time goes.
    pub profiling: Profiling,
}

/// An error that ends a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The weights do not fit the spec.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The parent's weights cannot be grafted.
    #[error(transparent)]
    Graft(#[from] GraftError),
    /// The saved state of the optimizer does not fit the network.
    #[error("the saved state of the optimizer cannot be used")]
    OptimizerRecord(#[from] OptimizerRecordError),
    /// The spec was validated for other images.
    #[error("the network takes {spec}, but the data has {data}")]
    OtherImages {
        /// The images and classes of the spec.
        spec: String,
        /// The images and classes of the data.
        data: String,
    },
    /// The saved state of the optimizer cannot be read.
    #[error("the saved state of the optimizer cannot be read: {0}")]
    Optimizer(String),
    /// The [`Watch`](super::Watch) returned an error.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

/// Refuses a spec that was validated for images of another size or other classes.
pub(super) fn check_images(setup: TrainingSetup) -> Result<(), TrainError> {
    let InputShape { channels, height, width, classes } = setup.spec.input();
    let found = (setup.data.input_shape(), setup.data.classes.len());
    if found == ([channels, height, width], classes) {
        return Ok(());
    }
    let words = |([channels, height, width], classes): ([usize; 3], usize)| {
        format!("{channels}×{height}×{width} images of {classes} classes")
    };
    let spec = words(([channels, height, width], classes));
    Err(TrainError::OtherImages { spec, data: words(found) })
}

pub(super) fn labels_tensor(labels: &[u16], device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i32> = labels.iter().map(|&label| i32::from(label)).collect();
    let shape = [labels.len()];
    Tensor::from_data(TensorData::new(labels, shape), device)
}
