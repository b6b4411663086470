//! Points of the search space, and the edits that turn them into studies.

use crate::spec::{
    Activation, AdamParameters, Conv, Dense, Dropout, Edit, FeatureShape, Layer, Optimizer,
    OptimizerName, Pool, SearchSpace, SgdParameters, Spec,
};
use crate::sys::CounterRng;
use crate::tune::recommended::round_to_digits;

/// One dimension of the search space.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Axis {
    /// One of this number of choices.
    Choice(usize),
    /// A number between these two, on a logarithmic scale.
    Logarithmic(f64, f64),
}

impl Axis {
    /// A uniformly drawn coordinate; for a choice, its index.
    pub(super) fn uniform(&self, rng: &mut CounterRng) -> f64 {
        match *self {
            Self::Choice(count) => f64::from(rng.below(count.max(1) as u32)),
            Self::Logarithmic(low, high) => {
                (low.ln() + f64::from(rng.unit()) * (high.ln() - low.ln())).exp()
            }
        }
    }
}

/// Number of conv layers and of dense layers that have their own width and kernel; later ones share the
/// last one's.
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

/// A coordinate on every axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    coordinates: Vec<f64>,
}

impl Point {
    pub(super) fn new(coordinates: Vec<f64>) -> Self {
        Self { coordinates }
    }

    pub(super) fn coordinates(&self) -> &[f64] {
        &self.coordinates
    }

    /// The point that these edits came from; `None` if they do not come from a point. Coordinates that the
    /// study does not use, such as the width of a layer that it lacks, are NaN.
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
        let mut coordinates = vec![index_of(&space.convs, &convs.len())];
        for stage in 0..STAGES {
            let conv = convs.get(stage);
            coordinates.push(conv.map_or(f64::NAN, |conv| index_of(&space.filters, &conv.filters)));
            coordinates.push(conv.map_or(f64::NAN, |conv| index_of(&space.kernel, &conv.kernel)));
        }
        coordinates.push(index_of(&space.dense_layers, &denses.len()));
        coordinates.extend((0..STAGES).map(|stage| {
            denses.get(stage).map_or(f64::NAN, |dense| index_of(&space.units, &dense.units))
        }));
        coordinates.push(
            activation.map_or(f64::NAN, |activation| index_of(&space.activation, &activation)),
        );
        coordinates.push(index_of(&space.dropout, &dropout.unwrap_or(0.0)));
        coordinates.push(last(|edit| match edit {
            Edit::SetLearningRate { rate } => Some(*rate),
            _ => None,
        })?);
        let images = last(|edit| match edit {
            Edit::SetBatchSize { images } => Some(*images as f64),
            _ => None,
        })?;
        coordinates.push(index_of(&space.batch_size, &(images as usize)));
        let optimizer = edits.iter().find_map(|edit| match edit {
            Edit::SetOptimizer { optimizer } => Some(optimizer),
            _ => None,
        })?;
        let named =
            space.optimizer.iter().position(|&name| with_default_parameters(name) == *optimizer);
        coordinates.push(named.map_or(f64::NAN, |at| at as f64));
        let epochs = last(|edit| match edit {
            Edit::SetEpochs { epochs } => Some(*epochs as f64),
            _ => None,
        })?;
        coordinates.push(index_of(&space.epochs, &(epochs as usize)));
        Some(Self { coordinates })
    }

    /// The edits that turn any study with this search space into the study of this point.
    pub(super) fn edits(&self, spec: &Spec) -> Vec<Edit> {
        let space = &spec.tune().space;
        let mut reader = Reader { coordinates: self.coordinates.iter() };
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

/// Conv layers, each followed by a pool while the feature map is large enough to halve.
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

/// The index of a choice; NaN if it is not among them.
fn index_of<T: PartialEq>(choices: &[T], chosen: &T) -> f64 {
    choices.iter().position(|choice| choice == chosen).map_or(f64::NAN, |at| at as f64)
}

fn with_default_parameters(name: OptimizerName) -> Optimizer {
    match name {
        OptimizerName::Sgd => Optimizer::Sgd(SgdParameters::default()),
        OptimizerName::Adam => Optimizer::Adam(AdamParameters::default()),
        OptimizerName::AdamW => Optimizer::AdamW(AdamParameters::default()),
    }
}

/// Reads coordinates in the order of [`axes`].
struct Reader<'a> {
    coordinates: std::slice::Iter<'a, f64>,
}

impl Reader<'_> {
    fn number(&mut self) -> Option<f64> {
        self.coordinates.next().copied()
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let place = self.number()?;
        choices.get(place as usize).copied()
    }
}
