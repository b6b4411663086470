//! Policies that search the space of `[tune.space]`.
//!
//! Invariant: what is drawn for a trial is a function of the study's seed, the trial's number and the
//! trials before it.

mod asha;
mod draw;
mod point;
mod tpe;

pub use self::asha::Asha;
pub use self::tpe::Tpe;

use self::draw::{draw_trial, uniform};
use super::history::TrialRecord;
use super::policy::{Policy, Proposal};

/// Random search: draws every trial uniformly from `[tune.space]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random;

impl Policy for Random {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let first = history.first()?;
        draw_trial(
            first,
            history.len() + running.len(),
            |rng| uniform(&first.spec, rng),
            "drawn at random",
        )
    }

    /// Every trial starts from fresh weights.
    fn may_grow_from(&self, _trial: &TrialRecord, _history: &[TrialRecord]) -> bool {
        false
    }
}
