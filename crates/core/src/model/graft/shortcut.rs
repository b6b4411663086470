//! Adapts a residual block's shortcut to rearranged channels.
//!
//! An identity shortcut becomes a projection that selects the same channels, so that the block still adds
//! the same values to each channel.

// In a circle with inputs: a rearrangement passes through blocks, and their shortcuts are adapted to it.

use super::cells::{Cell, CellArray, LayerCells, Line, identity_norm, projection_key};
use super::inputs::{Channel, Rearrangement};
use crate::spec::{LayerPlan, Residual};

/// Adapts the shortcut of a block that receives rearranged channels and returns the same as before.
pub(super) fn rearrange_inputs(
    cells: &mut LayerCells,
    rearrangement: &Rearrangement,
    block: &Residual,
    row: &LayerPlan,
) {
    make_projection(cells, block, row);
    if let Some(weight) = cells.arrays.get_mut(projection_key("weight")) {
        *weight = weight.rearranged(1, &rearrangement.lines());
    }
}

/// Adapts the shortcut of a block that receives the same channels as before and returns rearranged ones.
pub(super) fn rearrange_outputs(
    cells: &mut LayerCells,
    rearrangement: &Rearrangement,
    block: &Residual,
    row: &LayerPlan,
) {
    make_projection(cells, block, row);
    rearrange_units(cells, rearrangement);
}

/// Adapts the shortcut of a block whose layers pass rearranged channels on. An identity does so too.
pub(super) fn pass_on(cells: &mut LayerCells, rearrangement: &Rearrangement, row: &LayerPlan) {
    if row.projection.is_some() {
        if let Some(weight) = cells.arrays.get_mut(projection_key("weight")) {
            *weight = weight.rearranged(1, &rearrangement.lines());
        }
        rearrange_units(cells, rearrangement);
    }
}

/// Rearranges the projection's outputs. New ones have random weights, as no layer uses them yet.
fn rearrange_units(cells: &mut LayerCells, rearrangement: &Rearrangement) {
    let lines = rearrangement.channels.iter().map(|channel| match *channel {
        Channel::Old { at, .. } => Line::old(at),
        Channel::New => Line::FRESH,
    });
    let lines: Vec<Line> = lines.collect();
    for array in cells.arrays.values_mut() {
        *array = array.rearranged(0, &lines);
    }
}

/// Replaces an identity shortcut by a projection that computes the identity.
fn make_projection(cells: &mut LayerCells, block: &Residual, row: &LayerPlan) {
    let key = projection_key("weight");
    if row.projection.is_some() || cells.arrays.contains_key(key) {
        return;
    }
    let channels = row.input.channels();
    let mut weight = CellArray::filled(vec![channels, channels, 1, 1], Cell::Value(0.0));
    for channel in 0..channels {
        weight.cells[channel * channels + channel] = Cell::Value(1.0);
    }
    cells.arrays.insert(key, weight);
    let bias = CellArray::filled(vec![channels], Cell::Value(0.0));
    cells.arrays.insert(projection_key("bias"), bias);
    if let Some(norm) = block.norm() {
        add_identity_norm(cells, channels, norm.epsilon);
    }
}

/// Adds a batch-norm after the projection that returns its input unchanged.
pub(super) fn add_identity_norm(cells: &mut LayerCells, channels: usize, epsilon: f64) {
    for (field, array) in identity_norm(channels, epsilon).arrays {
        cells.arrays.insert(projection_key(field), array);
    }
}
