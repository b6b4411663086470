//! What a call means for somebody who wants to train: a layer, a whole model, a training, a data set. One file
//! a library; what a library offers besides (splits, scalers, metrics, plots) means nothing here.

mod data;
mod gpu;
mod jax;
mod keras;
mod python;
mod r;
mod rust;
mod sklearn;
mod tensorflow;
mod torch;
mod torch_models;

use serde::{Deserialize, Serialize};

use super::source::facts::Call;

pub use data::Datum;
pub use gpu::{GpuSign, gpu_sign};

/// A library that trains models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framework {
    /// burgeon's own studies.
    Burgeon,
    /// Keras, by itself or in TensorFlow.
    Keras,
    /// TensorFlow without Keras.
    Tensorflow,
    /// PyTorch, also by Lightning, fastai and Hugging Face's transformers.
    Pytorch,
    /// JAX, also by Flax, Haiku and Equinox.
    Jax,
    /// scikit-learn.
    ScikitLearn,
    /// XGBoost.
    Xgboost,
    /// LightGBM.
    Lightgbm,
    /// CatBoost.
    Catboost,
    /// burn, in Rust.
    Burn,
    /// R, with its packages.
    R,
}

/// A kind of model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Convolutions.
    Cnn,
    /// Dense layers only.
    Mlp,
    /// LSTM, GRU and simple recurrence.
    Recurrent,
    /// Attention over sequences.
    Transformer,
    /// Convolutions over graphs.
    Graph,
    /// Trees, forests and boosted trees.
    Trees,
    /// Linear and logistic regression, linear support vectors, one dense layer.
    Linear,
    /// Support vectors and other methods with kernels.
    Kernel,
    /// Nearest neighbours.
    Neighbours,
    /// Naive Bayes and mixtures.
    Bayes,
    /// Clusters.
    Clustering,
}

/// What a layer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A convolution, or a pool.
    Convolution,
    /// A dense layer.
    Dense,
    /// A recurrent layer or cell.
    Recurrent,
    /// Attention with several heads, or a whole transformer block.
    Transformer,
    /// Layer normalization, which with an own class for attention makes a transformer.
    LayerNorm,
    /// A convolution over a graph.
    Graph,
    /// An activation between layers.
    Activation,
    /// Any other layer.
    Other,
}

/// What a call means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A layer is made.
    Layer(Framework, Part),
    /// A whole model is made.
    Model(Framework, Family),
    /// A model is set up whose kind follows from its layers.
    Builds(Framework),
    /// A training.
    Trains(Framework),
    /// A model is used that was trained before.
    Uses(Framework),
    /// Data are named.
    Data(Datum),
}

impl Framework {
    /// The name for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Burgeon => "burgeon",
            Self::Keras => "Keras",
            Self::Tensorflow => "TensorFlow",
            Self::Pytorch => "PyTorch",
            Self::Jax => "JAX",
            Self::ScikitLearn => "scikit-learn",
            Self::Xgboost => "XGBoost",
            Self::Lightgbm => "LightGBM",
            Self::Catboost => "CatBoost",
            Self::Burn => "burn",
            Self::R => "R",
        }
    }

    /// Whether models are put together of layers.
    pub fn is_deep(self) -> bool {
        !matches!(self, Self::ScikitLearn | Self::Xgboost | Self::Lightgbm | Self::Catboost)
    }
}

impl Family {
    /// The name for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Cnn => "CNN",
            Self::Mlp => "MLP",
            Self::Recurrent => "recurrent network",
            Self::Transformer => "transformer",
            Self::Graph => "graph network",
            Self::Trees => "trees",
            Self::Linear => "linear model",
            Self::Kernel => "kernel method",
            Self::Neighbours => "nearest neighbours",
            Self::Bayes => "Bayes",
            Self::Clustering => "clustering",
        }
    }

    /// One model of it, for people.
    pub fn one(self) -> String {
        match self {
            Self::Mlp => "an MLP".into(),
            Self::Trees | Self::Neighbours | Self::Clustering => {
                format!("a model of {}", self.words())
            }
            Self::Bayes => "a Bayes model".into(),
            _ => format!("a {}", self.words()),
        }
    }
}

/// Everything that a call means.
pub fn meanings(call: &Call) -> Vec<Meaning> {
    let mut found = match call.path.split_once(':') {
        Some(("r", name)) => r::meanings(name, call),
        Some(("rust", name)) => rust::meanings(name),
        _ => python::meanings(call),
    };
    found.extend(data::named(call).map(Meaning::Data));
    found
}

/// Methods that train an object that is made elsewhere.
pub const METHODS: [&str; 7] =
    ["fit", "fit_generator", "train_on_batch", "backward", "minimize", "apply_gradients", "train"];

/// Whether a call says anything that is wanted, so that it is kept.
pub fn tells(call: &Call) -> bool {
    call.path.strip_prefix('.').is_some_and(|method| METHODS.contains(&method))
        || gpu_sign(call).is_some()
        || library(&call.path).is_some()
        || !meanings(call).is_empty()
}

/// Whether a full name means something when it is called.
pub fn knows(path: &str) -> bool {
    let call = Call {
        path: path.to_owned(),
        on: None,
        args: Vec::new(),
        line: 0,
        scope: 0,
        in_loop: false,
        saw: String::new(),
    };
    !meanings(&call).is_empty()
}

/// A library by the first part of a full name, for the list of what a program uses.
pub fn library(path: &str) -> Option<&'static str> {
    const LIBRARIES: [&str; 26] = [
        "keras",
        "tensorflow",
        "torch",
        "torchvision",
        "lightning",
        "fastai",
        "transformers",
        "timm",
        "sklearn",
        "xgboost",
        "lightgbm",
        "catboost",
        "jax",
        "flax",
        "haiku",
        "equinox",
        "optax",
        "torch_geometric",
        "tflearn",
        "tensorflow_hub",
        "tensorflow_datasets",
        "keras_tuner",
        "ignite",
        "skorch",
        "torchtext",
        "torchaudio",
    ];
    let root = path.split('.').next()?;
    LIBRARIES.into_iter().find(|library| *library == root)
}
