//! Where the time of a training went.

use serde::{Deserialize, Serialize};

use crate::sys::nan_if_null;

/// Where the time of a training went, on the wall clock. On devices that compute while the host runs
/// ahead, a part is the time that the host spent on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Epochs that were timed, a started one counting as what was done of it.
    #[serde(deserialize_with = "nan_if_null")]
    pub epochs: f64,
    /// Steps that were timed.
    pub steps: u64,
    /// Images that were trained on.
    pub images: u64,
    /// Sum of all parts.
    #[serde(deserialize_with = "nan_if_null")]
    pub seconds: f64,
    /// Filling batches, and bringing them to the device.
    #[serde(deserialize_with = "nan_if_null")]
    pub data_seconds: f64,
    /// Each layer, the classifier last; a pool that is part of a layer counts there.
    pub layers: Vec<LayerProfile>,
    /// The loss and its gradient.
    #[serde(deserialize_with = "nan_if_null")]
    pub loss_seconds: f64,
    /// Clipping, and the update of all parameters.
    #[serde(deserialize_with = "nan_if_null")]
    pub optimizer_seconds: f64,
    /// Validation at the epochs' ends.
    #[serde(deserialize_with = "nan_if_null")]
    pub evaluation_seconds: f64,
    /// Copying the state for checkpoints, which are written beside the training.
    #[serde(deserialize_with = "nan_if_null")]
    pub checkpoint_seconds: f64,
    /// Bookkeeping, and telling whoever watches.
    #[serde(deserialize_with = "nan_if_null")]
    pub rest_seconds: f64,
    /// Floating-point operations of the layers a second, in forward and backward passes.
    #[serde(deserialize_with = "nan_if_null")]
    pub flops_per_second: f64,
    /// The most that this machine's threads reach, measured; none where another device trains.
    pub peak_flops_per_second: Option<f64>,
}

/// A layer's share of a [`Profile`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerProfile {
    /// As the layer table calls it.
    pub name: String,
    /// Time of its forward passes.
    #[serde(deserialize_with = "nan_if_null")]
    pub forward_seconds: f64,
    /// Time of its backward passes.
    #[serde(deserialize_with = "nan_if_null")]
    pub backward_seconds: f64,
}
