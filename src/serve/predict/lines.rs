//! What the log of requests holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// File of true labels.
pub(super) const FEEDBACK_FILE: &str = "feedback.jsonl";

/// A request that was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) v: u32,
    pub(super) at: Timestamp,
    pub(super) request: String,
    pub(super) version: String,
    /// The class of each image, by label, and its calibrated probability.
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
    /// What was answered.
    pub(super) class: String,
    pub(super) version: String,
    /// Who gave it: what the request says, or else its address.
    #[serde(default)]
    pub(super) source: String,
    /// Whether the image is kept.
    pub(super) kept: bool,
}

/// An image that may be kept, `[channels, height, width]`.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) index: usize,
    pub(super) shape: [usize; 3],
    pub(super) pixels: Vec<u8>,
}
