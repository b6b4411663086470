//! Points of the search space, and the studies that they stand for.

use crate::spec::{
    Activation, AdamParameters, Conv, Dense, Dropout, Edit, FeatureShape, Layer, Optimizer,
    OptimizerName, Pool, SearchSpace, SgdParameters, Spec,
};
use crate::sys::CounterRng;
use crate::tune::recommended::round_to_digits;

/// One thing that is chosen.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Axis {
    /// One of so many choices.
    Choice(usize),
    /// A number between two, evenly over their logarithms.
    Logarithmic(f64, f64),
}

impl Axis {
    /// Any place, each as likely as any other. A choice is its index.
    pub(super) fn even(&self, rng: &mut CounterRng) -> f64 {
        match *self {
            Self::Choice(count) => f64::from(rng.below(count.max(1) as u32)),
            Self::Logarithmic(low, high) => {
                (low.ln() + f64::from(rng.unit()) * (high.ln() - low.ln())).exp()
            }
        }
    }
}

/// Conv layers and dense layers that have a width and a kernel of their own; those behind share
/// the last one's.
const STAGES: usize = 4;

/// All axes, in the order that [`Point`]s hold them.
pub(super) fn axes(space: &SearchSpace) -> Vec<Axis> {
    let mut axes = vec![Axis::Choice(space.convs.len())];
    for _ in 0..STAGES {
        axes.push(Axis::Choice(space.filters.len()));
        axes.push(Axis::Choice(space.kernel.len()));
    }
    axes.push(Axis::Choice(space.dense_layers.len()));
    axes.extend(std::iter::repeat_n(Axis::Choice(space.units.len()), STAGES));
    axes.push(Axis::Choice(space.activation.len()));
    axes.push(Axis::Choice(space.dropout.len()));
    axes.push(Axis::Logarithmic(space.learning_rate[0], space.learning_rate[1]));
    axes.push(Axis::Choice(space.batch_size.len()));
    axes.push(Axis::Choice(space.optimizer.len()));
    axes.push(Axis::Choice(space.epochs.len()));
    axes
}

/// A place on every axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    places: Vec<f64>,
}

impl Point {
    pub(super) fn new(places: Vec<f64>) -> Self {
        Self { places }
    }

    pub(super) fn places(&self) -> &[f64] {
        &self.places
    }

    /// The point that edits were made from; `None` where they are no point's. What had no part in
    /// the study, such as the width of a layer that it lacks, is NaN.
    pub(super) fn of(edits: &[Edit], space: &SearchSpace) -> Option<Self> {
        let layers = edits.iter().find_map(|edit| match edit {
            Edit::SetLayers { layers } => Some(layers),
            _ => None,
        })?;
        let convs: Vec<&Conv> = layers.iter().filter_map(as_conv).collect();
        let denses: Vec<&Dense> = layers.iter().filter_map(as_dense).collect();
        let dropout = layers.iter().find_map(|layer| match layer {
            Layer::Dropout(dropout) => Some(dropout.rate),
            _ => None,
        });
        let activation = layers.iter().find_map(Layer::activation);
        let last = |pick: fn(&Edit) -> Option<f64>| edits.iter().rev().find_map(pick);
        let mut places = vec![place(&space.convs, &convs.len())];
        for stage in 0..STAGES {
            let conv = convs.get(stage);
            places.push(conv.map_or(f64::NAN, |conv| place(&space.filters, &conv.filters)));
            places.push(conv.map_or(f64::NAN, |conv| place(&space.kernel, &conv.kernel)));
        }
        places.push(place(&space.dense_layers, &denses.len()));
        places.extend((0..STAGES).map(|stage| {
            denses.get(stage).map_or(f64::NAN, |dense| place(&space.units, &dense.units))
        }));
        places
            .push(activation.map_or(f64::NAN, |activation| place(&space.activation, &activation)));
        places.push(place(&space.dropout, &dropout.unwrap_or(0.0)));
        places.push(last(|edit| match edit {
            Edit::SetLearningRate { rate } => Some(*rate),
            _ => None,
        })?);
        let images = last(|edit| match edit {
            Edit::SetBatchSize { images } => Some(*images as f64),
            _ => None,
        })?;
        places.push(place(&space.batch_size, &(images as usize)));
        let optimizer = edits.iter().find_map(|edit| match edit {
            Edit::SetOptimizer { optimizer } => Some(optimizer),
            _ => None,
        })?;
        let named =
            space.optimizer.iter().position(|&name| with_default_parameters(name) == *optimizer);
        places.push(named.map_or(f64::NAN, |at| at as f64));
        let epochs = last(|edit| match edit {
            Edit::SetEpochs { epochs } => Some(*epochs as f64),
            _ => None,
        })?;
        places.push(place(&space.epochs, &(epochs as usize)));
        Some(Self { places })
    }

