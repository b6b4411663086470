//! Draws a trial from the search space, reproducibly.

use super::point::{Point, axes};
use crate::record::Inherit;
use crate::spec::{Edit, Spec};
use crate::sys::{CounterRng, Purpose, counter_seed};
use crate::tune::history::TrialRecord;
use crate::tune::policy::Proposal;

/// How often a point is drawn again if its study is invalid or over the budget.
const ATTEMPTS: u64 = 100;

/// A trial at a point that `draw` returns, which replaces all that the first trial had; `trials` is the
/// number of trials before it.
pub(super) fn draw_trial(
    first: &TrialRecord,
    trials: usize,
    draw: impl Fn(&mut CounterRng) -> Point,
    because: &str,
) -> Option<Proposal> {
    let spec = &first.spec;
    (0..ATTEMPTS).find_map(|attempt| {
        let mut rng = stream(spec, trials, attempt);
        let edits = draw(&mut rng).edits(spec);
        let spec = Edit::apply_all(&edits, spec).ok()?;
        Some(Proposal {
            parent: first.trial,
            edits,
            reason: because.to_owned(),
            inherit: Inherit::Nothing,
            spec,
            forecast: None,
        })
    })
}

fn stream(spec: &Spec, trials: usize, attempt: u64) -> CounterRng {
    let trial = trials as u64 + 1;
    CounterRng::new(counter_seed(spec.train().seed, trial, Purpose::Policy, 0, attempt))
}

/// A point drawn uniformly from the search space.
pub(super) fn uniform(spec: &Spec, rng: &mut CounterRng) -> Point {
    let axes = axes(&spec.tune().space);
    Point::new(axes.iter().map(|axis| axis.uniform(rng)).collect())
}
