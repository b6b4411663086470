//! The search space of one study: `[tune.space]`, with what it leaves to the data filled in.
//!
//! Invariant: every setting that decides whether another one exists stands before it among the axes: the number of dense
//! layers before the units of each, the optimizer before its rates.

use super::axis::{Axis, Scale, Setting};
use crate::spec::{
    Activation, AdamParameters, InputShape, MuonParameters, Optimizer, OptimizerName, Schedule,
    SearchSpace, SgdParameters, Spec,
};
use crate::sys::CounterRng;
use crate::tune::family::{FIRST_COMPUTE, Member, PEAK_RATE, batch, depth};
use crate::tune::history::TrialRecord;
use crate::tune::recommended::recommended_rate;
use crate::tune::variety::Variety;

/// Number of stages and of dense layers that have their own filters and units; later ones share the last one's.
pub(super) const OWN_WIDTHS: usize = 4;

/// What a study draws trials from.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    /// Without empty lists, except `filters`; numbers in order.
    pub(super) space: SearchSpace,
    pub(super) input: InputShape,
    pub(super) axes: Vec<Axis>,
}

/// A place on every axis of a domain; NaN where the trial has no such setting, or one that the domain lacks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point(pub(super) Vec<f64>);

impl Domain {
    /// The domain of the study whose first trial this is.
    pub(super) fn of(first: &TrialRecord) -> Self {
        Self::new(&first.spec, first.images_per_epoch())
    }

    /// The domain of a study with this number of training images.
    pub(super) fn new(spec: &Spec, images: usize) -> Self {
        let input = spec.input();
        let space = completed(&spec.tune().space, input, images);
        let axes = axes(&space, input, images);
        Self { space, input, axes }
    }

    /// The same domain for trials of this many epochs alone.
    pub(super) fn with_epochs(mut self, epochs: usize) -> Self {
        self.space.epochs = vec![epochs];
        for axis in self.axes.iter_mut().filter(|axis| axis.setting == Setting::Epochs) {
            (axis.scale, axis.usual) = (Scale::Ordered(1), 0.0);
        }
        self
    }

    /// The place of a setting; NaN where the point has none.
    pub(super) fn place(&self, setting: Setting, point: &[f64]) -> f64 {
        let at = self.axes.iter().position(|axis| axis.setting == setting);
        at.and_then(|at| point.get(at)).copied().unwrap_or(f64::NAN)
    }

    /// Whether a point with these places on the axes before this one has the setting.
    fn has(&self, setting: Setting, before: &[f64]) -> bool {
        let count = |of, choices: &[usize]| {
            let place = self.place(of, before);
            let choice = if place.is_nan() { None } else { choices.get(place as usize) };
            choice.copied().unwrap_or(0)
        };
        match setting {
            Setting::ConvsPerStage | Setting::Width | Setting::Kernel | Setting::BatchNorm => {
                count(Setting::Convs, &self.space.convs) > 0
            }
            Setting::Filters(stage) => stage < count(Setting::Convs, &self.space.convs),
            Setting::Units(layer) => layer < count(Setting::DenseLayers, &self.space.dense_layers),
            Setting::Rate(optimizer) => optimizer as f64 == self.place(Setting::Optimizer, before),
            _ => true,
        }
    }

    /// A point with these places, where it has the settings.
    pub(super) fn point(&self, mut place: impl FnMut(usize, &Axis) -> f64) -> Point {
        let mut places = Vec::with_capacity(self.axes.len());
        for (at, axis) in self.axes.iter().enumerate() {
            let next = if self.has(axis.setting, &places) { place(at, axis) } else { f64::NAN };
            places.push(next);
        }
        Point(places)
    }

    /// The plain family's member, or what is closest to it.
    pub(super) fn usual(&self) -> Point {
        self.point(|_, axis| axis.usual)
    }

    pub(super) fn uniform(&self, rng: &mut CounterRng) -> Point {
        self.point(|_, axis| axis.draw_uniformly(rng))
    }

    /// About half of the settings as usual.
    pub(super) fn by_habit(&self, rng: &mut CounterRng) -> Point {
        self.point(|_, axis| axis.draw_by_habit(rng))
    }
}

/// The space with its empty lists filled in, and its numbers in order.
fn completed(space: &SearchSpace, input: InputShape, images: usize) -> SearchSpace {
    let mut space = space.clone();
    if space.convs_per_stage.is_empty() {
        space.convs_per_stage = if space.convs.is_empty() { vec![1, 2] } else { vec![1] };
    }
    if space.convs.is_empty() {
        let depth = depth(input);
        space.convs = (depth.saturating_sub(1).max(1)..=depth + 1).collect();
    }
    if space.epochs.is_empty() {
        let usual = Member::of(images, FIRST_COMPUTE).epochs;
        space.epochs = vec![usual.div_ceil(4), usual.div_ceil(2), usual, 2 * usual];
    }
    for numbers in [
        &mut space.convs,
        &mut space.convs_per_stage,
        &mut space.width,
        &mut space.filters,
        &mut space.kernel,
        &mut space.dense_layers,
        &mut space.units,
        &mut space.batch_size,
        &mut space.epochs,
    ] {
        numbers.sort_unstable();
        numbers.dedup();
    }
    for shares in [&mut space.dropout, &mut space.shift] {
        shares.sort_unstable_by(f64::total_cmp);
        shares.dedup();
    }
    space
}

