//! PyTorch: modules and functions, Lightning, geometric layers, what trains.

use super::{Framework, Meaning, Part};
use crate::source::facts::{Call, last};

const TORCH: Framework = Framework::Pytorch;

/// What a call of a full name that begins with `torch` means.
pub fn meanings(call: &Call) -> Vec<Meaning> {
    let path = call.path.as_str();
    let name = last(path);
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["torch", "nn", "functional", ..] => function(name),
        ["torch", "nn", "utils" | "init" | "parallel", ..] => Vec::new(),
        ["torch", "nn", ..] => module(name),
        ["torch", "optim", "lr_scheduler", ..] => Vec::new(),
        ["torch", "optim", ..] => vec![Meaning::Trains(TORCH)],
        ["torch", "relu" | "tanh"] => vec![Meaning::Layer(TORCH, Part::Activation)],
        ["torch", "hub", "load"] => hub(call),
        ["torch", "load"] | ["torch", "jit", "load"] => vec![Meaning::Uses(TORCH)],
        ["torch_geometric" | "dgl", ..] => graph(name),
        ["lightning", ..] if ["Trainer", "LightningCLI", "Fabric"].contains(&name) => {
            vec![Meaning::Trains(TORCH)]
        }
        ["ignite", ..] if name.starts_with("create_supervised_trainer") => {
            vec![Meaning::Trains(TORCH)]
        }
        ["accelerate", .., "Accelerator"] => vec![Meaning::Trains(TORCH)],
        ["skorch", ..] if name.starts_with("NeuralNet") => vec![Meaning::Trains(TORCH)],
        _ => Vec::new(),
    }
}

fn module(name: &str) -> Vec<Meaning> {
    let part = match name {
        "Linear" | "LazyLinear" | "Bilinear" => Part::Dense,
        "LSTM" | "GRU" | "RNN" | "LSTMCell" | "GRUCell" | "RNNCell" => Part::Recurrent,
        "MultiheadAttention" => Part::Transformer,
        "LayerNorm" | "RMSNorm" => Part::LayerNorm,
        "ReLU" | "Tanh" | "LeakyReLU" | "PReLU" | "ELU" | "GELU" | "SiLU" | "SELU" | "Sigmoid"
        | "ReLU6" | "Hardswish" => Part::Activation,
        "Sequential" | "ModuleList" | "ModuleDict" | "Embedding" | "EmbeddingBag" | "Flatten"
        | "Parameter" => Part::Other,
        name if name.starts_with("Transformer") => Part::Transformer,
        name if name.contains("Conv") => Part::Convolution,
        name if name.contains("Pool") || name.contains("Norm") || name.starts_with("Dropout") => {
            Part::Other
        }
        // A loss says that somebody trains or measures, and not what.
        name if name.ends_with("Loss") => return vec![Meaning::Builds(TORCH)],
        _ => return Vec::new(),
    };
    vec![Meaning::Layer(TORCH, part)]
}

fn function(name: &str) -> Vec<Meaning> {
    let part = match name {
        "linear" => Part::Dense,
        "multi_head_attention_forward" | "scaled_dot_product_attention" => Part::Transformer,
        "layer_norm" => Part::LayerNorm,
        "relu" | "tanh" | "leaky_relu" | "gelu" | "elu" | "selu" | "silu" | "relu_" => {
            Part::Activation
        }
        name if name.starts_with("conv") => Part::Convolution,
        name if name.ends_with("loss") || name == "cross_entropy" => {
            return vec![Meaning::Builds(TORCH)];
        }
        _ => return Vec::new(),
    };
    vec![Meaning::Layer(TORCH, part)]
}

fn graph(name: &str) -> Vec<Meaning> {
    let is_layer = name.ends_with("Conv")
        || matches!(name, "GCN" | "GAT" | "GIN" | "GraphSAGE" | "MessagePassing");
    is_layer.then_some(Meaning::Layer(TORCH, Part::Graph)).into_iter().collect()
}

/// `torch.hub.load("pytorch/vision", "resnet18")`.
fn hub(call: &Call) -> Vec<Meaning> {
    let name = call.arg(1, &["model"]).map(|value| value.texts().concat()).unwrap_or_default();
    let repository =
        call.arg(0, &["repo_or_dir"]).map(|value| value.texts().concat()).unwrap_or_default();
    vec![super::torch_models::by_name(
        &name,
        repository.contains("vision") || repository.contains("yolo"),
    )]
}
