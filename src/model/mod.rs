//! Spec → network on a device, and weights in and out of it.
//!
//! [`Network`] is the burn module; [`Weights`] is the same numbers as plain arrays by name, which
//! is what is saved, compared, grafted and exported. A network is only ever built from weights, so
//! that its numbers do not depend on the device: [`Weights::initial`] draws them from the study's
//! seed, [`Graft`] carries them over from a parent.

mod classifier;
mod device;
mod graft;
mod initial;
mod layers;
mod network;
mod onnx;
mod read;
mod weights;

pub use crate::record::GraftReport;
pub use classifier::{Classifier, ModelFile, ModelFileError};
pub use device::{DeviceChoice, DeviceError, OpenDevice};
pub use graft::{Graft, Moment};
pub use network::{Mode, Network, layer_rows};
pub use onnx::to_onnx;
pub use read::ReadError;
pub(crate) use read::{read_scalar, read_values};
pub use weights::{WeightArray, Weights, WeightsError};
