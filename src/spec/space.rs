//! `[tune.space]`: what the policies `random`, `tpe` and `asha` choose from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::Activation;

/// `[tune.space]` of a study file: lists of values to choose from, each independently. A trial's
/// network has conv layers with 2×2 max-pools between them, then hidden dense layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SearchSpace {
    /// Number of conv layers.
    pub convs: Vec<usize>,
    /// Filters of each conv layer.
    pub filters: Vec<usize>,
    /// Side of each conv layer's kernel.
    pub kernel: Vec<usize>,
    /// Number of hidden dense layers.
    pub dense_layers: Vec<usize>,
    /// Units of each hidden dense layer.
    pub units: Vec<usize>,
    /// Activation of all layers.
    pub activation: Vec<Activation>,
    /// Dropout before the classifier; 0 for none.
    pub dropout: Vec<f64>,
    /// Lowest and highest learning rate; drawn uniformly on a logarithmic scale.
    pub learning_rate: [f64; 2],
    /// Images per step.
    pub batch_size: Vec<usize>,
    /// The rule that turns gradients into weight updates.
    pub optimizer: Vec<OptimizerName>,
    /// Passes over the training images; `asha` goes from the fewest to the most.
    pub epochs: Vec<usize>,
}

impl Default for SearchSpace {
    fn default() -> Self {
        Self {
            convs: vec![0, 1, 2, 3],
            filters: vec![4, 8, 16, 32],
            kernel: vec![3, 5],
            dense_layers: vec![0, 1, 2],
            units: vec![16, 32, 64, 128, 256],
            activation: vec![Activation::Relu],
            dropout: vec![0.0],
            learning_rate: [1e-5, 1.0],
            batch_size: vec![32, 64, 128, 256, 512],
            optimizer: vec![OptimizerName::Sgd, OptimizerName::Adam],
            epochs: vec![1, 2, 3, 4, 5],
        }
    }
}

impl SearchSpace {
    /// Whether this is the default space.
    pub fn is_default_space(&self) -> bool {
        *self == Self::default()
    }
}

/// An optimizer with its default parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerName {
    /// Stochastic gradient descent with a momentum of 0.9.
    Sgd,
    /// Adam.
    Adam,
    /// AdamW.
    AdamW,
}
