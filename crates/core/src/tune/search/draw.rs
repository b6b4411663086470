//! Draws a trial from the search space, reproducibly.

use super::domain::{Domain, Point};
use crate::record::Inherit;
use crate::spec::Spec;
use crate::sys::{CounterRng, Purpose, counter_seed};
use crate::tune::history::TrialRecord;
use crate::tune::policy::Proposal;

/// How often a point is drawn again if its study is invalid, over the budget, or that of another trial.
const ATTEMPTS: u64 = 100;

/// The trials that a proposal follows.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    pub(super) history: &'a [TrialRecord],
    pub(super) running: &'a [Proposal],
}

impl Before<'_> {
    fn have(&self, spec: &Spec) -> bool {
        self.history.iter().any(|trial| trial.spec == *spec)
            || self.running.iter().any(|proposal| proposal.spec == *spec)
    }
}

/// A trial at a point that `draw` returns, which replaces all that the first trial had.
pub(super) fn draw_trial(
    before: Before,
    domain: &Domain,
    mut draw: impl FnMut(&mut CounterRng) -> Point,
    because: &str,
) -> Option<Proposal> {
    let first = before.history.first()?;
    let mut repeated = None;
    for attempt in 0..ATTEMPTS {
        let mut rng = stream(&first.spec, before, attempt);
        let Some(proposal) = trial_at(first, domain, &draw(&mut rng), because) else {
            continue;
        };
        if !before.have(&proposal.spec) {
            return Some(proposal);
        }
        repeated.get_or_insert(proposal);
    }
    repeated
}

/// The usual trial, if it is valid and there is none like it yet.
pub(super) fn usual_trial(before: Before, domain: &Domain) -> Option<Proposal> {
    let first = before.history.first()?;
    let because = "the usual network and training within the search space";
    trial_at(first, domain, &domain.usual(), because)
        .filter(|proposal| !before.have(&proposal.spec))
}

fn trial_at(
    first: &TrialRecord,
    domain: &Domain,
    point: &Point,
    because: &str,
) -> Option<Proposal> {
    let edits = domain.edits(point, &first.spec);
    Proposal::new(first, edits, because, Inherit::Nothing).ok()
}

fn stream(spec: &Spec, before: Before, attempt: u64) -> CounterRng {
    let trial = (before.history.len() + before.running.len()) as u64 + 1;
    CounterRng::new(counter_seed(spec.train().seed, trial, Purpose::Policy, 0, attempt))
}
