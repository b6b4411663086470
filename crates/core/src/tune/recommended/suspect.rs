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
    /// The network is over-regularized by dropout, label smoothing, weight decay or augmentation.
    HeldBack,
    /// Units start where their activation is flat.
    BadStart,
    /// Gradients vanish from layer to layer.
    Fading,
    /// Spatial detail is lost before the network can use it.
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
