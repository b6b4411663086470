//! Widens and narrows layers.

use super::cells::{LayerCells, Numbers, Part};
use super::inputs::{Consumer, Rearrangement};
use crate::spec::Layer;

/// The rearrangement of a layer's units, and what happened to the layer that receives them.
pub(super) struct Resized {
    pub(super) units: Rearrangement,
    pub(super) consumer: Consumer,
}

/// Widens a layer without changing the network's function: new units have random input weights, and the
/// next layer's weights for them are zero.
///
/// Net2Net (Chen, Goodfellow and Shlens 2015) instead copies units and divides their outgoing weights
/// among the copies. But copies get equal gradients and stay equal until noise separates them, while
/// units with zero outgoing weights get different gradients from the second step on.
pub(super) fn widen(cells: &mut [LayerCells], part: Part, layer: usize, width: usize) -> Resized {
    let old = part.rows[layer].output.channels();
    resize(cells, part, layer, Rearrangement::appended(old, width, groups(part, layer)))
}

/// Keeps the most important units: those with the largest product of the norm of their outgoing weights and what they
/// give out: the norm of their incoming weights or, where a batch-norm follows, which undoes that norm, its scale (Liu et
/// al. 2017, "Learning efficient convolutional networks through network slimming"). In a grouped convolution, every group keeps the same number.
pub(super) fn narrow(
    cells: &mut [LayerCells],
    part: Part,
    layer: usize,
    width: usize,
    numbers: Numbers,
) -> Resized {
    let groups = groups(part, layer);
    let importance = importance(cells, part, layer, numbers);
    let of_group = (importance.len() / groups).max(1);
    let mut kept = Vec::with_capacity(width);
    for (group, importance) in importance.chunks(of_group).enumerate() {
        let mut ranked: Vec<(f32, usize)> =
            importance.iter().copied().zip(group * of_group..).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        kept.extend(ranked.into_iter().take(width / groups).map(|(_, unit)| unit));
    }
    kept.sort_unstable();
    resize(cells, part, layer, Rearrangement::kept(&kept))
}

fn resize(cells: &mut [LayerCells], part: Part, layer: usize, units: Rearrangement) -> Resized {
    let lines = units.unscaled();
    let axis = unit_axis(part, layer);
    let arrays = &mut cells[layer].arrays;
    if let Some(weight) = arrays.get_mut("weight") {
        *weight = weight.rearranged(axis, &lines);
    }
    if let Some(bias) = arrays.get_mut("bias") {
        *bias = bias.rearranged(0, &lines);
    }
    let consumer = units.adapt_consumer(cells, part, layer + 1, part.rows[layer].output);
    Resized { units, consumer }
}

fn groups(part: Part, layer: usize) -> usize {
    match part.layers.get(layer) {
        Some(Layer::Conv(conv)) => conv.groups,
        _ => 1,
    }
}

/// The axis of a layer's weight that belongs to its units.
fn unit_axis(part: Part, layer: usize) -> usize {
    usize::from(!matches!(part.layers.get(layer), Some(Layer::Conv(_))))
}

/// The importance of each unit of a layer.
fn importance(cells: &[LayerCells], part: Part, layer: usize, numbers: Numbers) -> Vec<f32> {
    let units = part.rows[layer].output.channels();
    let is_normalized = matches!(part.layers.get(layer + 1), Some(Layer::BatchNorm(_)));
    let scales = cells.get(layer + 1).filter(|_| is_normalized);
    let incoming = match scales.and_then(|norm| norm.arrays.get("gamma")) {
        Some(gamma) => gamma.cells.iter().map(|&cell| numbers.value(cell).abs()).collect(),
        None => norms(&cells[layer], unit_axis(part, layer), units, 1, numbers),
    };
    let Some((consumer, is_conv, inputs)) = consumer(cells, part, layer + 1) else {
        return incoming;
    };
    let (axis, plane) = if is_conv { (1, 1) } else { (0, inputs / units.max(1)) };
    let outgoing = norms(consumer, axis, units, plane.max(1), numbers);
    incoming.iter().zip(&outgoing).map(|(incoming, outgoing)| incoming * outgoing).collect()
}

/// The first layer with weights from `from` on, whether it is a convolution, and the length of its
/// input. `None` if there is none, or it is a grouped convolution.
fn consumer<'a>(
    cells: &'a [LayerCells],
    part: Part,
    from: usize,
) -> Option<(&'a LayerCells, bool, usize)> {
    for (index, cell) in cells.iter().enumerate().skip(from) {
        if part.consumes(index) {
            let inputs = part.rows[index].input.len();
            return match part.layers.get(index) {
                Some(Layer::Conv(conv)) if conv.groups > 1 => None,
                layer => Some((cell, matches!(layer, Some(Layer::Conv(_))), inputs)),
            };
        }
        if let Some((block, row)) = part.block(index) {
            let found = consumer(&cell.inner, Part::of_block(block, row), 0);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

/// Euclidean norm of a layer's weights for each unit along an axis, on which each unit has `plane`
/// consecutive places.
fn norms(
    layer: &LayerCells,
    axis: usize,
    units: usize,
    plane: usize,
    numbers: Numbers,
) -> Vec<f32> {
    let mut squares = vec![0.0_f32; units];
    if let Some(weight) = layer.arrays.get("weight") {
        let inner: usize = weight.shape[axis + 1..].iter().product();
        for (at, &cell) in weight.cells.iter().enumerate() {
            let place = at / inner % weight.shape[axis];
            let value = numbers.value(cell);
            if let Some(sum) = squares.get_mut(place / plane) {
                *sum += value * value;
            }
        }
    }
    squares.into_iter().map(f32::sqrt).collect()
}
