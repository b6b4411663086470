//! A look into a network in training.

use serde::{Deserialize, Serialize};

use crate::sys::nan_if_null;

/// What a network does inside on some of its training images, undistorted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Images looked at.
    pub images: usize,
    /// Images that an epoch has.
    #[serde(default)]
    pub training_images: usize,
    /// Accuracy on them without dropout and distortion, 0..=1.
    #[serde(deserialize_with = "nan_if_null")]
    pub accuracy: f64,
    /// Standard deviation of their pixels as the network sees them; 0 when all are alike.
    #[serde(deserialize_with = "nan_if_null")]
    pub pixel_deviation: f64,
    /// Layers with weights, the head last.
    pub layers: Vec<LayerProbe>,
    /// Classes that no training image has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_classes: Vec<usize>,
    /// Classes with validation images, none of which the network ever names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unnamed_classes: Vec<usize>,
}

/// One layer with weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerProbe {
    /// Its index in the study; the number of layers for the head.
    pub layer: usize,
    /// Share of its units that return the same whatever the image.
    #[serde(deserialize_with = "nan_if_null")]
    pub dead: f64,
    /// Share of what it returns that lies where its activation is flat.
    #[serde(deserialize_with = "nan_if_null")]
    pub saturated: f64,
    /// Root mean square of the gradient of its weights.
    #[serde(deserialize_with = "nan_if_null")]
    pub gradient: f64,
    /// Root mean square of its weights.
    #[serde(deserialize_with = "nan_if_null")]
    pub weight: f64,
}
