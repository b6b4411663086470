//! The lines of the request log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file of true labels.
pub(super) const FEEDBACK_FILE: &str = "feedback.jsonl";

/// A classified request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) v: u32,
    pub(super) at: Timestamp,
    pub(super) request: String,
    pub(super) version: String,
    /// The predicted class of each image, and its calibrated probability.
    pub(super) answers: Vec<(usize, f32)>,
    pub(super) ms: f32,
}

/// A true label.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Feedback {
    pub(super) v: u32,
    pub(super) at: Timestamp,
    pub(super) request: String,
    pub(super) index: usize,
    /// The true class.
    pub(super) label: String,
    /// The predicted class.
    pub(super) class: String,
    pub(super) version: String,
    /// Who gave it: the source in the request or, without one, the address of the client.
    #[serde(default)]
    pub(super) source: String,
    /// Whether the image is stored.
    pub(super) kept: bool,
}

/// An image to store, `[channels, height, width]`.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) index: usize,
    pub(super) shape: [usize; 3],
    pub(super) pixels: Vec<u8>,
}
