//! The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl 2011).

use super::point::{Axis, Point, axes};
use super::{drawn, even, stream};
use crate::spec::{Edit, Spec};
use crate::sys::CounterRng;
use crate::tune::history::TrialRecord;
use crate::tune::policy::{Policy, Proposal};

/// Draws from where good trials lie dense and bad ones do not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tpe;

/// Trials drawn evenly before the estimate means anything.
const WARM_UP: usize = 10;
/// Points drawn from the good ones' density, of which the most promising is tried.
const CANDIDATES: usize = 24;

impl Policy for Tpe {
    fn propose(&self, history: &[TrialRecord]) -> Option<Proposal> {
        let first = history.first()?;
        let known = points(history);
        let because = match Split::of(&known) {
            Some(split) => format!("drawn where the best {} trials lie", split.good.len()),
            None => "drawn at random, to begin with".into(),
        };
        drawn(first, history.len(), |rng| suggest(&first.spec, &known, rng), &because)
    }
}

/// The points of all trials but the first with their accuracies. Each is drawn again as it was
/// drawn then.
fn points(history: &[TrialRecord]) -> Vec<(Point, f64)> {
    let mut known = Vec::new();
    let Some(first) = history.first() else {
        return known;
    };
    for (before, trial) in history.iter().enumerate().skip(1) {
        let attempts = 0..super::ATTEMPTS;
        let found = attempts.map(|attempt| {
            let mut rng = stream(&first.spec, before, attempt);
            suggest(&first.spec, &known, &mut rng)
        });
        let point = found.into_iter().find(|point| {
            Edit::apply_all(&point.edits(&first.spec), &first.spec).is_ok()
        });
        // A trial that another policy proposed is no point of the space.
        if let Some(point) = point.filter(|point| point.edits(&first.spec) == trial.edits) {
            known.push((point, trial.accuracy()));
        }
    }
    known
}

fn suggest(spec: &Spec, known: &[(Point, f64)], rng: &mut CounterRng) -> Point {
    let Some(split) = Split::of(known) else {
        return even(spec, rng);
    };
    let axes = axes(&spec.tune().space);
    let places = axes.iter().enumerate().map(|(at, axis)| {
        let good = Density::new(axis, split.good.iter().map(|point| point.places()[at]));
        let bad = Density::new(axis, split.bad.iter().map(|point| point.places()[at]));
        let candidates: Vec<f64> = (0..CANDIDATES).map(|_| good.draw(rng)).collect();
        let promise = |place: f64| good.at(place).ln() - bad.at(place).ln();
        let best = candidates.into_iter().map(|place| (promise(place), place));
        best.reduce(|best, next| if next.0 > best.0 { next } else { best }).map_or(0.0, |best| best.1)
    });
    Point::new(places.collect())
}

/// The trials so far in two: the best quarter or so, and the others.
struct Split<'a> {
    good: Vec<&'a Point>,
    bad: Vec<&'a Point>,
}

impl<'a> Split<'a> {
    fn of(known: &'a [(Point, f64)]) -> Option<Self> {
        if known.len() < WARM_UP {
            return None;
        }
        let mut ranked: Vec<&(Point, f64)> = known.iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let count = known.len().div_ceil(4).min(25);
        let (good, bad) = ranked.split_at(count);
        let points = |trials: &[&'a (Point, f64)]| trials.iter().map(|trial| &trial.0).collect();
        Some(Self { good: points(good), bad: points(bad) })
    }
}

/// How dense trials lie along an axis, with one more that lies everywhere.
struct Density<'a> {
    axis: &'a Axis,
    places: Vec<f64>,
    /// Width of the bells, in logarithms.
    width: f64,
}

impl<'a> Density<'a> {
    fn new(axis: &'a Axis, places: impl Iterator<Item = f64>) -> Self {
        let places: Vec<f64> = places.collect();
        let width = match axis {
            Axis::Choice(_) => 0.0,
            Axis::Logarithmic(low, high) => {
                (high.ln() - low.ln()) / (places.len() as f64).sqrt().max(1.0) / 2.0
            }
        };
        Self { axis, places, width }
    }

    fn at(&self, place: f64) -> f64 {
        let everywhere = 1.0;
        let total = self.places.len() as f64 + everywhere;
        match *self.axis {
            Axis::Choice(count) => {
                let here = self.places.iter().filter(|&&other| other == place).count() as f64;
                (here + everywhere / count.max(1) as f64) / total
            }
            Axis::Logarithmic(low, high) => {
                let bells = self.places.iter().map(|other| {
                    let distance = (place.ln() - other.ln()) / self.width;
                    (-0.5 * distance * distance).exp() / self.width
                });
                (bells.sum::<f64>() + everywhere / (high.ln() - low.ln())) / total
            }
        }
    }

    fn draw(&self, rng: &mut CounterRng) -> f64 {
        let which = rng.below(self.places.len() as u32 + 1) as usize;
        match (self.places.get(which), self.axis) {
            (None, axis) => axis.even(rng),
            (Some(&place), Axis::Choice(_)) => place,
            (Some(&place), Axis::Logarithmic(low, high)) => {
                (place.ln() + self.width * f64::from(rng.bell())).exp().clamp(*low, *high)
            }
        }
    }
}
