//! Diagnoses trials and proposes the next ones.
//!
//! [`diagnose`] explains why a trial misses its gate. A [`Policy`] proposes the next trial from the
//! history of a study: [`Grow`] edits the best trial by its diagnosis, [`Random`], [`Tpe`] and [`Asha`]
//! search the space that `[tune.space]` gives, and [`Shrink`] looks for smaller networks once one
//! has passed.
//!
//! Invariant: everything here is a pure function of the history, without I/O, clock or global
//! randomness, so a resumed study makes the same decisions. Test images never reach this module.

pub(crate) mod budget;
mod diagnosis;
pub(crate) mod family;
mod forecaster;
mod grow;
mod growth;
mod history;
pub(crate) mod label_noise;
mod law;
mod policy;
mod prior;
pub(crate) mod pruning;
pub(crate) mod recommended;
mod search;
mod shrink;
#[cfg(feature = "train")]
mod starter;
pub(crate) mod variety;

pub(crate) use crate::record::Finding;
pub(crate) use budget::exhausted;
pub use diagnosis::diagnose;
pub use grow::Grow;
pub use history::TrialRecord;
pub use policy::{Policy, Proposal};
pub(crate) use pruning::reason_to_prune;
pub(crate) use recommended::recommended_rate;
pub use search::{Asha, Random, Tpe};
pub use shrink::Shrink;
#[cfg(feature = "train")]
pub(crate) use starter::{folds_for, starting_study};

use crate::spec;

/// The policy that a study file names.
pub fn policy_for(policy: spec::Policy) -> Box<dyn Policy> {
    match policy {
        spec::Policy::Grow => Box::new(Grow),
        spec::Policy::Random => Box::new(Random),
        spec::Policy::Tpe => Box::new(Tpe),
        spec::Policy::Asha => Box::new(Asha),
    }
}
