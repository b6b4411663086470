//! Wider and narrower layers.

use super::cells::{CellNetwork, Line};
use super::inputs::Rearrangement;
use crate::model::Weights;
use crate::spec::{Layer, Spec};

/// Widens a layer without changing what the network says: new units look at random at what they
/// receive, and nothing listens to them yet.
///
/// Net2Net (Chen, Goodfellow and Shlens 2015) copies units instead and shares their outgoing
/// weights. Copies get equal gradients, so that they stay copies until something tells them apart;
/// units that nothing listens to get different gradients from the second step on.
pub(super) fn widen(network: &mut CellNetwork, spec: &Spec, layer: usize, width: usize) {
    let old = spec.table().rows[layer].output.channels();
    let lines: Vec<Line> =
        (0..width).map(|unit| if unit < old { Line::old(unit) } else { Line::FRESH }).collect();
    resize(network, spec, layer, &lines, &Rearrangement::appended(old, width));
}

/// Leaves the units that the network listens to most: those with the largest product of the norms
/// of their incoming and outgoing weights.
pub(super) fn narrow(
    network: &mut CellNetwork,
    spec: &Spec,
    layer: usize,
    width: usize,
    parent: &Weights,
) {
    let mut ranked: Vec<(f32, usize)> =
        importance(network, spec, layer, parent).into_iter().zip(0..).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut kept: Vec<usize> = ranked.into_iter().take(width).map(|(_, unit)| unit).collect();
    kept.sort_unstable();
    let lines: Vec<Line> = kept.iter().map(|&unit| Line::old(unit)).collect();
    resize(network, spec, layer, &lines, &Rearrangement::kept(&kept));
}

fn resize(
    network: &mut CellNetwork,
    spec: &Spec,
    layer: usize,
    lines: &[Line],
    rearrangement: &Rearrangement,
) {
    let units = unit_axis(spec, layer);
    if let Some(weight) = network.layers[layer].get_mut("weight") {
        *weight = weight.rearranged(units, lines);
    }
    if let Some(bias) = network.layers[layer].get_mut("bias") {
        *bias = bias.rearranged(0, lines);
    }
    rearrangement.tell(network, spec, layer + 1, spec.table().rows[layer].output);
}

/// The axis of a layer's weights that counts its units.
fn unit_axis(spec: &Spec, layer: usize) -> usize {
    usize::from(!matches!(spec.layers().get(layer), Some(Layer::Conv(_))))
}

/// For every unit of a layer, how much it matters to what follows.
fn importance(network: &CellNetwork, spec: &Spec, layer: usize, parent: &Weights) -> Vec<f32> {
    let units = spec.table().rows[layer].output.channels();
    let incoming = norms(network, layer, unit_axis(spec, layer), units, 1, parent);
    let consumer = (layer + 1..network.layers.len())
        .find(|&index| super::cells::is_linear(spec.layers().get(index)));
    let Some(consumer) = consumer else {
        return incoming;
    };
    let (axis, plane) = match spec.layers().get(consumer) {
        Some(Layer::Conv(_)) => (1, 1),
        _ => (0, spec.table().rows[consumer].input.len() / units.max(1)),
    };
    let outgoing = norms(network, consumer, axis, units, plane.max(1), parent);
    incoming.iter().zip(&outgoing).map(|(incoming, outgoing)| incoming * outgoing).collect()
}

/// Euclidean norms of a layer's weights by unit along an axis, where a unit has `plane` places.
fn norms(
    network: &CellNetwork,
    layer: usize,
    axis: usize,
    units: usize,
    plane: usize,
    parent: &Weights,
) -> Vec<f32> {
    let mut squares = vec![0.0_f32; units];
    if let Some(weight) = network.layers[layer].get("weight") {
        let inner: usize = weight.shape[axis + 1..].iter().product();
        for (at, &cell) in weight.cells.iter().enumerate() {
            let place = at / inner % weight.shape[axis];
            let value = network.value(cell, parent);
            if let Some(sum) = squares.get_mut(place / plane) {
                *sum += value * value;
            }
        }
    }
    squares.into_iter().map(f32::sqrt).collect()
}
