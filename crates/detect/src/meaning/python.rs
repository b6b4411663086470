//! Which Python library a call belongs to.

use super::{Framework, Meaning, jax, keras, sklearn, tensorflow, torch, torch_models};
use crate::source::facts::Call;

/// What a call in Python means.
pub fn meanings(call: &Call) -> Vec<Meaning> {
    let path = call.path.as_str();
    if let Some(method) = path.strip_prefix('.') {
        return method_of(call, method);
    }
    let root = path.split('.').next().unwrap_or_default();
    match root {
        "keras"
        | "keras_contrib"
        | "keras_cv"
        | "keras_nlp"
        | "keras_hub"
        | "keras_tuner"
        | "kerastuner"
        | "efficientnet"
        | "segmentation_models"
        | "classification_models"
        | "keras_resnet"
        | "keras_preprocessing"
        | "keras_self_attention"
        | "keras_bert"
        | "keras_unet"
        | "vit_keras"
        | "autokeras"
        | "tcn"
        | "scikeras" => keras::meanings(call),
        "tensorflow"
        | "tflearn"
        | "tf_slim"
        | "tensorflow_hub"
        | "tensorflow_decision_forests"
        | "sonnet"
        | "tensorlayer" => tensorflow::meanings(call),
        "torch" | "torch_geometric" | "dgl" | "lightning" | "ignite" | "accelerate" | "skorch" => {
            torch::meanings(call)
        }
        "torchvision"
        | "timm"
        | "transformers"
        | "fastai"
        | "efficientnet_pytorch"
        | "pretrainedmodels"
        | "segmentation_models_pytorch"
        | "ultralytics"
        | "sentence_transformers"
        | "simpletransformers"
        | "peft"
        | "trl"
        | "detectron2"
        | "monai"
        | "vit_pytorch"
        | "x_transformers"
        | "cnn_finetune" => torch_models::meanings(call),
        "jax" | "flax" | "haiku" | "equinox" | "optax" | "stax" | "objax" | "trax" => {
            jax::meanings(call)
        }
        "sklearn" | "xgboost" | "lightgbm" | "catboost" | "imblearn" | "sklearn_extra"
        | "ngboost" => sklearn::meanings(call),
        _ => Vec::new(),
    }
}

/// A method of an object whose kind is known or not.
fn method_of(call: &Call, method: &str) -> Vec<Meaning> {
    let on = call.on.as_deref().unwrap_or_default();
    let trains = match (on.split('.').next().unwrap_or_default(), method) {
        (
            "keras" | "keras_tuner" | "kerastuner" | "autokeras",
            "fit" | "fit_generator" | "train_on_batch" | "search",
        ) => Framework::Keras,
        (
            "lightning" | "transformers" | "fastai" | "ultralytics",
            "fit" | "train" | "fit_one_cycle" | "fine_tune",
        ) => Framework::Pytorch,
        _ => return Vec::new(),
    };
    vec![Meaning::Trains(trains)]
}
