//! Checkpoints: complete training states on disk. A crash at any moment leaves the last complete one, and a
//! damaged one is always recognized.
//!
//! A checkpoint is a folder such as `e0003-s000412`. It is written under a temporary name, with every file
//! synced, and renamed when it is complete. Its `manifest.json`, written last, holds the SHA-256 of every
//! other file and of itself. Checkpoints are never changed, and a new one never replaces an existing one.

mod background;
mod error;
mod load;
mod manifest;
mod place;
mod store;
mod training;

pub use background::BackgroundWriter;
pub use error::CheckpointError;
pub use load::{Checkpoint, Found, Rejection, RejectionReason, newest_place, newest_valid};
pub use manifest::{
    FORMAT_VERSION, Manifest, ManifestError, Meta, Mismatch, PartEntry, parse_manifest,
};
pub use place::Place;
pub use store::{CheckpointStore, Written};
pub use training::{Owner, Parts, StateError, from_parts, to_parts};
