//! Whether the images that a classifier is given are still like those that it was accepted on.
//!
//! A [`Reference`] holds the distributions of a model's outputs and of the pixels' measures on held-out images. A
//! [`Detector`] compares a stream of images with it, window by window, without labels. [`Sequential`] and the exact tests
//! of [`counts`] judge answers whose labels have become known.
//!
//! ```
//! use std::sync::Arc;
//! use burgeon_drift::{Detector, PixelStats, ReferenceBuilder, Settings, Status};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A model that is sure of the class that the image's left pixel tells.
//! let answer = |image: &[u8; 2]| [f32::from(image[0]) / 255.0, 1.0 - f32::from(image[0]) / 255.0];
//! let pixels = |image: &[u8; 2]| PixelStats::of_bytes(image, [1, 1, 2]).ok_or("another size");
//! let mut reference = ReferenceBuilder::new(2)?;
//! for value in 0..200 {
//!     let image = [value, 255 - value];
//!     reference.add(&answer(&image), pixels(&image)?, None)?;
//! }
//! let reference = Arc::new(reference.finish()?);
//! let mut detector = Detector::new(reference, Settings { window: 100, ..Settings::default() })?;
//! for value in 0..200 {
//!     let image = [255 - value / 8, 0];
//!     detector.observe(&answer(&image), &pixels(&image)?)?;
//! }
//! assert_eq!(detector.status(), Status::Alarm);
//! # Ok(())
//! # }
//! ```
//!
//! Invariant: nothing here reads a clock, a file or a random number; the same images give the same verdict.
//! Invariant: what a detector holds is bounded by its window, the classes and [`HISTORY_MAX`], however long it watches.
//! Invariant: the estimate of the accuracy enters no verdict.

#![deny(unsafe_code)]

mod accuracy;
pub mod counts;
mod detector;
mod error;
mod faults;
mod kolmogorov;
mod level;
mod pixels;
mod reference;
mod sequential;
pub mod two_sample;
mod window;
mod words;

pub use accuracy::AccuracyEstimate;
pub use detector::{
    CONSECUTIVE, Detector, DetectorState, HISTORY_MAX, Settings, Status, WINDOW_MAX, WINDOW_MIN,
};
pub use error::{DetectorError, ReferenceError, SampleError};
pub use faults::Fault;
pub use level::window_level;
pub use pixels::{PixelMeasure, PixelStats};
pub use reference::{Column, REFERENCE_MAX, REFERENCE_MIN, Reference, ReferenceBuilder};
pub use sequential::{Sequential, SequentialError};
pub use window::{Comparison, FaultFound, Finding, Floors, WindowReport};
pub use words::probability;
