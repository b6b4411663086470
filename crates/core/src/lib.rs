//! The library of [burgeon](https://docs.rs/burgeon), which is its public name and documentation: use it as `burgeon`.
//!
//! It is a crate of its own because it is compiled for size, and the program around it for speed (`[profile.release]`).
//! How a study passes through the modules below is in the documentation of `burgeon`, `src/lib.rs` of the repository.
//!
//! Invariant: burn's types stay within [`model`], `burgeon_kernel` and [`train`]; `cli` alone prints.

#![deny(unsafe_code)]
#![cfg_attr(
    not(all(feature = "cli", feature = "serve")),
    allow(dead_code, unused_imports, reason = "some of it is used by the command only")
)]

#[cfg(feature = "serve")]
mod chain;
#[cfg(feature = "train")]
mod checkpoint;
#[cfg(feature = "cli")]
mod cli;
mod cluster;
#[cfg(feature = "train")]
pub mod data;
#[cfg(feature = "detect")]
mod detect;
#[cfg(feature = "train")]
mod drift;
pub mod gate;
pub mod ledger;
#[cfg(feature = "train")]
pub mod model;
mod notify;
#[cfg(feature = "train")]
pub mod prelude;
pub mod record;
#[cfg(any(feature = "cli", feature = "serve"))]
mod registry;
pub mod report;
#[cfg(any(feature = "cli", feature = "serve"))]
mod retrain;
#[cfg(feature = "serve")]
mod serve;
pub mod spec;
#[cfg(feature = "train")]
pub mod study;
mod supervise;
mod sys;
#[cfg(feature = "cli")]
mod track;
#[cfg(feature = "train")]
pub mod train;
pub mod tune;
#[doc(hidden)]
pub mod unstable;

/// The deep-learning framework that networks run on, in the version that this crate uses.
#[cfg(feature = "train")]
pub use burn;
