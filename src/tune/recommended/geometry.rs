//! Layers that keep a network from seeing shapes, and the edits that give them back.

use super::suspect::{Effect, Suspect};
use crate::spec::{Edit, FeatureShape, Layer, Padding, Spec};

/// A plane of fewer pixels a side tells little of where something is.
const SIDE_LEAST: usize = 3;

/// The side of a conv kernel for a plane of this side.
pub(in crate::tune) fn recommended_kernel(side: usize) -> usize {
    if side < 12 { 3 } else { 5 }
}

/// The side of the plane that reaches the first flat layer.
pub(in crate::tune) fn final_side(spec: &Spec) -> usize {
    let rows = &spec.table().rows;
    let mut images = rows.iter().filter_map(|row| match row.input {
        FeatureShape::Image { height, width, .. } => Some(height.min(width)),
        FeatureShape::Flat { .. } => None,
    });
    images.next_back().unwrap_or(0)
}

fn pixels(spec: &Spec) -> Vec<Suspect> {
    let side = final_side(spec);
    let is_lost = side < SIDE_LEAST && spec.input().height.min(spec.input().width) >= 12;
    let mut edits = Vec::new();
    let mut mended = spec.clone();
    // Every round takes the layer that throws away most; a network has few of those.
    for _ in 0..spec.layers().len() {
        if final_side(&mended) > SIDE_LEAST {
            break;
        }
        let Some((edit, next)) = sharpest(&mended) else {
            break;
        };
        edits.push(edit);
        mended = next;
    }
    if !is_lost || edits.is_empty() {
        return Vec::new();
    }
    vec![Suspect {
        effect: Effect::PixelsLost,
        what: format!(
            "only {side}×{side} of {}×{} pixels remain before the last layers",
            spec.input().height,
            spec.input().width
        ),
        edits,
    }]
}

/// The largest plane whose mean still tells what was where.
const MEAN_SIDE_MOST: usize = 8;

/// What keeps the network from seeing shapes. What is overlooked comes first and alone: its edits may
/// move layers, and those that bring pixels back name layers by where they are now.
pub(super) fn geometry(spec: &Spec) -> Vec<Suspect> {
    let overlooked = overlooked(spec);
    if overlooked.is_empty() { pixels(spec) } else { overlooked }
}

/// Layers that skip pixels, smear them, see only one at a time, or take the mean over so many
/// places that nothing of them is left.
fn overlooked(spec: &Spec) -> Vec<Suspect> {
    let suspect = |what, edits| Suspect { effect: Effect::PixelsLost, what, edits };
    let mut found = Vec::new();
    let mut smears = Vec::new();
    let rows = spec.table().rows.iter();
    for (layer, (kind, row)) in spec.layers().iter().zip(rows).enumerate() {
        let number = layer + 1;
        let (size, stride, edit) = match kind {
            Layer::Conv(conv) => (conv.kernel, conv.stride, Edit::SetStride { layer, stride: 1 }),
            Layer::MaxPool(pool) | Layer::AvgPool(pool) => {
                (pool.size, pool.stride(), Edit::SetPool { layer, size: 2 })
            }
            _ => continue,
        };
        let is_pool = !matches!(kind, Layer::Conv(_));
        if stride > size {
            let what = format!(
                "layer {number} has a stride of {stride}, but a window of only {size}, so it skips pixels"
            );
            found.push(suspect(what, vec![edit]));
        } else if is_pool && size > 4 && stride < size && side(row.input) >= 12 {
            let what = format!("layer {number} blurs the image over {size}×{size} pixels");
            smears.push(suspect(what, vec![Edit::RemoveLayer { layer }]));
        }
    }
    let kernels = spec.layers().iter().enumerate().filter_map(|(layer, kind)| match kind {
        Layer::Conv(conv) => Some((layer, conv.kernel)),
        _ => None,
    });
    let kernels: Vec<(usize, usize)> = kernels.collect();
    if !kernels.is_empty() && kernels.iter().all(|&(_, kernel)| kernel == 1) {
        let larger = kernels.into_iter().map(|(layer, _)| Edit::SetKernel { layer, kernel: 5 });
        found.push(suspect("filters of 1×1 pixel cannot detect shapes".into(), larger.collect()));
    }
    found.extend(wide_mean(spec));
    // From the last to the first, and after all others, whose layers keep their numbers so.
    found.extend(smears.into_iter().rev());
    found
}

/// A global mean over a large plane, and the conv blocks with pools that make it smaller.
fn wide_mean(spec: &Spec) -> Option<Suspect> {
    let mean = |spec: &Spec| {
        let mut layers = spec.layers().iter();
        let at = layers.position(|layer| matches!(layer, Layer::GlobalAvgPool {}))?;
        let input = spec.table().rows[at].input;
        (side(input) > MEAN_SIDE_MOST).then_some((at, input))
    };
    let (_, before) = mean(spec)?;
    let mut edits = Vec::new();
    let mut mended = spec.clone();
    while let Some((at, FeatureShape::Image { channels, height, width })) = mean(&mended) {
        let filters = (2 * channels).clamp(16, 64);
        let kernel = recommended_kernel(height.min(width));
        let edit = Edit::AddConvBlock { at, filters, kernel, pool: true };
        let Ok(next) = edit.apply(&mended) else {
            break;
        };
        edits.push(edit);
        mended = next;
    }
    let side = side(before);
    let what = format!("the mean over {side}×{side} positions loses where features are");
    Some(Suspect { effect: Effect::PixelsLost, what, edits })
}

/// The edit that lets most pixels through, and what it makes of the study.
fn sharpest(spec: &Spec) -> Option<(Edit, Spec)> {
    let reduction = |index: usize| {
        let row = &spec.table().rows[index];
        side(row.input) as f64 / side(row.output).max(1) as f64
    };
    let mut candidates: Vec<(f64, Edit)> = Vec::new();
    for (index, layer) in spec.layers().iter().enumerate() {
        let edit = match layer {
            Layer::MaxPool(pool) | Layer::AvgPool(pool) if pool.size > 2 || pool.stride() > 2 => {
                Edit::SetPool { layer: index, size: 2 }
            }
            Layer::MaxPool(_) | Layer::AvgPool(_) => Edit::RemoveLayer { layer: index },
            Layer::Conv(conv) if conv.stride > 1 => Edit::SetStride { layer: index, stride: 1 },
            Layer::Conv(conv) if conv.padding == Padding::Valid && conv.kernel > 5 => {
                Edit::SetKernel { layer: index, kernel: 5 }
            }
            _ => continue,
        };
        candidates.push((reduction(index), edit));
    }
    // The later of equals: early layers are the dearer ones.
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    candidates.into_iter().find_map(|(_, edit)| Some((edit.clone(), edit.apply(spec).ok()?)))
}

pub(in crate::tune) fn side(shape: FeatureShape) -> usize {
    match shape {
        FeatureShape::Image { height, width, .. } => height.min(width),
        FeatureShape::Flat { .. } => 1,
    }
}