fn axes(space: &SearchSpace, input: InputShape, images: usize) -> Vec<Axis> {
    let member = Member::of(images, FIRST_COMPUTE);
    let variety = Variety::first(input, member.epochs);
    let ordered = |setting, choices: &[usize], usual: usize| Axis {
        setting,
        scale: Scale::Ordered(choices.len()),
        usual: nearest(choices.iter().map(|&choice| choice as f64), usual as f64),
    };
    let shares = |setting, choices: &[f64], usual: f64| Axis {
        setting,
        scale: Scale::Ordered(choices.len()),
        usual: nearest(choices.iter().copied(), usual),
    };
    let mut axes = vec![ordered(Setting::Convs, &space.convs, depth(input))];
    axes.push(ordered(Setting::ConvsPerStage, &space.convs_per_stage, 1));
    if space.filters.is_empty() {
        axes.push(ordered(Setting::Width, &space.width, member.width));
    }
    for stage in 0..space.convs.last().map_or(0, |&most| most.min(OWN_WIDTHS)) {
        if !space.filters.is_empty() {
            let usual = (stage + 1) * member.width;
            axes.push(ordered(Setting::Filters(stage), &space.filters, usual));
        }
    }
    axes.push(ordered(Setting::Kernel, &space.kernel, 3));
    axes.push(choice(Setting::BatchNorm, &space.batch_norm, &true));
    axes.push(ordered(Setting::DenseLayers, &space.dense_layers, 1));
    for layer in 0..space.dense_layers.last().map_or(0, |&most| most.min(OWN_WIDTHS)) {
        axes.push(ordered(Setting::Units(layer), &space.units, 4 * member.width));
    }
    axes.push(choice(Setting::Activation, &space.activation, &Activation::Relu));
    axes.push(shares(Setting::Dropout, &space.dropout, variety.dropout()));
    axes.push(choice(Setting::Optimizer, &space.optimizer, &OptimizerName::Adam));
    let [low, high] = space.learning_rate;
    axes.extend(space.optimizer.iter().enumerate().map(|(at, &name)| Axis {
        setting: Setting::Rate(at),
        scale: Scale::Logarithmic(low, high),
        usual: usual_rate(name).clamp(low, high),
    }));
    axes.push(choice(Setting::Schedule, &space.schedule, &Schedule::one_cycle()));
    axes.push(ordered(Setting::BatchSize, &space.batch_size, batch(images)));
    let side = input.height.min(input.width).max(1) as f64;
    let shift = f64::from(variety.augment(input, Default::default()).shift) / side;
    axes.push(shares(Setting::Shift, &space.shift, shift));
    axes.push(choice(Setting::Flip, &space.flip, &false));
    axes.push(ordered(Setting::Epochs, &space.epochs, member.epochs));
    axes
}

/// The peak of the family's cycle, which is for Adam; for others as many times the recommended constant rate.
fn usual_rate(name: OptimizerName) -> f64 {
    let constant = |name| recommended_rate(&with_default_parameters(name));
    PEAK_RATE * constant(name) / constant(OptimizerName::Adam)
}

fn choice<T: PartialEq>(setting: Setting, choices: &[T], usual: &T) -> Axis {
    let usual = choices.iter().position(|choice| choice == usual).unwrap_or(0);
    Axis { setting, scale: Scale::Choice(choices.len()), usual: usual as f64 }
}

/// Place of the number that is closest by its ratio to `wanted`.
fn nearest(choices: impl Iterator<Item = f64>, wanted: f64) -> f64 {
    // Shares may be 0; a hundredth more keeps their order and does not matter to whole numbers.
    let distance = |choice: f64| ((choice + 0.01).ln() - (wanted + 0.01).ln()).abs();
    let places = choices.enumerate().map(|(at, choice)| (at, distance(choice)));
    let closest = places.reduce(|best, next| if next.1 < best.1 { next } else { best });
    closest.map_or(0.0, |(at, _)| at as f64)
}

pub(super) fn with_default_parameters(name: OptimizerName) -> Optimizer {
    match name {
        OptimizerName::Sgd => Optimizer::Sgd(SgdParameters::default()),
        OptimizerName::Adam => Optimizer::Adam(AdamParameters::default()),
        OptimizerName::AdamW => Optimizer::AdamW(AdamParameters::default()),
        OptimizerName::Muon => Optimizer::Muon(MuonParameters::default()),
    }
}
