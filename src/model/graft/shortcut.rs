//! What becomes of a residual block's shortcut when the channels around it are rearranged.
//!
//! A shortcut that was the identity becomes a projection that picks the same channels out: then the
//! block still adds to each channel what it used to add.

// In a circle with inputs: a rearrangement goes through blocks, and their shortcuts follow it.

use super::cells::{Cell, CellArray, LayerCells, Line, normalizing_nothing, projection_key};
use super::inputs::{Channel, Rearrangement};
use crate::spec::{LayerPlan, Residual};

/// The block receives rearranged channels, and returns those that it used to.
pub(super) fn rearrange_inputs(
    cells: &mut LayerCells,
    told: &Rearrangement,
    block: &Residual,
    row: &LayerPlan,
) {
    make_projection(cells, block, row);
    if let Some(weight) = cells.arrays.get_mut(projection_key("weight")) {
        *weight = weight.rearranged(1, &told.lines());
    }
}

/// The block's branch returns rearranged channels, and receives those that it used to.
pub(super) fn rearrange_outputs(
    cells: &mut LayerCells,
    told: &Rearrangement,
    block: &Residual,
    row: &LayerPlan,
) {
    make_projection(cells, block, row);
    rearrange_units(cells, told);
}

/// The branch hands the rearranged channels on, each for itself; an identity does so as well.
pub(super) fn pass_on(cells: &mut LayerCells, told: &Rearrangement, row: &LayerPlan) {
    if row.projection.is_some() {
        if let Some(weight) = cells.arrays.get_mut(projection_key("weight")) {
            *weight = weight.rearranged(1, &told.lines());
        }
        rearrange_units(cells, told);
    }
}

/// Of new units only what is random looks at the input: nothing listens to them yet.
fn rearrange_units(cells: &mut LayerCells, told: &Rearrangement) {
    let lines = told.channels.iter().map(|channel| match *channel {
        Channel::Old { at, .. } => Line::old(at),
        Channel::New => Line::FRESH,
    });
    let lines: Vec<Line> = lines.collect();
    for array in cells.arrays.values_mut() {
        *array = array.rearranged(0, &lines);
    }
}

/// Writes the identity as a projection, where the shortcut is one.
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
        normalize_nothing(cells, channels, norm.epsilon);
    }
}

/// Puts a batch-norm behind the projection that hands on what it receives.
pub(super) fn normalize_nothing(cells: &mut LayerCells, channels: usize, epsilon: f64) {
    for (field, array) in normalizing_nothing(channels, epsilon).arrays {
        cells.arrays.insert(projection_key(field), array);
    }
}
