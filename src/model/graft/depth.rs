//! New layers that change nothing at first.
//!
//! A new layer hands its inputs on. Where its activation would bend them, it hands on every input
//! twice, once as it is and once negated, and its consumer takes the difference: for relu, gelu and
//! silu a(x) − a(−x) = x, and for leaky relu it is 1.01·x. That needs twice as many units as
//! inputs. Units beyond those look at random, and nothing listens to them yet.

use super::cells::{Cell, CellArray, LayerCells, NoLayer, Part};
use super::inputs::{Channel, Rearrangement, Told};
use super::width::Resized;
use crate::spec::{Activation, FeatureShape, Layer, never_negative};

/// How a new layer of some activation hands on what it receives.
#[derive(Debug, Clone, Copy, PartialEq)]
enum PassThrough {
    /// As it is.
    Plain,
    /// As it is and negated; the difference has to be divided by this.
    Paired { gain: f32 },
}

impl PassThrough {
    /// The cheapest way that changes nothing; `None` where there is none. `input` tells whether
    /// anything below zero can arrive.
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

    /// Units that it takes to hand on so many inputs.
    fn units(self, inputs: usize) -> usize {
        match self {
            Self::Plain => inputs,
            Self::Paired { .. } => 2 * inputs,
        }
    }

    /// What the new layer's units are to the layer behind it.
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

    /// For a unit of the new layer: the input that it hands on, and with which sign.
    fn source(self, unit: usize, inputs: usize) -> Option<(usize, f32)> {
        match self {
            _ if unit < inputs => Some((unit, 1.0)),
            Self::Paired { .. } if unit < 2 * inputs => Some((unit - inputs, -1.0)),
            _ => None,
        }
    }
}

/// What may arrive at a place of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sign {
    /// Zero and above only.
    NeverNegative,
    /// Anything.
    Any,
}

fn sign_at(part: Part, at: usize) -> Sign {
    if never_negative(&part.layers[..at]) { Sign::NeverNegative } else { Sign::Any }
}

/// Inserts a conv layer at `at`, and a pool behind it where `child` has one. Returns why what the
/// network says changes, where it does, and how far the layers behind could be told.
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
    // Where nothing can be handed on exactly, most of it is better than none of it.
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
    let told = units.tell(cells, parent, at, shape);
    cells.insert(at, LayerCells::from([("weight", weight), ("bias", bias)]));
    if pool {
        cells.insert(at + 1, LayerCells::default());
    }
    let note = match pass_through {
        Some(_) if pool => Some("a new pool leaves fewer pixels to the layers after it".into()),
        Some(_) => None,
        None => Some(format!(
            "{} filters with {} cannot pass {channels} channels on unchanged",
            conv.filters,
            conv.activation.name()
        )),
    };
    Ok((note, Resized { units, told }))
}

/// Inserts a residual block that adds nothing at first: the last batch-norm of its branch begins
/// with zero. Returns why what the network says changes, where it does.
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
    Ok((!is_kept).then(|| format!("{} bends what the block receives", block.activation.name())))
}

/// Inserts a dense layer at `at`. Returns why what the network says changes, where it does.
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
        let told = how.rearrangement(inputs, units).tell(cells, parent, at, flat);
        debug_assert_eq!(told, Told::All, "behind a dense layer there are dense layers");
        cells.insert(at, identity(how, inputs, units));
        return Ok(None);
    }
    Ok(absorb(cells, parent, child, at, dense.activation, units))
}

/// A dense layer that hands on its inputs.
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

/// Puts the weights of the dense layer behind the new one into the new one, and lets the one behind
/// only put the halves together. It takes no more units than twice what the one behind returns.
fn absorb(
    cells: &mut Vec<LayerCells>,
    parent: Part,
    child: Part,
    at: usize,
    activation: Activation,
    units: usize,
) -> Option<String> {
    let outputs = parent.rows[at].output.len();
    let how = PassThrough::through(activation, Sign::Any).filter(|how| units >= how.units(outputs));
    let behind = cells[at].arrays.clone();
    let is_dense = matches!(parent.layers.get(at), Some(Layer::Dense(_)) | None);
    let (Some(how), Some(weight), Some(bias), true) =
        (how, behind.get("weight"), behind.get("bias"), is_dense)
    else {
        let fresh = child.fresh();
        cells.insert(at, fresh[at].clone());
        cells[at + 1] = fresh[at + 1].clone();
        return Some(format!(
            "{units} units with {} cannot pass their input on unchanged",
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

/// Whether only layers that keep sums stand between a place and the next layer of weights. A
/// residual block's branch and its shortcut, which becomes a projection, both take the sums.
fn is_linear_up_to_consumer(part: Part, at: usize) -> bool {
    for index in at..part.rows.len() {
        if part.consumes(index) {
            return !matches!(part.layers.get(index), Some(Layer::Conv(conv)) if conv.groups > 1);
        }
        if let Some((block, row)) = part.block(index) {
            return is_linear_up_to_consumer(Part::of_block(block, row), 0);
        }
        let keeps_sums = matches!(
            part.layers.get(index),
            Some(Layer::AvgPool(_) | Layer::Dropout(_) | Layer::GlobalAvgPool {})
        );
        if !keeps_sums {
            return false;
        }
    }
    // The sum behind a block's branch takes each channel for itself.
    false
}
