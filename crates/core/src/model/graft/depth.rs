//! Inserts new layers so that the network's function is unchanged.
//!
//! A new layer passes its inputs on. If its activation would change them, it passes each input on twice,
//! once as it is and once negated, and the next layer takes the difference: a(x) − a(−x) is x for relu,
//! gelu and silu, and 1.01·x for leaky relu. That takes twice as many units as inputs. Further units have
//! random input weights, and the next layer's weights for them are zero.

use super::cells::{Cell, CellArray, LayerCells, NoLayer, Part};
use super::inputs::{Channel, Consumer, Rearrangement};
use super::width::Resized;
use crate::spec::{Activation, FeatureShape, Layer, never_negative};

/// How a new layer passes its inputs on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum PassThrough {
    /// Each input once.
    Plain,
    /// Each input once as it is and once negated; the difference has to be divided by `gain`.
    Paired { gain: f32 },
}

impl PassThrough {
    /// The cheapest exact way for an activation; `None` if there is none. `input` tells whether inputs
    /// can be negative.
    fn through(activation: Activation, input: Sign) -> Option<Self> {
        match (activation, input) {
            (Activation::None, _)
            | (Activation::Relu | Activation::LeakyRelu, Sign::NeverNegative) => Some(Self::Plain),
            (Activation::Relu | Activation::Gelu | Activation::Silu, _) => {
                Some(Self::Paired { gain: 1.0 })
            }
            (Activation::LeakyRelu, Sign::Any) => Some(Self::Paired { gain: 1.01 }),
            (Activation::Tanh | Activation::Sigmoid, _) => None,
        }
    }

    /// The number of units needed for this number of inputs.
    fn units(self, inputs: usize) -> usize {
        match self {
            Self::Plain => inputs,
            Self::Paired { .. } => 2 * inputs,
        }
    }

    /// The new layer's units as a rearrangement of its inputs, for the next layer.
    fn rearrangement(self, inputs: usize, units: usize) -> Rearrangement {
        let channels = (0..units).map(|unit| match self {
            Self::Plain if unit < inputs => Channel::Old { at: unit, factor: 1.0 },
            Self::Paired { gain } if unit < inputs => Channel::Old { at: unit, factor: 1.0 / gain },
            Self::Paired { gain } if unit < 2 * inputs => {
                Channel::Old { at: unit - inputs, factor: -1.0 / gain }
            }
            _ => Channel::New,
        });
        Rearrangement { channels: channels.collect() }
    }

    /// The input that a unit of the new layer passes on, and its sign; `None` for further units.
    fn source(self, unit: usize, inputs: usize) -> Option<(usize, f32)> {
        match self {
            _ if unit < inputs => Some((unit, 1.0)),
            Self::Paired { .. } if unit < 2 * inputs => Some((unit - inputs, -1.0)),
            _ => None,
        }
    }
}

/// The sign of values between two layers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sign {
    /// Zero or positive.
    NeverNegative,
    /// Any.
    Any,
}

fn sign_at(part: Part, at: usize) -> Sign {
    if never_negative(&part.layers[..at]) { Sign::NeverNegative } else { Sign::Any }
}

/// Inserts a conv layer at `at`, followed by a pool if `pool`. Returns what changes the network's
/// outputs, if anything does, and the rearrangement of channels.
pub(super) fn insert_conv(
    cells: &mut Vec<LayerCells>,
    parent: Part,
    child: Part,
    at: usize,
    pool: bool,
) -> Result<(Option<String>, Resized), NoLayer> {
    let Some(Layer::Conv(conv)) = child.layers.get(at) else {
        return Err(NoLayer);
    };
    let shape = child.rows[at].input;
    let FeatureShape::Image { channels, height, .. } = shape else {
        return Err(NoLayer);
    };
    let pass_through = PassThrough::through(conv.activation, sign_at(parent, at))
        .filter(|how| conv.filters >= how.units(channels))
        .filter(|how| *how == PassThrough::Plain || !pool && is_linear_up_to_consumer(parent, at));
    let mut weight =
        CellArray::filled(vec![conv.filters, channels, conv.kernel, conv.kernel], Cell::Fresh);
    let mut bias = CellArray::filled(vec![conv.filters], Cell::Fresh);
    // If inputs cannot be passed on exactly, passing most of them on is better than none.
    let how = pass_through.unwrap_or(PassThrough::Plain);
    let taps = conv.kernel * conv.kernel;
    let center = conv.pads(height)[0] * conv.kernel + conv.pads(height)[0];
    for filter in 0..conv.filters {
        if let Some((channel, factor)) = how.source(filter, channels) {
            let row = &mut weight.cells[filter * channels * taps..][..channels * taps];
            row.fill(Cell::Value(0.0));
            row[channel * taps + center] = Cell::Value(factor);
            bias.cells[filter] = Cell::Value(0.0);
        }
    }
    let units = how.rearrangement(channels, conv.filters);
    let consumer = units.adapt_consumer(cells, parent, at, shape);
    cells.insert(at, LayerCells::from([("weight", weight), ("bias", bias)]));
    if pool {
        cells.insert(at + 1, LayerCells::default());
    }
    let note = match pass_through {
        Some(_) if pool => Some("a new pool leaves fewer pixels to the layers after it".into()),
        Some(_) => None,
        None => Some(format!(
            "{} new filters with {} cannot pass {channels} channels on unchanged",
            conv.filters,
            conv.activation.name()
        )),
    };
    Ok((note, Resized { units, consumer }))
}

