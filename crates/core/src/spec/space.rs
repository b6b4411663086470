//! `[tune.space]`: what the policies `random`, `tpe` and `asha` choose from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::Activation;
use super::train::Schedule;

/// `[tune.space]` of a study file: lists of values to choose from, each independently, unless said
/// otherwise. What is left out takes its default; the defaults span the networks of 3×3 convolutions that
/// do well on most images (`docs/growth-prior.md`), and ways to train them.
///
/// A trial's network has stages of conv layers, with a 2×2 max-pool after each while the feature map has
/// more than 8 pixels a side, then hidden dense layers. Of images of 96 pixels a side or more, the first
/// conv layer has a stride of 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SearchSpace {
    /// Number of stages of conv layers. Empty: as many as leave a feature map of at most 8 pixels a side,
    /// one less and one more.
    pub convs: Vec<usize>,
    /// Number of conv layers in each stage. Empty: one or two; one where `convs` is given.
    pub convs_per_stage: Vec<usize>,
    /// Filters of the first stage's conv layers; those of the second stage have twice as many, those of the
    /// third three times as many, and so on.
    pub width: Vec<usize>,
    /// Filters of each stage's conv layers, chosen for each stage, instead of `width`. Empty: `width` says.
    pub filters: Vec<usize>,
    /// Side of the conv layers' kernels.
    pub kernel: Vec<usize>,
    /// Whether batch normalization follows each conv layer.
    pub batch_norm: Vec<bool>,
    /// Number of hidden dense layers.
    pub dense_layers: Vec<usize>,
    /// Units of each hidden dense layer, chosen for each.
    pub units: Vec<usize>,
    /// Activation of all layers.
    pub activation: Vec<Activation>,
    /// Dropout before the classifier; 0 for none.
    pub dropout: Vec<f64>,
    /// Lowest and highest learning rate; drawn uniformly on a logarithmic scale, and learned about for each
    /// optimizer by itself.
    pub learning_rate: [f64; 2],
    /// How the learning rate changes over the trial.
    pub schedule: Vec<Schedule>,
    /// Images per step.
    pub batch_size: Vec<usize>,
    /// The rule that turns gradients into weight updates.
    pub optimizer: Vec<OptimizerName>,
    /// Largest shift of training images along each axis, as a share of their shorter side; 0 for none.
    pub shift: Vec<f64>,
    /// Whether half of the training images are mirrored, left to right.
    pub flip: Vec<bool>,
    /// Passes over the training images; `asha` goes from the fewest to the most. Empty: what the number of
    /// training images suggests, from a quarter to twice as many as a small network is usually trained for.
    pub epochs: Vec<usize>,
}

impl Default for SearchSpace {
    fn default() -> Self {
        Self {
            convs: Vec::new(),
            convs_per_stage: Vec::new(),
            width: vec![4, 8, 12, 16, 24, 32],
            filters: Vec::new(),
            kernel: vec![3, 5],
            batch_norm: vec![true, false],
            dense_layers: vec![0, 1],
            units: vec![32, 64, 128, 256],
            activation: vec![Activation::Relu],
            dropout: vec![0.0, 0.3],
            learning_rate: [1e-4, 0.3],
            schedule: vec![
                Schedule::Constant {},
                Schedule::Cosine { floor: 0.0 },
                Schedule::one_cycle(),
            ],
            batch_size: vec![32, 64, 128, 256],
            optimizer: vec![OptimizerName::Sgd, OptimizerName::Adam],
            shift: vec![0.0, 0.07],
            flip: vec![false, true],
            epochs: Vec::new(),
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
    /// Muon for filters, AdamW for the rest.
    Muon,
}
