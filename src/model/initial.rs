//! Initial weights, drawn on the host so that every device starts from the same bits.

use super::weights::{WeightArray, Weights, expected_shapes};
use crate::spec::{Activation, Layer, Spec};
use crate::sys::{CounterRng, Purpose, counter_seed};

impl Weights {
    /// Fresh weights for the spec's network.
    ///
    /// Conv and dense weights are uniform within ±√(6 / (fan in)) where a relu or one of its
    /// relatives follows (He et al. 2015), and within ±√(6 / (fan in + fan out)) where anything
    /// else does (Glorot and Bengio 2010); biases are the layer's `initial-bias`. Each array has a
    /// stream of its own, so that adding a layer leaves the others' numbers alone.
    pub fn initial(spec: &Spec, trial: u32) -> Self {
        let mut weights = Self::default();
        for (name, shape) in expected_shapes(spec) {
            let array = match name.rsplit_once('.') {
                Some((prefix, "weight")) => {
                    let bound = bound(&shape, layer_at(spec, prefix));
                    uniform(shape, bound, stream(spec.train().seed, trial, &name))
                }
                Some((prefix, "bias")) => {
                    WeightArray::filled(shape, initial_bias(layer_at(spec, prefix)))
                }
                Some((_, "gamma" | "running-variance")) => WeightArray::filled(shape, 1.0),
                _ => WeightArray::filled(shape, 0.0),
            };
            weights.insert(name, array);
        }
        weights
    }
}

fn layer_at<'a>(spec: &'a Spec, prefix: &str) -> Option<&'a Layer> {
    let index = prefix.strip_prefix("layers.")?.parse::<usize>().ok()?;
    spec.layers().get(index)
}

fn initial_bias(layer: Option<&Layer>) -> f32 {
    match layer {
        Some(Layer::Conv(conv)) => conv.initial_bias as f32,
        Some(Layer::Dense(dense)) => dense.initial_bias as f32,
        _ => 0.0,
    }
}

fn bound(shape: &[usize], layer: Option<&Layer>) -> f32 {
    let (fan_in, fan_out) = match *shape {
        [filters, channels, height, width] => (channels * height * width, filters * height * width),
        [inputs, units] => (inputs, units),
        _ => (1, 1),
    };
    let is_rectifier = matches!(
        layer.and_then(Layer::activation),
        Some(Activation::Relu | Activation::LeakyRelu | Activation::Gelu | Activation::Silu)
    );
    let fans = if is_rectifier { fan_in } else { fan_in + fan_out };
    (6.0 / fans as f32).sqrt()
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
