//! Initial weights, drawn on the host so that every device starts from the same bits.

use super::arrays::{ExpectedArray, expected_arrays};
use super::weights::{WeightArray, Weights};
use crate::spec::{Layer, Spec};
use crate::sys::{CounterRng, Purpose, counter_seed};

impl Weights {
    /// Fresh weights for the spec's network.
    ///
    /// Conv and dense weights are uniform within ±√(6 / (fan in + fan out)) (Glorot and Bengio
    /// 2010), also before rectifiers: on shallow networks He's wider bounds (2015) learn more
    /// slowly, because a first layer of few channels starts several times too large. Biases are
    /// the layer's `initial-bias`. Each array has a stream of its own, so that adding a layer
    /// leaves the others' numbers alone.
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

/// Of a convolution in groups, an input reaches only the filters of its group.
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
    // FNV-1a: the name decides the stream, whatever other layers there are.
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
