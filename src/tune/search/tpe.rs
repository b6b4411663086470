//! The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl 2011).

use super::draw::{draw_trial, uniform};
use super::point::{Axis, Point, axes};
use crate::spec::Spec;
use crate::sys::CounterRng;
use crate::tune::history::TrialRecord;
use crate::tune::policy::{Policy, Proposal};

/// The tree-structured Parzen estimator: after some random trials, draws from where good trials are dense
/// and bad ones are not (Bergstra, Bardenet, Bengio and Kégl 2011).
#[derive(Debug, Clone, Copy, Default)]
pub struct Tpe;

/// Number of uniformly drawn trials before the estimate is used.
const WARM_UP: usize = 10;
/// Number of points drawn from the density of good trials; the most promising of them is tried.
const CANDIDATES: usize = 24;

impl Policy for Tpe {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let first = history.first()?;
        let known = points(history);
        let because = match Split::of(&known) {
            Some(split) => format!("drawn near the best {} trials", split.good.len()),
            None => "drawn at random, to begin with".into(),
        };
        draw_trial(
            first,
            history.len() + running.len(),
            |rng| suggest(&first.spec, &known, rng),
            &because,
        )
    }

    /// Every trial starts from fresh weights.
    fn may_grow_from(&self, _trial: &TrialRecord, _history: &[TrialRecord]) -> bool {
        false
    }
}

/// The points of all trials that are points of the space, with their accuracies.
fn points(history: &[TrialRecord]) -> Vec<(Point, f64)> {
    let known = history.iter().filter_map(|trial| {
        let point = Point::of(&trial.edits, &trial.spec.tune().space)?;
        Some((point, trial.score()))
    });
    known.collect()
}

fn suggest(spec: &Spec, known: &[(Point, f64)], rng: &mut CounterRng) -> Point {
    let Some(split) = Split::of(known) else {
        return uniform(spec, rng);
    };
    let axes = axes(&spec.tune().space);
    let coordinates = axes.iter().enumerate().map(|(at, axis)| {
        let good = Density::new(axis, split.good.iter().map(|point| point.coordinates()[at]));
        let bad = Density::new(axis, split.bad.iter().map(|point| point.coordinates()[at]));
        let candidates: Vec<f64> = (0..CANDIDATES).map(|_| good.draw(rng)).collect();
        let promise = |place: f64| good.at(place).ln() - bad.at(place).ln();
        let best = candidates.into_iter().map(|place| (promise(place), place));
        best.reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map_or(0.0, |best| best.1)
    });
    Point::new(coordinates.collect())
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

/// The estimated density of trials along an axis: one kernel for each trial, and a uniform one.
struct Density<'a> {
    axis: &'a Axis,
    coordinates: Vec<f64>,
    /// Standard deviation of the kernels, in logarithms.
    width: f64,
}

impl<'a> Density<'a> {
    fn new(axis: &'a Axis, coordinates: impl Iterator<Item = f64>) -> Self {
        // A layer that a trial lacks says nothing about widths.
        let coordinates: Vec<f64> = coordinates.filter(|place| !place.is_nan()).collect();
        let width = match axis {
            Axis::Choice(_) => 0.0,
            Axis::Logarithmic(low, high) => {
                (high.ln() - low.ln()) / (coordinates.len() as f64).sqrt().max(1.0) / 2.0
            }
        };
        Self { axis, coordinates, width }
    }

    fn at(&self, place: f64) -> f64 {
        let everywhere = 1.0;
        let total = self.coordinates.len() as f64 + everywhere;
        match *self.axis {
            Axis::Choice(count) => {
                let here = self.coordinates.iter().filter(|&&other| other == place).count() as f64;
                (here + everywhere / count.max(1) as f64) / total
            }
            Axis::Logarithmic(low, high) => {
                let kernels = self.coordinates.iter().map(|other| {
                    let distance = (place.ln() - other.ln()) / self.width;
                    (-0.5 * distance * distance).exp() / self.width
                });
                (kernels.sum::<f64>() + everywhere / (high.ln() - low.ln())) / total
            }
        }
    }

