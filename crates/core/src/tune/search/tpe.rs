//! The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl 2011).

use super::density::Density;
use super::domain::{Domain, Point};
use super::draw::{Before, draw_trial, usual_trial};
use crate::sys::CounterRng;
use crate::tune::history::TrialRecord;
use crate::tune::policy::{Policy, Proposal};

/// The tree-structured Parzen estimator: draws trials from where good ones are dense and bad ones are not
/// (Bergstra, Bardenet, Bengio and Kégl 2011).
///
/// The first is the space's usual trial, the member of the plain family that `grow` would start from; until
/// enough are known, others have about half of their settings from it (a prior, as of Mallik et al.
/// 2023, "PriorBand"). Trials that still run count as bad ones, so that jobs do not try the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tpe;

/// Number of trials from which the estimate is used.
pub(super) const KNOWN_LEAST: usize = 6;
/// Number of points drawn from the density of good trials, of which the most promising is tried, as in Optuna.
const CANDIDATES: usize = 24;
/// Share of the trials that count as good, as in BOHB (Falkner, Klein and Hutter 2018).
const GOOD: f64 = 0.15;
/// Most trials that count as good, as in Optuna.
const GOOD_MOST: usize = 25;

impl Policy for Tpe {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let domain = Domain::of(history.first()?);
        suggest(Before { history, running }, &domain, history)
    }

    fn needs_first_result(&self) -> bool {
        false
    }

    /// Every trial starts from fresh weights.
    fn may_grow_from(&self, _trial: &TrialRecord, _history: &[TrialRecord]) -> bool {
        false
    }
}

/// The most promising trial, judged by the trials of `rated`.
pub(super) fn suggest<'a>(
    before: Before,
    domain: &Domain,
    rated: impl IntoIterator<Item = &'a TrialRecord>,
) -> Option<Proposal> {
    if let Some(usual) = usual_trial(before, domain) {
        return Some(usual);
    }
    let known: Vec<(Point, f64)> = rated
        .into_iter()
        .filter_map(|trial| Some((domain.point_of(&trial.spec)?, trial.score())))
        .collect();
    let pending: Vec<Point> =
        before.running.iter().filter_map(|proposal| domain.point_of(&proposal.spec)).collect();
    if known.len() < KNOWN_LEAST {
        let because =
            "one of the first trials, which are drawn near the usual network and training";
        return draw_trial(before, domain, |rng| domain.by_habit(rng), because);
    }
    let (good, mut bad) = split(&known);
    let because = match good.len() {
        1 => "drawn near the best trial".to_owned(),
        count => format!("drawn near the best {count} trials"),
    };
    bad.extend(&pending);
    let (good, bad) = (Density::new(domain, good), Density::new(domain, bad));
    draw_trial(before, domain, |rng| most_promising(&good, &bad, rng), &because)
}

fn most_promising(good: &Density, bad: &Density, rng: &mut CounterRng) -> Point {
    let promise = |point: &Point| good.at(point) / bad.at(point).max(f64::MIN_POSITIVE);
    let first = good.draw(rng);
    let mut best = (promise(&first), first);
    for _ in 1..CANDIDATES {
        let next = good.draw(rng);
        let promise = promise(&next);
        if promise > best.0 {
            best = (promise, next);
        }
    }
    best.1
}

/// The trials in two: the best by the gate's measure, and the others. Of equals the earlier one is better.
fn split(known: &[(Point, f64)]) -> (Vec<&Point>, Vec<&Point>) {
    let mut ranked: Vec<&(Point, f64)> = known.iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let count = ((known.len() as f64 * GOOD).ceil() as usize).min(GOOD_MOST);
    let mut good: Vec<&Point> = ranked.into_iter().map(|(point, _)| point).collect();
    let bad = good.split_off(count);
    (good, bad)
}
