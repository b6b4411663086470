//! Drawing the trial of a point, the same one whenever it is asked for.

use super::point::{Point, axes};
use crate::record::Inherit;
use crate::spec::{Edit, Spec};
use crate::sys::{CounterRng, Purpose, counter_seed};
use crate::tune::history::TrialRecord;
use crate::tune::policy::Proposal;

/// Points that give no workable study, or one over the budget, are drawn again so often.
const ATTEMPTS: u64 = 100;

/// A trial of a point that `draw` comes to, in place of everything the first trial had; `trials`
/// are before it.
pub(super) fn drawn(
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

/// Every place on every axis is as likely as any other.
pub(super) fn even(spec: &Spec, rng: &mut CounterRng) -> Point {
    let axes = axes(&spec.tune().space);
    Point::new(axes.iter().map(|axis| axis.even(rng)).collect())
}
