//! Asynchronous successive halving (Li et al. 2018, "Massively parallel hyperparameter tuning").

use std::cmp::Ordering;

use super::draw::{draw_trial, uniform};
use crate::record::{Ending, Inherit};
use crate::spec::Edit;
use crate::tune::history::TrialRecord;
use crate::tune::policy::{Policy, Proposal};

/// Asynchronous successive halving: trains many trials briefly, and the best third of them longer (Li et
/// al. 2018).
#[derive(Debug, Clone, Copy, Default)]
pub struct Asha;

/// One in this many trials is promoted to the next rung.
const REDUCTION: usize = 3;

impl Policy for Asha {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let first = history.first()?;
        let epochs = &first.spec.tune().space.epochs;
        let (fewest, most) = (epochs.iter().min().copied()?, epochs.iter().max().copied()?);
        if let Some(promoted) = promotion(history, running, fewest, most) {
            return Some(promoted);
        }
        let mut proposal = draw_trial(
            first,
            history.len() + running.len(),
            |rng| uniform(&first.spec, rng),
            "drawn at random, for the lowest rung",
        )?;
        let short = Edit::SetEpochs { epochs: fewest };
        proposal.spec = short.apply(&proposal.spec).ok()?;
        proposal.edits.push(short);
        Some(proposal)
    }

    /// A trial on a rung below the highest that would still be among the best third there if all
    /// remaining trials of the budget reached that rung and were worse.
    fn may_grow_from(&self, trial: &TrialRecord, history: &[TrialRecord]) -> bool {
        let epochs = history.first().map(|first| &first.spec.tune().space.epochs);
        let most = epochs.and_then(|epochs| epochs.iter().max()).copied().unwrap_or(0);
        let rung = trial.spec.train().epochs;
        let was_promoted =
            history.iter().any(|child| is_continuation(child.parent, &child.edits, trial));
        if rung >= most || was_promoted || trial.ending != Ending::Completed {
            return false;
        }
        let here = || on_rung(history, rung);
        let better = here().filter(|other| before(other, trial).is_lt()).count();
        let to_come = trial.spec.tune().trials.saturating_sub(history.len());
        better < (here().count() + to_come) / REDUCTION
    }
}

/// The best trial of the highest rung that is among the best third there and was not yet promoted.
fn promotion(
    history: &[TrialRecord],
    running: &[Proposal],
    fewest: usize,
    most: usize,
) -> Option<Proposal> {
    let mut rungs = vec![fewest];
    while rungs.last().is_some_and(|&rung| rung * REDUCTION < most) {
        rungs.push(rungs[rungs.len() - 1] * REDUCTION);
    }
    rungs.iter().enumerate().rev().find_map(|(at, &rung)| {
        let next = rungs.get(at + 1).copied().unwrap_or(most);
        if next <= rung {
            return None;
        }
        let mut here: Vec<&TrialRecord> = on_rung(history, rung).collect();
        here.sort_by(|a, b| before(a, b));
        let promotable = here.len() / REDUCTION;
        let is_promoted = |of: &TrialRecord| {
            history.iter().any(|child| is_continuation(child.parent, &child.edits, of))
                || running.iter().any(|child| is_continuation(Some(child.parent), &child.edits, of))
        };
        let trial = here
            .into_iter()
            .take(promotable)
            .find(|trial| trial.ending == Ending::Completed && !is_promoted(trial))?;
        let edits = vec![Edit::AddEpochs { epochs: next - rung }];
        Some(Proposal {
            parent: trial.trial,
            spec: Edit::apply_all(&edits, &trial.spec).ok()?,
            edits,
            reason: format!("among the best third of the trials that trained for {rung} epochs"),
            inherit: Inherit::State,
            forecast: None,
        })
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
