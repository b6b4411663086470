//! Policies that search the space of `[tune.space]`.
//!
//! Invariant: what is drawn for a trial is a function of the study's seed, the trial's number, the trials that were
//! judged before it, and the proposals of those that still run.

mod asha;
mod axis;
mod density;
mod domain;
mod draw;
mod point;
#[cfg(test)]
mod tests;
mod tpe;

pub use self::asha::Asha;
pub use self::tpe::Tpe;

use self::domain::Domain;
use self::draw::{Before, draw_trial};
use super::history::TrialRecord;
use super::policy::{Policy, Proposal};

/// Random search: draws every trial uniformly from `[tune.space]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random;

impl Policy for Random {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let domain = Domain::of(history.first()?);
        let before = Before { history, running };
        draw_trial(before, &domain, |rng| domain.uniform(rng), "drawn at random")
    }

    fn needs_first_result(&self) -> bool {
        false
    }

    /// Every trial starts from fresh weights.
    fn may_grow_from(&self, _trial: &TrialRecord, _history: &[TrialRecord]) -> bool {
        false
    }
}
