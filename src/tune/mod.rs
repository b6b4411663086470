//! What is wrong with a trial, and what to change next.
//!
//! Invariant: everything here is a pure function of the history, without I/O, clock or global
//! randomness, so a study resumed from its events decides what it would have decided. The test
//! split never reaches this module.

mod budget;
mod diagnosis;
mod grow;
mod history;
mod policy;

pub use budget::exhausted;
pub use diagnosis::{Diagnosis, Finding, diagnose};
pub use grow::Grow;
pub use history::{TrialEnding, TrialRecord};
pub use policy::{Inherit, Policy, Proposal, policy_for};
