//! Layers that lose spatial detail, and the edits that restore it.

use super::suspect::{Effect, Suspect};
use crate::spec::{Edit, FeatureShape, Layer, Padding, Spec};

/// Smallest side, in pixels, of a feature map that still tells where something is.
const SIDE_LEAST: usize = 3;

/// The kernel size for a convolution on a feature map of this side.
pub(in crate::tune) fn recommended_kernel(side: usize) -> usize {
    if side < 12 { 3 } else { 5 }
}

/// The side of the feature map that reaches the first flat layer.
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
    let mut repaired = spec.clone();
    // Each round edits the layer that reduces the image most.
    for _ in 0..spec.layers().len() {
        if final_side(&repaired) > SIDE_LEAST {
            break;
        }
        let Some((edit, next)) = strongest_reduction(&repaired) else {
            break;
        };
        edits.push(edit);
        repaired = next;
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

/// Largest side, in pixels, of a feature map whose global mean does not lose too much.
const MEAN_SIDE_MOST: usize = 8;

/// What keeps the network from seeing shapes. Lossy layers are reported first and alone: their edits may
/// move layers, and the edits of [`pixels`] refer to layers by their present index.
pub(super) fn geometry(spec: &Spec) -> Vec<Suspect> {
    let lossy_layers = lossy_layers(spec);
    if lossy_layers.is_empty() { pixels(spec) } else { lossy_layers }
}

/// Layers that skip pixels, blur them, see only one at a time, or take the mean over too many positions.
fn lossy_layers(spec: &Spec) -> Vec<Suspect> {
    let suspect = |what, edits| Suspect { effect: Effect::PixelsLost, what, edits };
    let mut found = Vec::new();
    let mut blurs = Vec::new();
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
            blurs.push(suspect(what, vec![Edit::RemoveLayer { layer }]));
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
    // From the last to the first, and after all others, so that layer indices stay valid.
    found.extend(blurs.into_iter().rev());
    found
}

/// A global mean over a large feature map, and the conv blocks with pools that make it smaller.
fn wide_mean(spec: &Spec) -> Option<Suspect> {
    let mean = |spec: &Spec| {
        let mut layers = spec.layers().iter();
        let at = layers.position(|layer| matches!(layer, Layer::GlobalAvgPool {}))?;
        let input = spec.table().rows[at].input;
        (side(input) > MEAN_SIDE_MOST).then_some((at, input))
    };
    let (_, before) = mean(spec)?;
    let mut edits = Vec::new();
    let mut repaired = spec.clone();
    while let Some((at, FeatureShape::Image { channels, height, width })) = mean(&repaired) {
        let filters = (2 * channels).clamp(16, 64);
        let kernel = recommended_kernel(height.min(width));
        let edit = Edit::AddConvBlock { at, filters, kernel, pool: true };
        let Ok(next) = edit.apply(&repaired) else {
            break;
        };
        edits.push(edit);
        repaired = next;
    }
    let side = side(before);
    let what = format!("the mean over {side}×{side} positions loses where features are");
    Some(Suspect { effect: Effect::PixelsLost, what, edits })
}

/// The edit that undoes the strongest reduction of the image, and the edited study.
fn strongest_reduction(spec: &Spec) -> Option<(Edit, Spec)> {
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
    // A stable sort: of equal reductions, the first is undone.
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    candidates.into_iter().find_map(|(_, edit)| Some((edit.clone(), edit.apply(spec).ok()?)))
}

pub(in crate::tune) fn side(shape: FeatureShape) -> usize {
    match shape {
        FeatureShape::Image { height, width, .. } => height.min(width),
        FeatureShape::Flat { .. } => 1,
    }
}
