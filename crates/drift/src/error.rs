//! What cannot be compared.

use crate::reference::REFERENCE_MIN;

/// An image that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// Another number of classes.
    #[error(
        "the model's answer has {found} probabilities; expected {expected}, one for each class"
    )]
    Classes {
        /// The probabilities of the answer.
        found: usize,
        /// The classes of the reference.
        expected: usize,
    },
    /// An answer of the reference is no number.
    #[error("the model's answer has probabilities that are NaN or infinite")]
    NotFinite,
}

/// A reference that cannot be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// It was written by a newer version, or is no reference.
    #[error("the reference has version {found}, but only version {known} is supported")]
    Version {
        /// The version that it names.
        found: u32,
        /// The version that is read and written.
        known: u32,
    },
    /// A value is invalid.
    #[error("the reference is invalid: {what}")]
    Value {
        /// What is wrong.
        what: &'static str,
    },
    /// No or too many classes.
    #[error("a model with {found} classes has no reference; expected 2 to 19,994 classes")]
    Classes {
        /// Number of classes.
        found: usize,
    },
    /// Too few images.
    #[error(
        "a reference of {found} images tells too little; at least {REFERENCE_MIN} held-out images are needed"
    )]
    TooFew {
        /// Number of images.
        found: usize,
    },
}

/// Settings that cannot be, or a state that does not belong to its reference.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectorError {
    /// A window that is too small or too large.
    #[error("a window of {found} images; expected {least} to {most}")]
    Window {
        /// Number of images.
        found: usize,
        /// The fewest.
        least: usize,
        /// The most, with the classes of the reference.
        most: usize,
    },
    /// A run time that is none.
    #[error("a run time of {found} windows to a false alarm; expected 2 to 1e12")]
    RunTime {
        /// What was asked for.
        found: f64,
    },
    /// A floor that is no fraction.
    #[error("{name} of {found} as the least effect of an alarm; expected a fraction from 0 to 1")]
    Floor {
        /// Which.
        name: &'static str,
        /// What was asked for.
        found: f64,
    },
    /// A state of another reference, or a damaged one.
    #[error("the state of the detector is invalid: {what}")]
    State {
        /// What is wrong.
        what: &'static str,
    },
}