    fn draw(&self, rng: &mut CounterRng) -> f64 {
        let which = rng.below(self.coordinates.len() as u32 + 1) as usize;
        match (self.coordinates.get(which), self.axis) {
            (None, axis) => axis.uniform(rng),
            (Some(&place), Axis::Choice(_)) => place,
            (Some(&place), Axis::Logarithmic(low, high)) => (place.ln()
                + self.width * f64::from(rng.approximate_normal()))
            .exp()
            .clamp(*low, *high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Ending;
    use crate::record::EpochRecord;
    use crate::spec::{Conv, Edit, InputShape, Layer, StudyFile};
    use crate::tune::{Asha, Random};

    fn first() -> TrialRecord {
        let mut file = StudyFile::new("search", vec![Layer::Conv(Conv::same(2, 3))]);
        file.tune.trials = 1000;
        let spec = Spec::new(file, InputShape::MNIST).unwrap();
        trial(1, None, Vec::new(), spec, 0.1)
    }

    fn trial(
        trial: u32,
        parent: Option<u32>,
        edits: Vec<Edit>,
        spec: Spec,
        accuracy: f64,
    ) -> TrialRecord {
        let epochs = spec.train().epochs;
        let record = EpochRecord {
            epoch: epochs,
            train_loss: 1.0,
            train_accuracy: accuracy,
            validation_loss: 1.0,
            validation_accuracy: accuracy,
            learning_rate: 0.001,
            seconds: 1.0,
            images: 1000,
            course: Vec::new(),
            probe: None,
            recalls: Vec::new(),
            given_up: None,
        };
        let ending = Ending::Completed;
        TrialRecord {
            trial,
            parent,
            edits,
            spec,
            curve: vec![record],
            ending,
            train_seconds: 1.0,
            rates: None,
        }
    }

    /// Accuracy falls with the distance of the rate from a thousandth, in decades.
    fn search(policy: &dyn Policy, trials: usize) -> Vec<TrialRecord> {
        let mut history = vec![first()];
        while history.len() < trials {
            let proposal = policy.propose(&history, &[]).unwrap();
            let miss = (proposal.spec.train().learning_rate.log10() + 3.0).abs();
            let number = history.len() as u32 + 1;
            let accuracy = 1.0 - miss / 10.0;
            let parent = Some(proposal.parent);
            history.push(trial(number, parent, proposal.edits, proposal.spec, accuracy));
        }
        history
    }

    #[test]
    fn a_point_can_be_read_back_from_its_edits() {
        for trial in &search(&Random, 30)[1..] {
            let point = Point::of(&trial.edits, &trial.spec.tune().space).unwrap();
            let known = point.coordinates().iter().filter(|place| !place.is_nan()).count();
            assert!(known >= 7, "{:?}", trial.edits);
            assert!(point.coordinates()[0] >= 0.0);
        }
    }

    #[test]
    fn the_estimator_finds_the_good_rates_that_chance_misses() {
        let late = |history: &[TrialRecord]| {
            let late = history[40..].iter().map(TrialRecord::accuracy);
            late.sum::<f64>() / (history.len() - 40) as f64
        };
        let (tpe, random) = (late(&search(&Tpe, 80)), late(&search(&Random, 80)));
        assert!(tpe > random + 0.03, "tpe {tpe}, random {random}");
    }

    #[test]
    fn a_policy_asked_again_says_the_same() {
        for policy in [&Tpe as &dyn Policy, &Random, &Asha] {
            let history = search(policy, 30);
            for cut in 1..history.len() {
                let again = policy.propose(&history[..cut], &[]).unwrap();
                assert_eq!(again.edits, history[cut].edits);
            }
        }
    }

    #[test]
    fn only_the_best_third_trains_on() {
        let history = search(&Asha, 60);
        let promoted: Vec<&TrialRecord> =
            history.iter().filter(|trial| trial.parent.is_some_and(|parent| parent > 1)).collect();
        assert!(promoted.len() > 10);
        for child in promoted {
            let parent = &history[child.parent.unwrap() as usize - 1];
            assert!(child.spec.train().epochs > parent.spec.train().epochs);
        }
        assert!(history.iter().any(|trial| trial.spec.train().epochs == 5));
    }
}
