//! Imports weights that PyTorch saved: they are matched to the layers of a study by kind, shape and order.
//!
//! A convolution, a dense layer and a batch-norm are told apart by the arrays that a module of the file has.
//! The names only order the modules, as PyTorch's own examples and torchvision name them: `conv1`,
//! `layer1.0.conv1`, `layer2.0.downsample.0`, `fc`; `features.0`, `classifier.6`; `0`, `3`, `fc1`. A file with
//! the very names that burgeon exports is matched by them.

mod order;
mod report;
mod state_dict;

use std::collections::BTreeMap;

use self::order::order_key;
use self::state_dict::{Kind, Module, StateDict, slots};
use super::export::pytorch::torch_name;
use super::weights::{WeightArray, Weights};
use crate::spec::Spec;

pub use self::report::{ImportReport, Reason, Taken};
pub use self::state_dict::ImportError;

/// The weights of a spec's network, from a safetensors file of PyTorch. Arrays that are missing keep their
/// initial values, which only a caller that wants a part accepts.
///
/// # Errors
///
/// If the file cannot be read, or has numbers that are not finite.
pub fn import_pytorch(spec: &Spec, file: &[u8]) -> Result<(Weights, ImportReport), ImportError> {
    let StateDict { mut modules, ignored, strange } = StateDict::read(file)?;
    modules.sort_by_cached_key(|module| order_key(&module.name));
    let slots = slots(spec);
    let exact = |slot: &state_dict::Slot| {
        let name = torch_name(&format!("{}.{}", slot.prefix, slot.own_field("weight")));
        let name = name.rsplit_once('.').map_or("", |(module, _)| module).to_owned();
        modules.iter().position(|module| module.name == name && slot.takes(module))
    };
    // Only as a whole: the names of another network mean other layers.
    let by_name: Option<Vec<usize>> = slots.iter().map(exact).collect();
    let mut free: Vec<Option<Module>> = modules.into_iter().map(Some).collect();
    let mut weights = Weights::initial(spec, 1);
    let mut report = ImportReport { ignored, unused: strange, ..ImportReport::default() };
    for (at, slot) in slots.iter().enumerate() {
        let place = match &by_name {
            Some(places) => Some(places[at]),
            None => free
                .iter()
                .position(|module| module.as_ref().is_some_and(|module| slot.takes(module))),
        };
        match place.and_then(|place| free[place].take()) {
            Some(module) => take(slot, module, &mut weights, &mut report)?,
            None => {
                for (field, shape) in &slot.fields {
                    report.missing.push(Reason {
                        name: format!("{}.{field}", slot.prefix),
                        shape: slot.torch_shape(field, shape),
                        why: format!(
                            "no {} of this shape is left in the file for {}; it keeps its initial values",
                            slot.kind.words(),
                            slot.prefix
                        ),
                    });
                }
            }
        }
    }
    for module in free.into_iter().flatten() {
        let why = match module.kind {
            Some(kind) => {
                format!("no layer of the study is left for a {} of this shape", kind.words())
            }
            None => "no layer of burgeon has such arrays".into(),
        };
        for (field, array) in &module.fields {
            let (name, shape) = (module.full_name(field), array.shape.clone());
            report.unused.push(Reason { name, shape, why: why.clone() });
        }
    }
    Ok((weights, report))
}

/// Takes the arrays of a module over into the network's.
fn take(
    slot: &state_dict::Slot,
    mut module: Module,
    weights: &mut Weights,
    report: &mut ImportReport,
) -> Result<(), ImportError> {
    for (field, shape) in &slot.fields {
        let to = format!("{}.{field}", slot.prefix);
        let theirs = slot.torch_field(field);
        match module.fields.remove(theirs) {
            Some(array) => {
                let from = module.full_name(theirs);
                let values = array.values(&from)?;
                let taken = WeightArray { shape: array.shape.clone(), values };
                let ours = match slot.kind {
                    Kind::Dense if theirs == "weight" => transposed(&taken),
                    _ => taken,
                };
                weights.insert(to.clone(), ours);
                report.taken.push(Taken { from, to, shape: array.shape });
            }
            None => {
                // A layer without a bias adds 0, and a batch-norm without scale and shift has 1 and 0.
                let value = if theirs == "weight" { 1.0 } else { 0.0 };
                weights.insert(to.clone(), WeightArray::filled(shape.clone(), value));
                let why = format!("{} has no {theirs}, which is the same as {value}", module.name);
                report.implied.push(Reason { name: to, shape: shape.clone(), why });
            }
        }
    }
    let left = std::mem::take(&mut module.fields);
    let left: BTreeMap<_, _> = left.into_iter().collect();
    for (field, array) in left {
        report.unused.push(Reason {
            name: module.full_name(&field),
            shape: array.shape,
            why: format!("a {} of burgeon has no such array", slot.kind.words()),
        });
    }
    Ok(())
}

/// `[out, in]` → `[in, out]`.
fn transposed(array: &WeightArray) -> WeightArray {
    let [rows, columns] = array.shape[..] else {
        return array.clone();
    };
    let mut values = Vec::with_capacity(array.values.len());
    for column in 0..columns {
        values.extend((0..rows).map(|row| array.values[row * columns + column]));
    }
    WeightArray { shape: vec![columns, rows], values }
}

#[cfg(test)]
mod tests;
