//! What is wrong with a trial, and what to change next.
//!
//! Invariant: everything here is a pure function of the history, without I/O, clock or global
//! randomness, so a study resumed from its events decides what it would have decided. The test
//! split never reaches this module.

pub(crate) mod budget;
mod diagnosis;
mod grow;
mod growth;
mod history;
pub(crate) mod outlook;
mod policy;
pub(crate) mod recommended;
mod search;
mod shrink;
mod starter;

pub(crate) use crate::record::Finding;
pub(crate) use budget::exhausted;
pub use diagnosis::diagnose;
pub use grow::Grow;
pub use history::TrialRecord;
pub(crate) use outlook::hopeless;
pub use policy::{Policy, Proposal, policy_for};
pub(crate) use recommended::recommended_rate;
pub use search::{Asha, Random, Tpe};
pub use shrink::Shrink;
pub(crate) use starter::starting_study;
