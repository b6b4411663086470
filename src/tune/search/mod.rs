//! Policies that draw trials from a typed space.
//!
//! Invariant: what a policy draws for a trial is a function of the study's seed, the trial's number
//! and the trials before it, so that the points of all earlier trials can be had again.

mod asha;
mod point;
mod tpe;

pub use self::asha::Asha;
pub use self::tpe::Tpe;

use self::point::{Point, axes};
use super::history::TrialRecord;
use super::policy::{Policy, Proposal};
use crate::record::Inherit;
use crate::spec::Spec;
use crate::sys::{CounterRng, Purpose, counter_seed};

/// Draws every trial evenly from the space.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random;

impl Policy for Random {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let first = history.first()?;
        drawn(first, history.len() + running.len(), |rng| even(&first.spec, rng), "drawn at random")
    }

    /// Every trial starts from fresh weights.
    fn may_grow_from(&self, _trial: &TrialRecord, _history: &[TrialRecord]) -> bool {
        false
    }
}

/// Points that give no workable study, or one over the budget, are drawn again so often.
const ATTEMPTS: u64 = 100;

/// A trial of a point that `draw` comes to, in place of everything the first trial had; `trials`
/// are before it.
fn drawn(
    first: &TrialRecord,
    trials: usize,
    draw: impl Fn(&mut CounterRng) -> Point,
    because: &str,
) -> Option<Proposal> {
    let spec = &first.spec;
    (0..ATTEMPTS).find_map(|attempt| {
        let mut rng = stream(spec, trials, attempt);
        let edits = draw(&mut rng).edits(spec);
        let spec = crate::spec::Edit::apply_all(&edits, spec).ok()?;
        Some(Proposal {
            parent: first.trial,
            edits,
            reason: because.to_owned(),
            inherit: Inherit::Nothing,
            spec,
        })
    })
}

fn stream(spec: &Spec, trials: usize, attempt: u64) -> CounterRng {
    let trial = trials as u64 + 1;
    CounterRng::new(counter_seed(spec.train().seed, trial, Purpose::Policy, 0, attempt))
}

/// Every place on every axis is as likely as any other.
fn even(spec: &Spec, rng: &mut CounterRng) -> Point {
    let axes = axes(&spec.tune().space);
    Point::new(axes.iter().map(|axis| axis.even(rng)).collect())
}
