//! The size that a network should have for its gate, and the next edit towards it.
//!
//! The size is that of the member of the [plain family](super::family) with which a study of such data and such a
//! gate would begin.

use super::family;
use super::forecaster::first_member;
use super::recommended::geometry::{recommended_kernel, side};
use crate::spec::{Edit, FeatureShape, Layer, Spec};

/// The target size of a network for its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TargetSize {
    convs: usize,
    /// Filters of the first conv layer; later ones have twice as many.
    filters: usize,
    /// Units of a hidden dense layer.
    dense: usize,
}

fn target_size(spec: &Spec, images: usize) -> TargetSize {
    let member = first_member(spec, images);
    TargetSize {
        convs: family::depth(spec.input()),
        filters: member.width,
        dense: 4 * member.width,
    }
}

/// Whether a network is so small that this alone explains why it misses its gate: it needs less than a quarter of
/// the operations of the narrowest member of the family, or has a layer that is a severe bottleneck.
pub(super) fn is_small_for_its_gate(spec: &Spec) -> bool {
    let least = family::flops(spec.input(), family::NARROWEST) / 4;
    let narrow = spec.layers().iter().any(|layer| match layer {
        Layer::Conv(conv) => 2 * conv.filters < family::NARROWEST,
        Layer::Dense(dense) => dense.units < spec.input().classes.min(16),
        _ => false,
    });
    let hidden = spec
        .layers()
        .iter()
        .any(|layer| matches!(layer, Layer::Conv(_) | Layer::Dense(_) | Layer::Residual(_)));
    !hidden || narrow || spec.table().flops() < least
}

/// An edit that makes a network larger, and the reason.
pub(super) type Step = (Edit, &'static str);

/// The next edit towards the target size; `None` if it is reached.
pub(super) fn step_towards_target(spec: &Spec, images: usize) -> Option<Step> {
    let target = target_size(spec, images);
    // However wide, dense layers alone must learn every position of a shape separately.
    let first = if convs(spec).count() == 0 { block(spec, target) } else { None };
    first
        .or_else(|| coarse_layer(spec, target))
        .or_else(|| narrow_layer(spec, target))
        .or_else(|| (convs(spec).count() < target.convs).then(|| block(spec, target)).flatten())
        .or_else(|| hidden_layer(spec, target))
}

/// An edit beyond the target size, for a network that has it and still misses the gate.
pub(super) fn step_beyond_target(spec: &Spec, images: usize) -> Option<Step> {
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
    let deeper =
        || if convs(spec).count() < 6 { block(spec, target_size(spec, images)) } else { None };
    let dense = || {
        let denses = spec.layers().iter().filter(|layer| matches!(layer, Layer::Dense(_))).count();
        (denses < 2).then(|| add_dense(spec, 64))
    };
    narrowest.or_else(deeper).or_else(dense)
}

/// Edits that reduce a network that is far too large to the target size.
pub(super) fn reductions(spec: &Spec, images: usize) -> Vec<Edit> {
    let target = target_size(spec, images);
    let mut stage = 0;
    let layers = spec.layers().iter().enumerate();
    let edits = layers.filter_map(|(layer, found)| match found {
        Layer::Conv(conv) => {
            let width = target.filters.max(8) << stage.min(1);
            stage += 1;
            (conv.filters > 2 * width).then_some(Edit::Narrow { layer, width })
        }
        Layer::Dense(dense) => {
            let width = target.dense.max(96);
            (dense.units > 2 * width).then_some(Edit::Narrow { layer, width })
        }
        _ => None,
    });
    edits.collect()
}

/// Filters of every convolution, including those within residual blocks.
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

/// For a high gate, a lower stride of a layer that skips pixels.
fn coarse_layer(spec: &Spec, target: TargetSize) -> Option<Step> {
    let matters = target.filters >= family::NARROWEST;
    let mut layers = spec.layers().iter().enumerate();
    let edit = layers.find_map(|(layer, found)| match found {
        Layer::Conv(conv) if conv.stride > 1 => Some(Edit::SetStride { layer, stride: 1 }),
        Layer::MaxPool(pool) | Layer::AvgPool(pool) if pool.size > 2 || pool.stride() > 2 => {
            Some(Edit::SetPool { layer, size: 2 })
        }
        _ => None,
    });
    edit.filter(|_| matters).map(|edit| (edit, "a large stride loses the position of details"))
}

fn narrow_layer(spec: &Spec, target: TargetSize) -> Option<Step> {
    let mut stage = 0;
    spec.layers().iter().enumerate().find_map(|(layer, found)| match found {
        Layer::Conv(conv) => {
            let width = target.filters << stage.min(1);
            stage += 1;
            let is_narrow = conv.filters < target.filters;
            let because = "a layer of few filters is a bottleneck for the layers around it";
            is_narrow.then_some((Edit::Widen { layer, width }, because))
        }
        Layer::Dense(dense) => {
            let is_narrow = dense.units < 2 * spec.input().classes.min(16);
            let width = target.dense.max(32);
            let because = "so few units hardly separate the classes";
            is_narrow.then_some((Edit::Widen { layer, width }, because))
        }
        _ => None,
    })
}

/// Another conv block: with a pool while the feature map is large enough to halve; otherwise without
/// one, or before the other layers if these leave only a few pixels.
fn block(spec: &Spec, target: TargetSize) -> Option<Step> {
    let widest = convs(spec).max();
    let filters = widest.map_or(target.filters, |widest| (2 * widest).clamp(target.filters, 64));
    let (end, shape) = spec.end_of_features();
    let final_side = shape.map_or(0, side);
    let first = FeatureShape::Image {
        channels: spec.input().channels,
        height: spec.input().height,
        width: spec.input().width,
    };
    let (at, pool, side) = match final_side {
        8.. => (end, true, final_side),
        3.. => (end, false, final_side),
        _ => (0, false, side(first)),
    };
    if side < 3 {
        return None;
    }
    let kernel = recommended_kernel(side);
    let edit = Edit::AddConvBlock { at, filters, kernel, pool };
    Some((edit, "another conv layer sees larger parts of the image"))
}

fn hidden_layer(spec: &Spec, target: TargetSize) -> Option<Step> {
    let has_dense = spec.layers().iter().any(|layer| matches!(layer, Layer::Dense(_)));
    (!has_dense).then(|| add_dense(spec, target.dense))
}

fn add_dense(spec: &Spec, units: usize) -> Step {
    let edit = Edit::AddDense { at: spec.layers().len(), units };
    (edit, "a hidden dense layer combines the features")
}
