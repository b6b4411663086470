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
use super::pytorch::torch_name;
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
mod tests {
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;
    use crate::data::Normalization;
    use crate::model::preparation::Subject;
    use crate::model::{PYTORCH_FILE, Preparation, to_pytorch};
    use crate::spec::{InputShape, StudyDocument};

    const INPUT: InputShape = InputShape { channels: 1, height: 8, width: 8, classes: 3 };
    const RESIDUAL: &str = "{ conv = { filters = 2, kernel = 3, activation = \"none\" } }, { batch-norm = { activation = \"relu\" } }, { residual = { layers = [{ conv = { filters = 4, kernel = 3, stride = 2, activation = \"none\" } }, \"batch-norm\"] } }, \"global-avg-pool\"";

    fn spec(layers: &str) -> Spec {
        let text = format!("[model]\nlayers = [{layers}]\n");
        StudyDocument::new("a.toml", text).validate(INPUT).unwrap()
    }

    /// A file of arrays with these names and shapes; the values count up.
    fn file(arrays: &[(&str, &[usize])]) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> = arrays
            .iter()
            .map(|(_, shape)| {
                let count: usize = shape.iter().product();
                (0..count).flat_map(|at| (at as f32 / 8.0).to_le_bytes()).collect()
            })
            .collect();
        let views = arrays.iter().zip(&bytes).map(|((name, shape), bytes)| {
            (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
        });
        safetensors::serialize(views, None).unwrap()
    }

    fn names(reasons: &[Reason]) -> Vec<&str> {
        reasons.iter().map(|reason| reason.name.as_str()).collect()
    }

    #[test]
    fn what_was_exported_comes_back_bit_for_bit_by_its_names() {
        let dense = "{ conv = { filters = 2, kernel = 3 } }, { dense = { units = 3 } }, { dense = { units = 3 } }";
        for layers in [RESIDUAL, dense] {
            let spec = spec(layers);
            let weights = Weights::initial(&spec, 7);
            let classes = vec!["a".into(), "b".into(), "c".into()];
            let norm = Normalization::of_all(0.5, 0.25);
            let preparation = Preparation::grey(INPUT, norm, classes, Subject::Whole);
            let exported = to_pytorch(&spec, &weights, &preparation, PYTORCH_FILE).unwrap();
            let (back, report) = import_pytorch(&spec, &exported.weights).unwrap();
            assert!(report.is_complete() && report.implied.is_empty(), "{report:?}");
            assert_eq!(back, weights);
        }
    }

    #[test]
    fn torchvisions_names_are_matched_in_order_and_implied_values_are_said() {
        let norm = |name: &str, channels: usize| -> Vec<(String, Vec<usize>)> {
            ["weight", "bias", "running_mean", "running_var"]
                .map(|field| (format!("{name}.{field}"), vec![channels]))
                .to_vec()
        };
        let mut arrays: Vec<(String, Vec<usize>)> = vec![
            ("conv1.weight".into(), vec![2, 1, 3, 3]),
            ("layer1.0.conv1.weight".into(), vec![4, 2, 3, 3]),
            ("layer1.0.downsample.0.weight".into(), vec![4, 2, 1, 1]),
            ("fc.weight".into(), vec![3, 4]),
            ("fc.bias".into(), vec![3]),
            ("bn1.num_batches_tracked".into(), vec![]),
        ];
        arrays.extend(norm("bn1", 2));
        arrays.extend(norm("layer1.0.downsample.1", 4));
        arrays.extend(norm("layer1.0.bn1", 4));
        let arrays: Vec<(&str, &[usize])> =
            arrays.iter().map(|(name, shape)| (name.as_str(), &shape[..])).collect();
        let (weights, report) = import_pytorch(&spec(RESIDUAL), &file(&arrays)).unwrap();
        assert!(report.is_complete(), "{report:?}");
        let to = |from: &str| {
            report.taken.iter().find(|taken| taken.from == from).map(|taken| taken.to.as_str())
        };
        assert_eq!(to("layer1.0.bn1.running_var"), Some("layers.2.residual.1.running-variance"));
        assert_eq!(to("layer1.0.downsample.1.weight"), Some("layers.2.projection.gamma"));
        assert_eq!(to("layer1.0.downsample.0.weight"), Some("layers.2.projection.weight"));
        assert_eq!(
            names(&report.implied),
            ["layers.0.bias", "layers.2.residual.0.bias", "layers.2.projection.bias"]
        );
        assert_eq!(names(&report.ignored), ["bn1.num_batches_tracked"]);
        assert_eq!(weights.get("layers.0.bias").unwrap().values, [0.0; 2]);
        // Input 0 of unit 1 is the fifth number of PyTorch's [3, 4].
        assert_eq!(weights.get("head.weight").unwrap().values[1], 4.0 / 8.0);
    }

    #[test]
    fn what_does_not_fit_is_listed_on_both_sides() {
        let spec = spec("{ conv = { filters = 2, kernel = 3 } }");
        let arrays: &[(&str, &[usize])] = &[
            ("conv1.weight", &[2, 1, 5, 5]),
            ("conv1.bias", &[2]),
            ("fc.weight", &[3, 128]),
            ("fc.bias", &[3]),
            ("fc.weight_g", &[3]),
            ("attention.in_proj_weight", &[9, 3]),
            ("loose", &[1]),
        ];
        let (_, report) = import_pytorch(&spec, &file(arrays)).unwrap();
        assert_eq!(names(&report.missing), ["layers.0.weight", "layers.0.bias"]);
        assert_eq!(report.missing[0].shape, [2, 1, 3, 3]);
        let mut unused = names(&report.unused);
        unused.sort_unstable();
        let expected =
            ["attention.in_proj_weight", "conv1.bias", "conv1.weight", "fc.weight_g", "loose"];
        assert_eq!(unused, expected);
        assert!(!report.is_complete());
    }

    #[test]
    fn half_precision_is_widened_exactly_and_hostile_files_are_refused() {
        let spec = spec("\"global-avg-pool\"");
        // 1, −2, the smallest subnormal of either, as PyTorch stores them.
        let halves: [(Dtype, [u16; 3]); 2] =
            [(Dtype::F16, [0x3c00, 0xc000, 0x0001]), (Dtype::BF16, [0x3f80, 0xc000, 0x0001])];
        for (dtype, bits) in halves {
            let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            let view = TensorView::new(dtype, vec![3, 1], &bytes).unwrap();
            let packed = safetensors::serialize([("fc.weight", view)], None).unwrap();
            let (weights, _) = import_pytorch(&spec, &packed).unwrap();
            let values = &weights.get("head.weight").unwrap().values;
            assert_eq!(values[..2], [1.0, -2.0]);
            let smallest = if dtype == Dtype::F16 { 2.0_f32.powi(-24) } else { 2.0_f32.powi(-133) };
            assert_eq!(values[2], smallest);
        }
        let error = import_pytorch(&spec, b"no safetensors").unwrap_err().to_string();
        assert!(error.contains("safetensors"), "{error}");
        let nan: Vec<u8> = [f32::NAN; 3].iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![3, 1], &nan).unwrap();
        let packed = safetensors::serialize([("fc.weight", view)], None).unwrap();
        let error = import_pytorch(&spec, &packed).unwrap_err().to_string();
        assert!(error.contains("`fc.weight` has numbers that are not finite"), "{error}");
    }
}
