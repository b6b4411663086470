//! A setting that may be why a trial fails.

use crate::spec::Edit;

/// How a setting outside its recommended range affects training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Steps are too long.
    StepsTooLong,
    /// Steps are too short.
    StepsTooShort,
    /// There are too few steps.
    TooFewSteps,
    /// What is learned is held back: dropout, smoothing, decay, distortion.
    HeldBack,
    /// Units start where their activation is flat.
    BadStart,
    /// Gradients fade from layer to layer.
    Fading,
    /// The image is thrown away before it is looked at.
    PixelsLost,
    /// Training and evaluation do not see the same network.
    Mismatch,
    /// Training ends before it has to.
    EndsEarly,
}

/// One setting outside its recommended range, and the edits that bring it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// What it does.
    pub effect: Effect,
    /// What is unusual, in words.
    pub what: String,
    /// The edits that bring it back.
    pub edits: Vec<Edit>,
}
