//! Measurements inside a network in training.

use serde::{Deserialize, Serialize};

use crate::sys::nan_if_null;

/// Activations and gradients of a network on some of its training images, without augmentation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Number of images used.
    pub images: usize,
    /// Number of training images in an epoch.
    #[serde(default)]
    pub training_images: usize,
    /// Accuracy on the used images without dropout, 0..=1.
    #[serde(deserialize_with = "nan_if_null")]
    pub accuracy: f64,
    /// Standard deviation of their normalized pixels; 0 if all are equal.
    #[serde(deserialize_with = "nan_if_null")]
    pub pixel_deviation: f64,
    /// Layers with weights, the head last.
    pub layers: Vec<LayerProbe>,
    /// Classes without training images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_classes: Vec<usize>,
    /// Classes that have validation images but are never predicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unnamed_classes: Vec<usize>,
    /// How much accuracy is lost on some validation images by mirroring them left to right, as a share of those images;
    /// below 0 where mirrored ones are classified better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_cost: Option<f64>,
    /// The validation images in four groups of equal size, those first of whose classes the network is surest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_confidence: Vec<ConfidenceGroup>,
    /// What a very small network reached on the same data, in the first epoch of a study that grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sample: Option<SampleTraining>,
}

/// What a brief training of a very small network reached: how hard the data is, before anything larger was trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct SampleTraining {
    /// Floating-point operations of the training.
    pub(crate) flops: f64,
    /// Its steps.
    pub(crate) steps: u32,
    /// Validation images that it was evaluated on.
    pub(crate) images: u64,
    /// The figure that the gate judges by ([`EpochRecord::score`](crate::record::EpochRecord::score)), on these images.
    #[serde(deserialize_with = "nan_if_null")]
    pub(crate) score: f64,
    /// How long it took, evaluations included.
    pub(crate) seconds: f64,
}

/// Validation images on which a network is about equally sure of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfidenceGroup {
    /// How many of them are classified otherwise than labelled.
    pub wrong: u64,
    /// How many there are.
    pub images: u64,
}

/// One layer with weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerProbe {
    /// Index of the layer in the study, counted from 0; for the classifier head, the number of layers.
    pub layer: usize,
    /// Share of its units whose output is the same for every image, 0..=1.
    #[serde(deserialize_with = "nan_if_null")]
    pub dead: f64,
    /// Share of its outputs in the flat parts of its activation, 0..=1.
    #[serde(deserialize_with = "nan_if_null")]
    pub saturated: f64,
    /// Root mean square of the gradient of its weights.
    #[serde(deserialize_with = "nan_if_null")]
    pub gradient: f64,
    /// Root mean square of its weights.
    #[serde(deserialize_with = "nan_if_null")]
    pub weight: f64,
}
