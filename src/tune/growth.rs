//! How large a network has to be, and the next step towards it.
//!
//! The wanted sizes are those of small convolutional networks that are known to reach such
//! accuracies on small images (LeCun et al. 1998 and since); they decide what is tried first, and
//! the gate decides whether it was enough.

use super::recommended::{geometry::side, recommended_kernel};
use crate::spec::{Edit, FeatureShape, Layer, Spec};

/// What a network should have for its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    convs: usize,
    /// Of the first conv layer; those behind it have twice as many.
    filters: usize,
    /// Units of a hidden dense layer; 0 for none.
    dense: usize,
}

fn wanted(spec: &Spec) -> Form {
    let may_fail = 1.0 - spec.gate().highest_floor();
    match may_fail {
        0.10.. => Form { convs: 1, filters: 4, dense: 0 },
        0.05.. => Form { convs: 1, filters: 8, dense: 0 },
        0.018.. => Form { convs: 2, filters: 8, dense: 0 },
        0.0115.. => Form { convs: 2, filters: 12, dense: 64 },
        0.0055.. => Form { convs: 2, filters: 16, dense: 96 },
        _ => Form { convs: 3, filters: 32, dense: 128 },
    }
}

/// Whether a network is so small that its failure needs no other cause.
pub(super) fn is_small_for_its_gate(spec: &Spec) -> bool {
    let form = wanted(spec);
    let hidden = spec
        .layers()
        .iter()
        .any(|layer| matches!(layer, Layer::Conv(_) | Layer::Dense(_) | Layer::Residual(_)));
    let narrow = spec.layers().iter().any(|layer| match layer {
        Layer::Conv(conv) => 2 * conv.filters < form.filters.min(8),
        Layer::Dense(dense) => dense.units < spec.input().classes.min(16),
        _ => false,
    });
    // Without conv layers it takes many units, and time, to get far.
    let units = spec.layers().iter().filter_map(|layer| match layer {
        Layer::Dense(dense) => Some(dense.units),
        _ => None,
    });
    let may_fail = 1.0 - spec.gate().highest_floor();
    let is_enough = may_fail > 0.05 || may_fail > 0.015 && units.max() >= Some(128);
    let flat_only = convs(spec).count() == 0 && !is_enough;
    !hidden || narrow || flat_only
}

