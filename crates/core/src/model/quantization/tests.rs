//! Tests of `model::quantization`.

use burn::tensor::TensorData;

use super::*;
use crate::model::{Mode, read_values};
use crate::spec::{InputShape, StudyDocument};

const INPUT: InputShape = InputShape { channels: 1, height: 8, width: 8, classes: 3 };
const LAYERS: &str = "{ conv = { filters = 4, kernel = 3 } }, \"max-pool\", { residual = { layers = [{ conv = { filters = 6, kernel = 3, activation = \"none\" } }, \"batch-norm\"] } }, { dense = { units = 5 } }";

fn spec() -> Spec {
    let text = format!("[model]\nlayers = [{LAYERS}]\n");
    StudyDocument::new("a.toml", text).validate(INPUT).unwrap()
}

fn images(device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..128).map(|at| ((at * 37 % 64) as f32 - 20.0) / 30.0).collect();
    Tensor::from_data(TensorData::new(values, [2, 1, 8, 8]), device)
}

#[test]
fn every_layer_with_weights_is_quantized_and_the_logits_stay_near() {
    let (spec, device) = (spec(), Device::flex());
    let weights = Weights::initial(&spec, 3);
    let network = Network::new(&spec, &weights, &device).unwrap();
    let mut calibration = Calibration::default();
    calibration.see(&spec, &network, images(&device)).unwrap();
    let quantized = QuantizedNetwork::new(&spec, &weights, &calibration).unwrap();
    let names: Vec<&str> = quantized.layers.keys().map(String::as_str).collect();
    let all = ["head", "layers.0", "layers.2.projection", "layers.2.residual.0", "layers.3"];
    assert_eq!(names, all);
    let exact = read_values(network.forward(images(&device), Mode::Evaluate)).unwrap();
    let emulated = quantized.emulated(&spec, &weights, &device).unwrap();
    let near = read_values(emulated.forward(images(&device))).unwrap();
    let largest = exact.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let error = exact.iter().zip(&near).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(error > 0.0 && error < 0.05 * largest, "{error} of {largest}");
}

#[test]
fn a_tapped_pass_without_changes_is_the_network_itself() {
    let (spec, device) = (spec(), Device::flex());
    let network = Network::new(&spec, &Weights::initial(&spec, 3), &device).unwrap();
    let tapped = network.forward_tapped(&spec, images(&device), &mut Rounding(&BTreeMap::new()));
    let plain = network.forward(images(&device), Mode::Evaluate);
    assert_eq!(read_values(tapped).unwrap(), read_values(plain).unwrap());
}

#[test]
fn scales_of_nothing_are_usable_and_weights_are_off_by_half_a_step_at_most() {
    let none = InputScale::of([0.0, 0.0]);
    assert_eq!(none, InputScale { scale: 1.0, zero_point: 0 });
    assert_eq!(InputScale::of([0.0, f32::INFINITY]), none);
    assert_eq!(InputScale::of([-1.0, 3.0]).zero_point, 64);
    let values = vec![0.0, 0.3, 0.0, -6.4];
    let bias = WeightArray::filled(vec![2], 0.25);
    for (shape, largest) in [(vec![2, 2], [0.0, 6.4]), (vec![2, 2, 1, 1], [0.3, 6.4])] {
        let weight = WeightArray { shape, values: values.clone() };
        let layer = QuantizedLayer::new(InputScale::of([0.0, 25.5]), &weight, &bias);
        assert_eq!(layer.weight[3], -64);
        let by_axis = if layer.axis == 1 { [0, 1, 0, 1] } else { [0, 0, 1, 1] };
        for ((back, value), channel) in layer.values().values.iter().zip(&values).zip(by_axis) {
            let half = largest[channel] / 64.0 / 2.0;
            assert!((back - value).abs() <= half + 1e-6, "{back} for {value}");
        }
    }
}
