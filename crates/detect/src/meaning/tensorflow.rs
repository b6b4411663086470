//! TensorFlow besides Keras: version 1's graphs, `tf.layers`, slim, estimators, and what stands on them.

use super::{Family, Framework, Meaning, Part};
use crate::source::facts::{Call, last};

const TF: Framework = Framework::Tensorflow;

/// What a call of a full name that begins with `tensorflow` means.
pub fn meanings(call: &Call) -> Vec<Meaning> {
    let path = call.path.as_str();
    let name = last(path);
    let parts: Vec<&str> = path.split('.').collect();
    let layer = |part| vec![Meaning::Layer(TF, part)];
    match parts.as_slice() {
        ["tensorflow_hub", ..] => hub(call),
        ["tensorflow_decision_forests", ..] if name.ends_with("Model") => {
            vec![Meaning::Model(TF, Family::Trees), Meaning::Trains(TF)]
        }
        ["tensorflow", "nn", "rnn_cell", ..]
        | ["tensorflow", "contrib", "rnn" | "cudnn_rnn", ..] => layer(Part::Recurrent),
        ["tensorflow", "estimator", ..] | ["tensorflow", "contrib", "learn", ..] => estimator(name),
        ["tensorflow", "nn", name] => match *name {
            "conv1d" | "conv2d" | "conv3d" | "depthwise_conv2d" | "conv2d_transpose"
            | "separable_conv2d" | "convolution" | "atrous_conv2d" => layer(Part::Convolution),
            "dynamic_rnn" | "static_rnn" | "rnn" | "bidirectional_dynamic_rnn" | "raw_rnn" => {
                layer(Part::Recurrent)
            }
            "xw_plus_b" => layer(Part::Dense),
            "relu" | "tanh" | "elu" | "relu6" | "leaky_relu" => layer(Part::Activation),
            _ => Vec::new(),
        },
        ["tensorflow", "matmul"] | ["tensorflow", "linalg", "matmul"] => layer(Part::Dense),
        ["tensorflow", "layers", ..]
        | ["tensorflow", "contrib", "layers" | "slim", ..]
        | ["tf_slim", ..]
        | ["tflearn", ..]
        | ["sonnet", ..]
        | ["tensorlayer", ..] => functional(&parts, name),
        ["tensorflow", "train", ..] if name.ends_with("Optimizer") => vec![Meaning::Trains(TF)],
        ["tensorflow", "GradientTape"] | ["tensorflow", "gradients"] => vec![Meaning::Trains(TF)],
        ["tensorflow", "Session" | "InteractiveSession"] => vec![Meaning::Uses(TF)],
        ["tensorflow", "saved_model", "load"] | ["tensorflow", "lite", ..] => {
            vec![Meaning::Uses(TF)]
        }
        _ => Vec::new(),
    }
}

fn functional(parts: &[&str], name: &str) -> Vec<Meaning> {
    let lower = name.to_lowercase();
    let part = match lower.as_str() {
        // What makes the values of a layer is none.
        "conv2d_in_plane" | "xavier_initializer_conv2d" => return Vec::new(),
        "dense" | "fully_connected" | "linear" | "mlp" | "denselayer" => Part::Dense,
        "lstm" | "gru" | "simple_rnn" | "bidirectional_rnn" | "lstmblockcell" | "vanillarnn" => {
            Part::Recurrent
        }
        "multiheadattention" => Part::Transformer,
        name if name.contains("conv")
            || name.contains("inception")
            || name.contains("resnet")
            || name.contains("vgg") =>
        {
            Part::Convolution
        }
        "dnn" | "trainer" if parts.first() == Some(&"tflearn") => return vec![Meaning::Trains(TF)],
        "regression" => return vec![Meaning::Trains(TF)],
        _ => return Vec::new(),
    };
    vec![Meaning::Layer(TF, part)]
}

fn estimator(name: &str) -> Vec<Meaning> {
    let family = match name {
        name if name.starts_with("DNN") => Family::Mlp,
        name if name.starts_with("Linear") || name.starts_with("Logistic") => Family::Linear,
        name if name.starts_with("BoostedTrees") || name.contains("Forest") => Family::Trees,
        name if name.starts_with("KMeans") => Family::Clustering,
        "Estimator" => return vec![Meaning::Trains(TF)],
        "train_and_evaluate" => return vec![Meaning::Trains(TF)],
        _ => return Vec::new(),
    };
    vec![Meaning::Model(TF, family), Meaning::Trains(TF)]
}

/// A model of TensorFlow Hub, by its address.
fn hub(call: &Call) -> Vec<Meaning> {
    let address = call.arg(0, &["handle"]).map(|value| value.texts().concat().to_lowercase());
    let address = address.unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| address.contains(word));
    if has(&["bert", "electra", "vit", "use-qa", "t5"]) {
        vec![Meaning::Model(Framework::Keras, Family::Transformer)]
    } else if has(&["imagenet", "mobilenet", "inception", "resnet", "efficientnet"]) {
        vec![Meaning::Model(Framework::Keras, Family::Cnn)]
    } else {
        vec![Meaning::Uses(TF)]
    }
}
