//! Where the time of a training went.

use serde::{Deserialize, Serialize};

use crate::sys::nan_if_null;

/// Where the time of a training went, on the wall clock. On devices that compute while the host runs
/// ahead, a part is the time that the host spent on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Epochs that were timed; a partial one counts as a fraction.
    #[serde(deserialize_with = "nan_if_null")]
    pub epochs: f64,
    /// Training steps that were timed.
    pub steps: u64,
    /// Images trained on in these steps.
    pub images: u64,
    /// Sum of all parts.
    #[serde(deserialize_with = "nan_if_null")]
    pub seconds: f64,
    /// Preparing batches and copying them to the device.
    #[serde(deserialize_with = "nan_if_null")]
    pub data_seconds: f64,
    /// Every layer, the classifier last; a pool that is fused with a layer counts there.
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
    /// Everything else.
    #[serde(deserialize_with = "nan_if_null")]
    pub rest_seconds: f64,
    /// Floating-point operations per second of the layers, in forward and backward passes.
    #[serde(deserialize_with = "nan_if_null")]
    pub flops_per_second: f64,
    /// The measured peak of this machine's threads; `None` for other devices.
    pub peak_flops_per_second: Option<f64>,
}

/// A layer's share of a [`Profile`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerProfile {
    /// Name of the layer, as in the layer table.
    pub name: String,
    /// Time of its forward passes.
    #[serde(deserialize_with = "nan_if_null")]
    pub forward_seconds: f64,
    /// Time of its backward passes.
    #[serde(deserialize_with = "nan_if_null")]
    pub backward_seconds: f64,
}
