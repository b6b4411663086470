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
mod tests {
    use super::*;
    use crate::spec::{Conv, Dense, Dropout, InputShape, StudyFile};

    fn edited(before: Vec<Layer>, after: &[Layer]) -> Vec<Layer> {
        let spec = Spec::new(StudyFile::new("a", before), InputShape::MNIST).unwrap();
        let edits = edits_between(&spec, after);
        Edit::apply_all(&edits, &spec).unwrap().layers().to_vec()
    }

    #[test]
    fn wider_and_deeper_layers_are_reached() {
        let conv = |filters| Layer::Conv(Conv::same(filters, 3));
        let dense = |units| Layer::Dense(Dense::of(units));
        let pool = Layer::MaxPool(Pool::of(2));
        let dropout = Layer::Dropout(Dropout { rate: 0.5 });
        let before = vec![conv(4), pool.clone(), dense(8)];
        for after in [
            before.clone(),
            vec![conv(6), pool.clone(), dense(8)],
            vec![conv(4), pool.clone(), dense(4)],
            vec![conv(4), pool.clone(), dense(8), dense(8)],
            vec![conv(4), pool.clone(), dropout.clone(), dense(8)],
            vec![conv(4), pool.clone(), conv(5), pool.clone(), dense(8)],
        ] {
            assert_eq!(edited(before.clone(), &after), after);
            assert_eq!(edited(after.clone(), &after), after);
        }
        let with = vec![conv(4), pool.clone(), dropout, dense(8)];
        assert_eq!(edited(with, &before), before);
    }

    #[test]
    fn what_cannot_be_reached_ends_without_an_endless_search() {
        let before = vec![Layer::Dense(Dense::of(8))];
        assert_eq!(edited(before.clone(), &[]), before);
        let after = [Layer::GlobalAvgPool {}, Layer::Dense(Dense::of(8))];
        edited(before, &after);
    }
}
