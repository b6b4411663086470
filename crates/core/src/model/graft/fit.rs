//! Fits arrays to changed shapes: other kernels, image sizes and numbers of inputs.

use super::cells::{CellArray, LayerCells, Line, NoLayer, Part};
use crate::spec::{FeatureShape, Layer, LayerPlan, Padding};

/// Fits a kernel into one of another size, centred, and filled up with zeros. Returns what changes the
/// network's outputs, if anything does.
pub(super) fn set_kernel(
    cells: &mut [LayerCells],
    parent: Part,
    child: Part,
    layer: usize,
) -> Result<Option<String>, NoLayer> {
    let (Some(Layer::Conv(old)), Some(Layer::Conv(new))) =
        (parent.layers.get(layer), child.layers.get(layer))
    else {
        return Err(NoLayer);
    };
    // The index of the old kernel's first element in the new one.
    let offset = (new.kernel as isize - 1) / 2 - (old.kernel as isize - 1) / 2;
    let lines: Vec<Line> = (0..new.kernel as isize)
        .map(|tap| match usize::try_from(tap - offset) {
            Ok(at) if at < old.kernel => Line::old(at),
            _ => Line::ZERO,
        })
        .collect();
    if let Some(weight) = cells[layer].arrays.get_mut("weight") {
        *weight = weight.rearranged(2, &lines).rearranged(3, &lines);
    }
    let is_kept = new.kernel >= old.kernel && new.padding == Padding::Same && new.stride == 1;
    Ok((!is_kept).then(|| format!("a kernel of {k}×{k} reads other pixels", k = new.kernel)))
}

/// Fits every array to the child's shapes. `inputs` holds the input shape of each of its layers before the
/// edit. Returns what changes the network's outputs.
pub(super) fn fit(cells: &mut [LayerCells], child: Part, inputs: &[FeatureShape]) -> Vec<String> {
    let mut notes = Vec::new();
    for ((cells, wanted), (row, input)) in
        cells.iter_mut().zip(child.fresh()).zip(child.rows.iter().zip(inputs))
    {
        fit_layer(cells, wanted, row, *input, &mut notes);
        if let (
            FeatureShape::Image { height, width, .. },
            FeatureShape::Image { height: now_high, width: now_wide, .. },
        ) = (*input, row.input)
            && (height, width) != (now_high, now_wide)
        {
            notes.push(format!(
                "{} receives {now_high}×{now_wide} pixels instead of {height}×{width}",
                row.name
            ));
        }
    }
    notes
}

fn fit_layer(
    cells: &mut LayerCells,
    wanted: LayerCells,
    row: &LayerPlan,
    input: FeatureShape,
    notes: &mut Vec<String>,
) {
    let mut fitted = LayerCells::default();
    for (field, wanted) in wanted.arrays {
        let found = match cells.arrays.remove(field) {
            Some(found) if field == "weight" && wanted.shape.len() == 2 => {
                Some(resample(found, input, row.input))
            }
            other => other,
        };
        let kept = found.as_ref().is_some_and(|found| found.shape == wanted.shape);
        if !kept {
            notes.push(format!("the {field} of {} is newly initialized", row.name));
        }
        fitted.arrays.insert(field, found.filter(|_| kept).unwrap_or(wanted));
    }
    let mut found = std::mem::take(&mut cells.inner).into_iter();
    for (wanted, row) in wanted.inner.into_iter().zip(&row.inner) {
        let mut inner = found.next().unwrap_or_default();
        // No layer within a block flattens, so no weights are resampled there.
        fit_layer(&mut inner, wanted, row, row.input, notes);
        fitted.inner.push(inner);
    }
    *cells = fitted;
}

/// Dense weights for images of another size: each new pixel takes the weights of the old pixel at its
/// place. After a max-pool over four pixels, values are about twice their mean; so weights are scaled by
/// the square root of the ratio of areas.
fn resample(weight: CellArray, before: FeatureShape, now: FeatureShape) -> CellArray {
    let (
        FeatureShape::Image { height, width, .. },
        FeatureShape::Image { channels, height: now_high, width: now_wide },
    ) = (before, now)
    else {
        return weight;
    };
    let is_planar = weight.shape[0] == channels * height * width;
    if !is_planar || (height, width) == (now_high, now_wide) {
        return weight;
    }
    let factor = ((height * width) as f32 / (now_high * now_wide) as f32).sqrt();
    let mut lines = Vec::with_capacity(channels * now_high * now_wide);
    for channel in 0..channels {
        for y in 0..now_high {
            for x in 0..now_wide {
                let (y, x) = (y * height / now_high, x * width / now_wide);
                lines.push(Line::Old { at: (channel * height + y) * width + x, factor });
            }
        }
    }
    weight.rearranged(0, &lines)
}
