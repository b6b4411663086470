//! Tests of `model::import`.

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
        let smallest =
            if dtype == Dtype::F16 { 2.0_f32.powi(-24) } else { f32::from_bits(1 << 16) };
        assert_eq!(values[2], smallest);
    }
    let error = import_pytorch(&spec, b"no safetensors").unwrap_err().to_string();
    assert!(error.contains("safetensors"), "{error}");
    let nan: Vec<u8> = [f32::NAN; 3].iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![3, 1], &nan).unwrap();
    let packed = safetensors::serialize([("fc.weight", view)], None).unwrap();
    let error = import_pytorch(&spec, &packed).unwrap_err().to_string();
    assert!(error.contains("`fc.weight` has numbers that are not finite"), "{error}");
    let large: Vec<u8> = [1e39_f64; 3].iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F64, vec![3, 1], &large).unwrap();
    let packed = safetensors::serialize([("fc.weight", view)], None).unwrap();
    let error = import_pytorch(&spec, &packed).unwrap_err().to_string();
    assert!(error.contains("`fc.weight` has numbers that are not finite as 32-bit"), "{error}");
}

#[test]
fn variances_that_are_negative_are_refused_by_name() {
    let spec = spec("\"batch-norm\", \"global-avg-pool\"");
    let refusal = |variance: f32| {
        let one = |value: f32| value.to_le_bytes();
        let (ones, variance) = (one(1.0), one(variance));
        let view = |bytes| TensorView::new(Dtype::F32, vec![1], bytes).unwrap();
        let arrays = [
            ("bn.weight", view(&ones)),
            ("bn.bias", view(&ones)),
            ("bn.running_mean", view(&ones)),
            ("bn.running_var", view(&variance)),
        ];
        let packed = safetensors::serialize(arrays, None).unwrap();
        import_pytorch(&spec, &packed).err().map(|error| error.to_string())
    };
    assert_eq!((refusal(1.0), refusal(0.0)), (None, None));
    let error = refusal(-1e-6).unwrap();
    assert!(error.contains("`bn.running_var` has negative numbers"), "{error}");
    let error = refusal(f32::NEG_INFINITY).unwrap();
    assert!(error.contains("`bn.running_var` has numbers that are not finite"), "{error}");
}
