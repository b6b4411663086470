//! The edits that lead from one network to another, where their layers can be matched.

use super::Edit;
use crate::spec::layer::Layer;
use crate::spec::pool::Pool;
use crate::spec::study::Spec;

/// Edits that bring the layers of `spec` as close to `layers` as widening, deepening and removing
/// dropout can; empty if no layers can be matched. Layers are matched in order, by kind. Settings without
/// weights, such as activations, are not edited: callers that copy weights compare shapes afterwards.
pub(crate) fn edits_between(spec: &Spec, layers: &[Layer]) -> Vec<Edit> {
    let (mut edits, mut now) = (Vec::new(), spec.clone());
    let mut at = 0;
    // Every edit settles a layer or removes one, so this bounds the steps.
    for _ in 0..2 * (layers.len() + spec.layers().len()) + 2 {
        let Some(edit) = next_edit(now.layers(), layers, at) else {
            at += 1;
            if at > layers.len() {
                break;
            }
            continue;
        };
        let Ok(edited) = edit.apply(&now) else {
            break;
        };
        now = edited;
        edits.push(edit);
    }
    edits
}

/// The next edit for the layer at `at`; `None` if there is none.
fn next_edit(now: &[Layer], wanted: &[Layer], at: usize) -> Option<Edit> {
    match (now.get(at), wanted.get(at)) {
        (Some(Layer::Conv(old)), Some(Layer::Conv(new))) if old.filters != new.filters => {
            Some(resize(at, old.filters, new.filters))
        }
        (Some(Layer::Conv(old)), Some(Layer::Conv(new))) if old.kernel != new.kernel => {
            Some(Edit::SetKernel { layer: at, kernel: new.kernel })
        }
        (Some(Layer::Dense(old)), Some(Layer::Dense(new))) if old.units != new.units => {
            Some(resize(at, old.units, new.units))
        }
        (Some(old), Some(new)) if old.kind() == new.kind() => None,
        (Some(Layer::Dropout(_)), _) => Some(Edit::RemoveLayer { layer: at }),
        (_, Some(Layer::Dropout(dropout))) => Some(Edit::AddDropout { at, rate: dropout.rate }),
        (_, Some(Layer::BatchNorm(_))) => {
            at.checked_sub(1).map(|layer| Edit::AddBatchNorm { layer })
        }
        (_, Some(Layer::Dense(dense))) => Some(Edit::AddDense { at, units: dense.units }),
        (_, Some(Layer::Conv(conv))) => {
            let halves = Layer::MaxPool(Pool::of(2));
            let pool = wanted.get(at + 1) == Some(&halves) && now.get(at + 1) != Some(&halves);
            Some(Edit::AddConvBlock { at, filters: conv.filters, kernel: conv.kernel, pool })
        }
        _ => None,
    }
}

fn resize(layer: usize, old: usize, width: usize) -> Edit {
    match width > old {
        true => Edit::Widen { layer, width },
        false => Edit::Narrow { layer, width },
    }
}

#[cfg(test)]
mod tests;