/// An edit that lets a network grow, and why.
pub(super) type Step = (Edit, &'static str);

/// The next step towards the size that the gate asks for; `None` when it is reached.
pub(super) fn towards_form(spec: &Spec) -> Option<Step> {
    let form = wanted(spec);
    // However wide, dense layers alone learn every place of a stroke for itself.
    let first = if convs(spec).count() == 0 { block(spec, form) } else { None };
    first
        .or_else(|| coarse_layer(spec, form))
        .or_else(|| narrow_layer(spec, form))
        .or_else(|| (convs(spec).count() < form.convs).then(|| block(spec, form)).flatten())
        .or_else(|| hidden_layer(spec, form))
}

/// A step beyond the wanted size, for a network that has it and still fails.
pub(super) fn beyond_form(spec: &Spec) -> Option<Step> {
    let layers = spec.layers().iter().enumerate();
    let widths = layers.filter_map(|(index, layer)| match layer {
        Layer::Conv(conv) if conv.filters < 64 => Some((conv.filters, index, conv.filters * 2)),
        Layer::Dense(dense) if dense.units < 128 => {
            Some((dense.units / 4, index, (dense.units * 2).max(32)))
        }
        _ => None,
    });
    let narrowest = widths.min().map(|(_, layer, width)| {
        (Edit::Widen { layer, width }, "the narrowest layer is a bottleneck")
    });
    let deeper = || if convs(spec).count() < 6 { block(spec, wanted(spec)) } else { None };
    let dense = || {
        let denses = spec.layers().iter().filter(|layer| matches!(layer, Layer::Dense(_))).count();
        (denses < 2).then(|| add_dense(spec, 64))
    };
    narrowest.or_else(deeper).or_else(dense)
}

/// Edits that take a network that is far too large down to what its gate asks for.
pub(super) fn slimming(spec: &Spec) -> Vec<Edit> {
    let form = wanted(spec);
    let mut stage = 0;
    let layers = spec.layers().iter().enumerate();
    let edits = layers.filter_map(|(layer, found)| match found {
        Layer::Conv(conv) => {
            let width = form.filters.max(8) << stage.min(1);
            stage += 1;
            (conv.filters > 2 * width).then_some(Edit::Narrow { layer, width })
        }
        Layer::Dense(dense) => {
            let width = form.dense.max(96);
            (dense.units > 2 * width).then_some(Edit::Narrow { layer, width })
        }
        _ => None,
    });
    edits.collect()
}

/// Filters of every convolution, those of residual blocks among them.
fn convs(spec: &Spec) -> impl Iterator<Item = usize> {
    fn add(layers: &[Layer], found: &mut Vec<usize>) {
        for layer in layers {
            match layer {
                Layer::Conv(conv) => found.push(conv.filters),
                Layer::Residual(block) => add(&block.layers, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    add(spec.layers(), &mut found);
    found.into_iter()
}

/// Where the gate asks for the last percents, a layer that skips over the image costs some of them.
fn coarse_layer(spec: &Spec, form: Form) -> Option<Step> {
    let matters = form.dense > 0;
    let mut layers = spec.layers().iter().enumerate();
    let edit = layers.find_map(|(layer, found)| match found {
        Layer::Conv(conv) if conv.stride > 1 => Some(Edit::SetStride { layer, stride: 1 }),
        Layer::MaxPool(pool) | Layer::AvgPool(pool) if pool.size > 2 || pool.stride() > 2 => {
            Some(Edit::SetPool { layer, size: 2 })
        }
        _ => None,
    });
    edit.filter(|_| matters).map(|edit| (edit, "a large stride loses the position of strokes"))
}

fn narrow_layer(spec: &Spec, form: Form) -> Option<Step> {
    let mut stage = 0;
    spec.layers().iter().enumerate().find_map(|(layer, found)| match found {
        Layer::Conv(conv) => {
            let width = form.filters << stage.min(1);
            stage += 1;
            let is_narrow = conv.filters < form.filters;
            let because = "a layer of few filters is a bottleneck for the layers around it";
            is_narrow.then_some((Edit::Widen { layer, width }, because))
        }
        Layer::Dense(dense) => {
            let is_narrow = dense.units < 2 * spec.input().classes.min(16);
            let width = form.dense.max(32);
            let because = "so few units separate the classes badly";
            is_narrow.then_some((Edit::Widen { layer, width }, because))
        }
        _ => None,
    })
}

/// A conv block behind the present ones while the image is large enough to halve; otherwise a
/// layer behind them without a pool, or before them where they leave next to nothing.
fn block(spec: &Spec, form: Form) -> Option<Step> {
    let widest = convs(spec).max();
    let filters = widest.map_or(form.filters, |widest| (2 * widest).clamp(form.filters, 64));
    let (end, shape) = spec.end_of_features();
    let reaching = shape.map_or(0, side);
    let first = FeatureShape::Image {
        channels: spec.input().channels,
        height: spec.input().height,
        width: spec.input().width,
    };
    let (at, pool, side) = match reaching {
        8.. => (end, true, reaching),
        3.. => (end, false, reaching),
        _ => (0, false, side(first)),
    };
    if side < 3 {
        return None;
    }
    let kernel = recommended_kernel(side);
    let edit = Edit::AddConvBlock { at, filters, kernel, pool };
    Some((edit, "another conv layer sees larger parts of the image"))
}

fn hidden_layer(spec: &Spec, form: Form) -> Option<Step> {
    let has_dense = spec.layers().iter().any(|layer| matches!(layer, Layer::Dense(_)));
    (form.dense > 0 && !has_dense).then(|| add_dense(spec, form.dense))
}

fn add_dense(spec: &Spec, units: usize) -> Step {
    let edit = Edit::AddDense { at: spec.layers().len(), units };
    (edit, "a hidden dense layer combines the features")
}
