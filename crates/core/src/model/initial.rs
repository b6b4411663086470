//! Initial weights, drawn on the CPU so that they have the same bits on every device.

use super::arrays::{ExpectedArray, expected_arrays};
use super::weights::{WeightArray, Weights};
use crate::spec::{Layer, Spec};
use crate::sys::{CounterRng, Purpose, counter_seed};

impl Weights {
    /// Fresh weights for the spec's network.
    ///
    /// Conv and dense weights are uniform within ±√(6 / (fan in + fan out)) (Glorot and Bengio
    /// 2010), also before rectifiers: with He's wider bounds (2015) shallow networks learn more slowly,
    /// because the weights of a first layer with few channels are several times too large. Biases are the
    /// layer's `initial-bias`. Each array has its own random stream, so that adding a layer does not change
    /// the numbers of the others.
    pub fn initial(spec: &Spec, trial: u32) -> Self {
        let mut weights = Self::default();
        for ExpectedArray { name, shape, layer, .. } in expected_arrays(spec) {
            let array = match name.rsplit_once('.') {
                Some((_, "weight")) => {
                    let bound = bound(&shape, layer);
                    uniform(shape, bound, stream(spec.train().seed, trial, &name))
                }
                Some((_, "bias")) => WeightArray::filled(shape, initial_bias(layer)),
                Some((_, "gamma" | "running-variance")) => WeightArray::filled(shape, 1.0),
                _ => WeightArray::filled(shape, 0.0),
            };
            weights.insert(name, array);
        }
        weights
    }
}

fn initial_bias(layer: Option<&Layer>) -> f32 {
    match layer {
        Some(Layer::Conv(conv)) => conv.initial_bias as f32,
        Some(Layer::Dense(dense)) => dense.initial_bias as f32,
        _ => 0.0,
    }
}

/// The bound for an array of this shape. In a grouped convolution, an input reaches only the filters of its
/// group.
fn bound(shape: &[usize], layer: Option<&Layer>) -> f32 {
    let groups = match layer {
        Some(Layer::Conv(conv)) => conv.groups,
        _ => 1,
    };
    let (fan_in, fan_out) = match *shape {
        [filters, channels, height, width] => {
            (channels * height * width, filters / groups * height * width)
        }
        [inputs, units] => (inputs, units),
        _ => (1, 1),
    };
    (6.0 / (fan_in + fan_out) as f32).sqrt()
}

fn stream(seed: u64, trial: u32, name: &str) -> CounterRng {
    // FNV-1a of the name, so that the stream does not depend on other layers.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    CounterRng::new(counter_seed(seed, u64::from(trial), Purpose::InitialWeights, 0, hash))
}

fn uniform(shape: Vec<usize>, bound: f32, mut rng: CounterRng) -> WeightArray {
    let len: usize = shape.iter().product();
    let values = (0..len).map(|_| rng.uniform(-bound, bound)).collect();
    WeightArray { shape, values }
}
