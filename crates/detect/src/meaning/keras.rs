//! Keras: layers under whichever module of whichever version, models, applications.

use super::{Family, Framework, Meaning, Part};
use crate::source::facts::{Call, Value, last};

const KERAS: Framework = Framework::Keras;

/// What a call of a full name that begins with `keras` means.
pub fn meanings(call: &Call) -> Vec<Meaning> {
    let path = call.path.as_str();
    let parts: Vec<&str> = path.split('.').collect();
    let name = last(path);
    match parts.as_slice() {
        ["keras_nlp" | "keras_hub" | "keras_bert", ..]
            if is_class(name) || name.contains("load") =>
        {
            vec![Meaning::Model(KERAS, Family::Transformer)]
        }
        ["vit_keras", ..] => vec![Meaning::Model(KERAS, Family::Transformer)],
        ["keras_self_attention", ..] => vec![Meaning::Layer(KERAS, Part::Other)],
        ["tcn", ..] if name == "TCN" => vec![Meaning::Layer(KERAS, Part::Convolution)],
        [
            "efficientnet"
            | "segmentation_models"
            | "classification_models"
            | "keras_resnet"
            | "keras_unet",
            ..,
        ]
        | ["keras_cv" | "keras_contrib", "applications" | "models", ..] => match is_class(name) {
            true => vec![Meaning::Model(KERAS, Family::Cnn)],
            false => Vec::new(),
        },
        ["autokeras", ..] if name.contains("Image") => vec![Meaning::Model(KERAS, Family::Cnn)],
        ["autokeras", ..] if name.contains("Structured") => {
            vec![Meaning::Model(KERAS, Family::Mlp)]
        }
        [_, "applications", ..] => application(name),
        // An activation by its name in `keras.layers`, and none in `keras.activations`, is a layer.
        [.., "layers", _] | [_, "layers", ..] => layer(call, name),
        [_, "models" | "engine", .., "load_model" | "model_from_json" | "model_from_yaml"] => {
            vec![Meaning::Uses(KERAS)]
        }
        [_, "wrappers", .., "KerasClassifier" | "KerasRegressor"] | ["scikeras", ..] => {
            vec![Meaning::Builds(KERAS)]
        }
        [.., "Sequential" | "Model" | "Graph" | "Functional"] => vec![Meaning::Builds(KERAS)],
        [_, "optimizers", ..] if OPTIMIZERS.contains(&name) => vec![Meaning::Builds(KERAS)],
        _ => Vec::new(),
    }
}

const OPTIMIZERS: [&str; 12] = [
    "SGD",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "Adamax",
    "Nadam",
    "Ftrl",
    "Lion",
    "Lamb",
    "Adafactor",
];

fn is_class(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

/// `keras.applications.VGG16`, `keras.applications.vgg16.VGG16`, or some application by a computed name.
fn application(name: &str) -> Vec<Meaning> {
    let is_model = is_class(name) || name == "*";
    is_model.then_some(Meaning::Model(KERAS, Family::Cnn)).into_iter().collect()
}

fn layer(call: &Call, name: &str) -> Vec<Meaning> {
    let mut found = vec![];
    if let Some(part) = part(name) {
        found.push(Meaning::Layer(KERAS, part));
        let activation = call.named("activation").into_iter().flat_map(Value::texts);
        let bends = |name: &String| !["linear", "softmax", "sigmoid"].contains(&name.as_str());
        if part == Part::Dense && activation.into_iter().any(bends) {
            found.push(Meaning::Layer(KERAS, Part::Activation));
        }
        if name == "Activation"
            && call.arg(0, &["activation"]).is_some_and(|it| it.texts().iter().any(bends))
        {
            found.push(Meaning::Layer(KERAS, Part::Activation));
        }
    }
    found
}

/// What a layer of this class is made of.
fn part(name: &str) -> Option<Part> {
    Some(match name {
        "Dense" | "MaxoutDense" | "TimeDistributedDense" | "Highway" => Part::Dense,
        "LSTM" | "GRU" | "SimpleRNN" | "RNN" | "CuDNNLSTM" | "CuDNNGRU" | "LSTMCell"
        | "GRUCell" | "SimpleRNNCell" | "StackedRNNCells" | "Bidirectional" | "ConvLSTM2D"
        | "ConvLSTM1D" | "ConvLSTM3D" | "JZS1" => Part::Recurrent,
        "MultiHeadAttention"
        | "GroupedQueryAttention"
        | "GroupQueryAttention"
        | "TransformerEncoder"
        | "TransformerDecoder"
        | "TransformerBlock" => Part::Transformer,
        "LayerNormalization" => Part::LayerNorm,
        "ReLU" | "LeakyReLU" | "PReLU" | "ELU" | "ThresholdedReLU" => Part::Activation,
        name if name.contains("Conv") => Part::Convolution,
        name if name.contains("Pool") => Part::Other,
        name if is_class(name) => Part::Other,
        _ => return None,
    })
}