/// Inserts a residual block that adds zero at first: the scale of its last batch-norm starts at zero.
/// Returns what changes the network's outputs, if anything does.
pub(super) fn insert_residual(
    cells: &mut Vec<LayerCells>,
    parent: Part,
    child: Part,
    at: usize,
) -> Result<Option<String>, NoLayer> {
    let (Some((block, row)), Some(layer)) = (child.block(at), child.layers.get(at)) else {
        return Err(NoLayer);
    };
    let mut fresh = LayerCells::fresh(Some(layer), row);
    if let Some(gamma) = fresh.inner.last_mut().and_then(|last| last.arrays.get_mut("gamma")) {
        gamma.cells.fill(Cell::Value(0.0));
    }
    cells.insert(at, fresh);
    let is_kept = match block.activation {
        Activation::None => true,
        Activation::Relu => sign_at(parent, at) == Sign::NeverNegative,
        _ => false,
    };
    Ok((!is_kept).then(|| {
        format!("the {} after the new block changes negative values", block.activation.name())
    }))
}

/// Inserts a dense layer at `at`. Returns what changes the network's outputs, if anything does.
pub(super) fn insert_dense(
    cells: &mut Vec<LayerCells>,
    parent: Part,
    child: Part,
    at: usize,
) -> Result<Option<String>, NoLayer> {
    let Some(Layer::Dense(dense)) = child.layers.get(at) else {
        return Err(NoLayer);
    };
    let row = &child.rows[at];
    let (inputs, units) = (row.input.len(), dense.units);
    let through = PassThrough::through(dense.activation, sign_at(parent, at));
    let fits = |how: &PassThrough| {
        units >= how.units(inputs)
            && (*how == PassThrough::Plain || is_linear_up_to_consumer(parent, at))
    };
    if let Some(how) = through.filter(fits) {
        let flat = FeatureShape::Flat { features: inputs };
        let consumer = how.rearrangement(inputs, units).adapt_consumer(cells, parent, at, flat);
        debug_assert_eq!(consumer, Consumer::Adapted, "only dense layers follow a dense layer");
        cells.insert(at, identity(how, inputs, units));
        return Ok(None);
    }
    Ok(split_next(cells, parent, child, at, dense.activation, units))
}

/// A dense layer that passes its inputs on.
fn identity(how: PassThrough, inputs: usize, units: usize) -> LayerCells {
    let mut weight = CellArray::filled(vec![inputs, units], Cell::Fresh);
    let mut bias = CellArray::filled(vec![units], Cell::Fresh);
    for unit in 0..units {
        if let Some((input, factor)) = how.source(unit, inputs) {
            for row in 0..inputs {
                let value = if row == input { factor } else { 0.0 };
                weight.cells[row * units + unit] = Cell::Value(value);
            }
            bias.cells[unit] = Cell::Value(0.0);
        }
    }
    LayerCells::from([("weight", weight), ("bias", bias)])
}

/// Moves the weights of the next dense layer into the new one, so that the next one only has to pass its
/// outputs on, or take their differences. That needs at most twice as many units as the next layer has
/// outputs.
fn split_next(
    cells: &mut Vec<LayerCells>,
    parent: Part,
    child: Part,
    at: usize,
    activation: Activation,
    units: usize,
) -> Option<String> {
    let outputs = parent.rows[at].output.len();
    let how = PassThrough::through(activation, Sign::Any).filter(|how| units >= how.units(outputs));
    let next = cells[at].arrays.clone();
    let is_dense = matches!(parent.layers.get(at), Some(Layer::Dense(_)) | None);
    let (Some(how), Some(weight), Some(bias), true) =
        (how, next.get("weight"), next.get("bias"), is_dense)
    else {
        let fresh = child.fresh();
        cells.insert(at, fresh[at].clone());
        cells[at + 1] = fresh[at + 1].clone();
        return Some(format!(
            "{units} new units with {} cannot pass their inputs on unchanged",
            activation.name()
        ));
    };
    let lines: Vec<_> = (0..units)
        .map(|unit| match how.source(unit, outputs) {
            Some((at, factor)) => super::cells::Line::Old { at, factor },
            None => super::cells::Line::FRESH,
        })
        .collect();
    let front = LayerCells::from([
        ("weight", weight.rearranged(1, &lines)),
        ("bias", bias.rearranged(0, &lines)),
    ]);
    let mut joint = CellArray::filled(vec![units, outputs], Cell::Value(0.0));
    for (unit, channel) in how.rearrangement(outputs, units).channels.into_iter().enumerate() {
        if let Channel::Old { at, factor } = channel {
            joint.cells[unit * outputs + at] = Cell::Value(factor);
        }
    }
    let zero = CellArray::filled(vec![outputs], Cell::Value(0.0));
    cells[at] = LayerCells::from([("weight", joint), ("bias", zero)]);
    cells.insert(at, front);
    None
}

/// Whether all layers from `at` to the next layer with weights are linear in each channel, so that that
/// layer can take differences of channels. In a residual block, the first layer with weights and the
/// shortcut, which becomes a projection, can both do so.
fn is_linear_up_to_consumer(part: Part, at: usize) -> bool {
    for index in at..part.rows.len() {
        if part.consumes(index) {
            return !matches!(part.layers.get(index), Some(Layer::Conv(conv)) if conv.groups > 1);
        }
        if let Some((block, row)) = part.block(index) {
            return is_linear_up_to_consumer(Part::of_block(block, row), 0);
        }
        let is_linear = matches!(
            part.layers.get(index),
            Some(Layer::AvgPool(_) | Layer::Dropout(_) | Layer::GlobalAvgPool {})
        );
        if !is_linear {
            return false;
        }
    }
    // The sum at the end of a residual block adds channel by channel.
    false
}
