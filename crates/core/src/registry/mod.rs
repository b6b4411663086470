//! Immutable versions of accepted models, aliases that point to them, and the promotion of one past a gate.
//!
//! ```text
//! registry.toml        the settings, edited by users: gate, level, margin, minimum recalls, retention
//! held-out/            the images that versions are judged on: set.json, pixels.bin, labels.bin
//! versions/000001/     a version: its files, and version.json with their hashes; never changed
//! aliases/production   what a name points to, replaced atomically
//! records/00000001.json   every decision with its figures; each contains the hash of the previous one
//! retrain/             retrainings on feedback
//! outbox/              messages about drift and retrainings
//! lock, fence          one writer at a time
//! ```
//!
//! A version is measured on the held-out images once, when it is added, and the correctly classified ones are stored.
//! So a promotion computes only statistics, and does not run the network.
//!
//! Invariant: a folder in `versions` whose name is a number is complete: it was renamed into place.
//!
//! Invariant: an alias moves after the decision is on disk. A writer that finds that the newest decision was not carried
//! out, because the previous writer was killed, carries it out first.
//!
//! Invariant: a version that an alias points to, or would be rolled back to, is never removed.

mod alias;
mod calibration;
mod clear;
mod error;
mod folder;
mod held_out;
mod judge;
mod lock;
mod measured;
mod name;
#[cfg(feature = "serve")]
mod news;
mod non_inferiority;
mod record;
mod self_test;
mod settings;
#[cfg(test)]
mod tests;
mod verify;
mod version;
mod writer;

pub(crate) use alias::Alias;
pub(crate) use calibration::{CALIBRATION_FILE, Calibration, answer};
pub(crate) use error::RegistryError;
pub(crate) use folder::Registry;
pub(crate) use held_out::{HeldOut, ImageHash};
pub(crate) use judge::Judgement;
pub(crate) use name::is_model_name;
#[cfg(feature = "serve")]
pub(crate) use news::News;
pub(crate) use record::{Action, Record};
pub(crate) use self_test::{SELF_TEST_FILE, SelfTest};
pub(crate) use settings::Settings;
pub(crate) use verify::Verification;
pub(crate) use version::{Content, Draft, Manifest, parse_version};
pub(crate) use writer::{Force, Promotion, Writer};

/// The alias whose version serves.
pub(crate) const PRODUCTION: &str = "production";
/// The alias whose version classifies the same requests, without serving.
pub(crate) const CANDIDATE: &str = "candidate";