    /// What makes a study of this point out of any study with that space.
    pub(super) fn edits(&self, spec: &Spec) -> Vec<Edit> {
        let space = &spec.tune().space;
        let mut reader = Reader { places: self.places.iter() };
        let convs = reader.pick(&space.convs).unwrap_or(0);
        let stages: Vec<_> = (0..STAGES)
            .map(|_| (reader.pick(&space.filters), reader.pick(&space.kernel)))
            .collect();
        let denses = reader.pick(&space.dense_layers).unwrap_or(0);
        let units: Vec<_> = (0..STAGES).map(|_| reader.pick(&space.units)).collect();
        let activation = reader.pick(&space.activation).unwrap_or_default();
        let dropout = reader.pick(&space.dropout).unwrap_or(0.0);
        let rate = reader.number();
        let batch = reader.pick(&space.batch_size);
        let optimizer = reader.pick(&space.optimizer);
        let epochs = reader.pick(&space.epochs);
        let mut layers = pyramid(spec, convs, &stages, activation);
        for at in 0..denses {
            if let Some(units) = units[at.min(STAGES - 1)] {
                layers.push(Layer::Dense(Dense { activation, ..Dense::of(units) }));
            }
        }
        if dropout > 0.0 {
            layers.push(Layer::Dropout(Dropout { rate: dropout }));
        }
        let mut edits = vec![Edit::SetLayers { layers }];
        edits.extend(rate.map(|rate| Edit::SetLearningRate { rate: round_to_digits(rate, 3) }));
        edits.extend(batch.map(|images| Edit::SetBatchSize { images }));
        edits.extend(
            optimizer.map(|name| Edit::SetOptimizer { optimizer: with_default_parameters(name) }),
        );
        edits.extend(epochs.map(|epochs| Edit::SetEpochs { epochs }));
        edits
    }
}

/// Conv layers with a pool behind each, as long as there are pixels to halve.
fn pyramid(
    spec: &Spec,
    convs: usize,
    stages: &[(Option<usize>, Option<usize>)],
    activation: Activation,
) -> Vec<Layer> {
    let input = spec.input();
    let mut side =
        FeatureShape::Image { channels: input.channels, height: input.height, width: input.width };
    let mut layers = Vec::new();
    for at in 0..convs {
        let (Some(filters), Some(kernel)) = stages[at.min(STAGES - 1)] else {
            break;
        };
        let FeatureShape::Image { height, width, .. } = side else {
            break;
        };
        layers.push(Layer::Conv(Conv {
            activation,
            ..Conv::same(filters, kernel.min(height.min(width)))
        }));
        if height.min(width) >= 4 {
            layers.push(Layer::MaxPool(Pool::of(2)));
            side = FeatureShape::Image { channels: filters, height: height / 2, width: width / 2 };
        }
    }
    layers
}

fn as_conv(layer: &Layer) -> Option<&Conv> {
    match layer {
        Layer::Conv(conv) => Some(conv),
        _ => None,
    }
}

fn as_dense(layer: &Layer) -> Option<&Dense> {
    match layer {
        Layer::Dense(dense) => Some(dense),
        _ => None,
    }
}

/// The index of a choice; NaN for what is none.
fn place<T: PartialEq>(choices: &[T], chosen: &T) -> f64 {
    choices.iter().position(|choice| choice == chosen).map_or(f64::NAN, |at| at as f64)
}

fn with_default_parameters(name: OptimizerName) -> Optimizer {
    match name {
        OptimizerName::Sgd => Optimizer::Sgd(SgdParameters::default()),
        OptimizerName::Adam => Optimizer::Adam(AdamParameters::default()),
        OptimizerName::AdamW => Optimizer::AdamW(AdamParameters::default()),
    }
}

/// Reads places in the order of [`axes`].
struct Reader<'a> {
    places: std::slice::Iter<'a, f64>,
}

impl Reader<'_> {
    fn number(&mut self) -> Option<f64> {
        self.places.next().copied()
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let place = self.number()?;
        choices.get(place as usize).copied()
    }
}
