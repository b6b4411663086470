//! Tests of `model::residual`.

use burn::tensor::{Device, Tensor, TensorData};

use crate::model::{Mode, Network, WeightArray, Weights};
use crate::spec::{InputShape, Spec, StudyDocument};

const INPUT: InputShape = InputShape { channels: 1, height: 4, width: 4, classes: 2 };

fn spec(block: &str) -> Spec {
    let text = format!("[model]\nlayers = [{{ residual = {{ {block} }} }}, \"global-avg-pool\"]\n");
    StudyDocument::new("block.toml", text).validate(INPUT).unwrap()
}

fn set(weights: &mut Weights, name: &str, values: &[f32]) {
    let shape = weights.get(name).unwrap().shape.clone();
    weights.insert(name, WeightArray { shape, values: values.to_vec() });
}

/// The block's mean for an image of this one value: the head tells it.
fn mean(spec: &Spec, weights: &mut Weights, value: f32, channels: usize) -> f32 {
    let mut head = vec![0.0; 2 * channels];
    head[0] = 1.0;
    set(weights, "head.weight", &head);
    let images = TensorData::new(vec![value; 16], [1, 1, 4, 4]);
    let device = Device::flex();
    let network = Network::new(spec, weights, &device).unwrap();
    let logits = network.forward(Tensor::from_data(images, &device), Mode::Evaluate);
    logits.into_data().try_to_vec::<f32>().unwrap()[0]
}

#[test]
fn a_block_adds_its_input_and_activates_the_sum() {
    let layers = "layers = [{ conv = { filters = 1, kernel = 1, activation = \"none\" } }]";
    let of = |activation: &str, weight: f32, value: f32| {
        let spec = spec(&format!("{layers}, activation = \"{activation}\""));
        let mut weights = Weights::initial(&spec, 1);
        set(&mut weights, "layers.0.residual.0.weight", &[weight]);
        mean(&spec, &mut weights, value, 1)
    };
    assert_eq!(of("none", 2.0, 3.0), 9.0);
    assert_eq!(of("none", -2.0, 3.0), -3.0);
    assert_eq!(of("relu", -2.0, 3.0), 0.0);
}

#[test]
fn a_projection_has_the_stride_and_the_batch_norm_of_its_block() {
    let spec = spec(
        "layers = [{ conv = { filters = 2, kernel = 3, stride = 2, activation = \"none\" } }, \
             { batch-norm = { epsilon = 1e-9 } }]",
    );
    let mut weights = Weights::initial(&spec, 1);
    // Nothing of the branch, so that the shortcut alone is seen: (5 · 3 + 1 − 2) / √4 · 3 + 0.5.
    set(&mut weights, "layers.0.residual.1.gamma", &[0.0, 0.0]);
    set(&mut weights, "layers.0.projection.weight", &[5.0, 7.0]);
    set(&mut weights, "layers.0.projection.bias", &[1.0, 0.0]);
    set(&mut weights, "layers.0.projection.running-mean", &[2.0, 0.0]);
    set(&mut weights, "layers.0.projection.running-variance", &[4.0, 1.0]);
    set(&mut weights, "layers.0.projection.gamma", &[3.0, 1.0]);
    set(&mut weights, "layers.0.projection.beta", &[0.5, 0.0]);
    let found = mean(&spec, &mut weights, 3.0, 2);
    assert!((found - 21.5).abs() < 1e-5, "{found}");
}
