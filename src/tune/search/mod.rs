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
use crate::record::EpochRecord;
use crate::spec::Spec;

/// Random search: draws every trial uniformly from `[tune.space]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random;

impl Policy for Random {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let domain = Domain::of(history.first()?);
        let before = Before { history, running };
        draw_trial(before, &domain, |rng| domain.uniform(rng), "drawn at random")
    }

    fn propose_beside_first(
        &self,
        first: &Spec,
        images: usize,
        running: &[Proposal],
    ) -> Option<Proposal> {
        self.propose(&[unjudged(first, images)], running)
    }

    /// Every trial starts from fresh weights.
    fn may_grow_from(&self, _trial: &TrialRecord, _history: &[TrialRecord]) -> bool {
        false
    }
}

/// The first trial before anything but its number of images is known, on which the usual settings depend. As its score is
/// the lowest, and a single trial is too few for an estimate, nothing follows from it.
fn unjudged(spec: &Spec, images: usize) -> TrialRecord {
    let epoch = EpochRecord { images: images as u64, ..EpochRecord::default() };
    TrialRecord::new(1, spec.clone(), vec![epoch])
}
