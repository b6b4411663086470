//! Access to the operating system (files, locks, processes, signals, clocks), behind traits where tests
//! simulate failures; and the random numbers of the crate `burgeon_counter`.

pub mod announce;
#[cfg(feature = "train")]
pub mod build;
#[cfg(feature = "cli")]
pub mod bus_errors;
mod claim;
pub mod clock;
mod error_chain;
pub mod faults;
pub mod fence;
pub mod files;
pub mod heartbeat;
mod holder;
mod json;
#[cfg(feature = "cli")]
pub mod limits;
pub mod lock;
#[cfg(feature = "train")]
pub mod mapped;
#[cfg(feature = "train")]
pub mod memory;
pub mod process;
pub(crate) mod shared_folder;
pub mod signals;
#[cfg(test)]
pub(crate) mod simulated_disk;
#[cfg(feature = "train")]
pub mod spread;
#[cfg(feature = "cli")]
pub mod standing;
#[cfg(feature = "cli")]
pub mod trial_write;
#[cfg(feature = "serve")]
pub mod turn;

pub(crate) use error_chain::error_chain;
pub(crate) use json::nan_if_null;

pub use burgeon_counter::{CounterRng, Purpose, counter_seed, permutation, uniform_at};
