//! Whole models on PyTorch: torchvision, timm, transformers, fastai and others.

use super::{Family, Framework, Meaning};
use crate::source::facts::{Call, last};

const TORCH: Framework = Framework::Pytorch;

/// What a call of a library of models means.
pub fn meanings(call: &Call) -> Vec<Meaning> {
    let path = call.path.as_str();
    let name = last(path);
    let parts: Vec<&str> = path.split('.').collect();
    let model = |family| vec![Meaning::Model(TORCH, family)];
    match parts.as_slice() {
        ["torchvision", "models", .., "get_model"] | ["timm", .., "create_model"] => {
            let name = call.arg(0, &["model_name", "name"]).map(|value| value.texts().concat());
            vec![by_name(&name.unwrap_or_default(), true)]
        }
        ["torchvision", "models", .., "*"] => model(Family::Cnn),
        ["torchvision", "models", ..]
            if !name.ends_with("_Weights") && !name.starts_with("get_") =>
        {
            vec![by_name(name, true)]
        }
        ["transformers", ..] => match pretrained(path) {
            Some(model) => vec![model],
            None => transformers(name),
        },
        ["sentence_transformers", ..]
            if name == "SentenceTransformer" || name == "CrossEncoder" =>
        {
            model(Family::Transformer)
        }
        ["simpletransformers", ..] if name.ends_with("Model") => {
            vec![Meaning::Model(TORCH, Family::Transformer), Meaning::Trains(TORCH)]
        }
        ["peft", .., "get_peft_model"] => model(Family::Transformer),
        ["trl", ..] if name.ends_with("Trainer") => {
            vec![Meaning::Model(TORCH, Family::Transformer), Meaning::Trains(TORCH)]
        }
        ["vit_pytorch" | "x_transformers", ..] if is_class(name) => model(Family::Transformer),
        ["fastai", ..] => fastai(name),
        ["ultralytics", .., "YOLO"] => model(Family::Cnn),
        ["efficientnet_pytorch" | "segmentation_models_pytorch" | "cnn_finetune", ..]
            if is_class(name)
                || name.starts_with("make_model")
                || name.starts_with("create_model")
                || name == "from_pretrained"
                || name == "from_name" =>
        {
            model(Family::Cnn)
        }
        ["pretrainedmodels", ..] => model(Family::Cnn),
        ["monai", "networks", "nets", ..] => model(Family::Cnn),
        ["detectron2", .., "DefaultTrainer"] => {
            vec![Meaning::Model(TORCH, Family::Cnn), Meaning::Trains(TORCH)]
        }
        _ => Vec::new(),
    }
}

/// A model by its name in one of the zoos, most of which hold networks of convolutions.
pub fn by_name(name: &str, is_vision: bool) -> Meaning {
    let name = name.to_lowercase();
    let attends =
        ["vit", "swin", "deit", "beit", "maxvit", "bert", "gpt", "roberta", "cait", "xcit"];
    let is_transformer = attends.iter().any(|word| name.contains(word));
    match (is_transformer, is_vision || name.contains("net")) {
        (true, _) => Meaning::Model(TORCH, Family::Transformer),
        (false, true) => Meaning::Model(TORCH, Family::Cnn),
        (false, false) => Meaning::Builds(TORCH),
    }
}

fn is_class(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

fn transformers(name: &str) -> Vec<Meaning> {
    if name == "Trainer" || name == "Seq2SeqTrainer" {
        return vec![Meaning::Trains(TORCH), Meaning::Model(TORCH, Family::Transformer)];
    }
    if name == "pipeline" {
        return vec![Meaning::Uses(TORCH)];
    }
    Vec::new()
}

/// `transformers.BertForSequenceClassification.from_pretrained(…)`, or the class itself being called.
fn pretrained(path: &str) -> Option<Meaning> {
    let rest = path.strip_prefix("transformers.")?;
    let rest = rest
        .strip_suffix(".from_pretrained")
        .or_else(|| rest.strip_suffix(".from_config"))
        .unwrap_or(rest);
    let class = last(rest);
    let is_model =
        class.contains("For") || class.ends_with("Model") || class.ends_with("LMHeadModel");
    let framework = match class {
        _ if !is_model || !is_class(class) => return None,
        _ if class.starts_with("TF") => Framework::Keras,
        _ if class.starts_with("Flax") => Framework::Jax,
        _ => TORCH,
    };
    let is_cnn = ["ResNet", "ConvNext", "MobileNet", "EfficientNet", "RegNet"]
        .iter()
        .any(|word| class.contains(word));
    Some(Meaning::Model(framework, if is_cnn { Family::Cnn } else { Family::Transformer }))
}

fn fastai(name: &str) -> Vec<Meaning> {
    let family = match name {
        "vision_learner" | "cnn_learner" | "create_cnn" | "unet_learner" | "ConvLearner" => {
            Family::Cnn
        }
        "text_classifier_learner" | "language_model_learner" | "RNNLearner" => Family::Recurrent,
        "tabular_learner" | "collab_learner" | "TabularLearner" => Family::Mlp,
        "Learner" => return vec![Meaning::Trains(TORCH)],
        _ => return Vec::new(),
    };
    vec![Meaning::Model(TORCH, family), Meaning::Trains(TORCH)]
}
