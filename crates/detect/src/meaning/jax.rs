//! JAX by itself, and Flax, Haiku, Equinox, stax.

use super::{Framework, Meaning, Part};
use crate::source::facts::{Call, last};

const JAX: Framework = Framework::Jax;

/// What a call of JAX, or of a library on it, means.
pub fn meanings(call: &Call) -> Vec<Meaning> {
    let path = call.path.as_str();
    let name = last(path);
    let parts: Vec<&str> = path.split('.').collect();
    let layer = |part| vec![Meaning::Layer(JAX, part)];
    match parts.as_slice() {
        ["flax", .., "TrainState" | "create"] => vec![Meaning::Trains(JAX)],
        ["flax", "linen" | "nnx" | "nn" | "experimental", ..]
        | ["haiku", ..]
        | ["equinox", "nn", ..]
        | ["objax" | "trax", ..] => module(name),
        [.., "stax", _] => module(name),
        ["jax", "grad" | "value_and_grad"]
        | ["equinox", "filter_grad" | "filter_value_and_grad"] => vec![Meaning::Trains(JAX)],
        ["optax", ..] => vec![Meaning::Builds(JAX)],
        ["jax", "lax", name] if name.starts_with("conv") && *name != "convert_element_type" => {
            layer(Part::Convolution)
        }
        ["jax", "numpy", "dot" | "matmul"] => layer(Part::Dense),
        ["jax", "nn", "relu" | "tanh" | "gelu" | "elu" | "swish" | "silu" | "sigmoid"]
        | ["jax", "numpy", "tanh" | "maximum"] => layer(Part::Activation),
        _ => Vec::new(),
    }
}

fn module(name: &str) -> Vec<Meaning> {
    let part = match name {
        "value_and_grad" | "grad" => return vec![Meaning::Trains(JAX)],
        "Dense" | "DenseGeneral" | "Linear" | "MLP" => Part::Dense,
        "LayerNorm" | "RMSNorm" => Part::LayerNorm,
        "relu" | "tanh" | "gelu" | "elu" | "silu" | "swish" | "Relu" | "Tanh" | "Gelu" => {
            Part::Activation
        }
        name if ["LSTM", "GRU", "RNN"].iter().any(|word| name.contains(word)) => Part::Recurrent,
        name if name.contains("Attention") => Part::Transformer,
        name if name.contains("Conv") => Part::Convolution,
        "Sequential" | "Embed" | "BatchNorm" | "Dropout" | "Flatten" | "serial" | "Param" => {
            Part::Other
        }
        _ => return Vec::new(),
    };
    vec![Meaning::Layer(JAX, part)]
}
