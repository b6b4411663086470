//! The layers between the image and the classifier head.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::pool::Pool;
use super::tagged::name_or_table;

/// One layer: a table with the layer's kind as its only key, or just the kind's name where every
/// setting has a default.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Convolution with bias and activation.
    Conv(Conv),
    /// Maximum over windows.
    MaxPool(Pool),
    /// Mean over windows; padding counts as zeros.
    AvgPool(Pool),
    /// Batch normalization per channel, or per feature after a dense layer.
    BatchNorm(BatchNorm),
    /// Zeroes activations at random while training.
    Dropout(Dropout),
    /// Mean over all pixels of each channel; only dense layers can follow.
    GlobalAvgPool {},
    /// Fully connected layer with bias and activation; the first one flattens.
    Dense(Dense),
    /// A block of layers whose input is added to its output.
    Residual(Residual),
}

/// What serde derives; [`Layer`] also accepts a bare name.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum LayerTable {
    Conv(Conv),
    MaxPool(Pool),
    AvgPool(Pool),
    BatchNorm(BatchNorm),
    Dropout(Dropout),
    GlobalAvgPool {},
    Dense(Dense),
    Residual(Residual),
}

impl<'de> Deserialize<'de> for Layer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match name_or_table(deserializer)? {
            LayerTable::Conv(conv) => Self::Conv(conv),
            LayerTable::MaxPool(pool) => Self::MaxPool(pool),
            LayerTable::AvgPool(pool) => Self::AvgPool(pool),
            LayerTable::BatchNorm(norm) => Self::BatchNorm(norm),
            LayerTable::Dropout(dropout) => Self::Dropout(dropout),
            LayerTable::GlobalAvgPool {} => Self::GlobalAvgPool {},
            LayerTable::Dense(dense) => Self::Dense(dense),
            LayerTable::Residual(block) => Self::Residual(block),
        })
    }
}

impl Layer {
    /// A residual block of these layers, with relu after the sum.
    pub fn residual(layers: Vec<Self>) -> Self {
        Self::Residual(Residual::of(layers))
    }

    /// The layer's name as study files spell it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Conv(_) => "conv",
            Self::MaxPool(_) => "max-pool",
            Self::AvgPool(_) => "avg-pool",
            Self::BatchNorm(_) => "batch-norm",
            Self::Dropout(_) => "dropout",
            Self::GlobalAvgPool {} => "global-avg-pool",
            Self::Dense(_) => "dense",
            Self::Residual(_) => "residual",
        }
    }

    /// The activation applied after this layer, where the layer has one.
    pub fn activation(&self) -> Option<Activation> {
        match self {
            Self::Conv(conv) => Some(conv.activation),
            Self::BatchNorm(norm) => Some(norm.activation),
            Self::Dense(dense) => Some(dense.activation),
            Self::Residual(block) => Some(block.activation),
            _ => None,
        }
    }

    pub(super) fn activation_mut(&mut self) -> Option<&mut Activation> {
        match self {
            Self::Conv(conv) => Some(&mut conv.activation),
            Self::BatchNorm(norm) => Some(&mut norm.activation),
            Self::Dense(dense) => Some(&mut dense.activation),
            Self::Residual(block) => Some(&mut block.activation),
            _ => None,
        }
    }
}

/// Settings of a convolution: `filters` kernels of `kernel`×`kernel` over every input channel, or
/// over those of their group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Conv {
    /// Output channels.
    #[schemars(range(min = 1, max = 4096))]
    pub filters: usize,
    /// Side of the square kernel in pixels.
    #[schemars(range(min = 1, max = 31))]
    pub kernel: usize,
    /// Pixels between neighbouring kernel positions.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 31))]
    pub stride: usize,
    /// How the border is treated.
    #[serde(default)]
    pub padding: Padding,
    /// Number of groups that input channels and filters are divided into; a filter sees only the
    /// channels of its own group. It must divide both; as many groups as channels make a depthwise
    /// convolution.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 4096))]
    pub groups: usize,
    /// Applied to the result.
    #[serde(default)]
    pub activation: Activation,
    /// Initial value of every bias.
    #[serde(default)]
    pub initial_bias: f64,
}

impl Conv {
    /// A "same"-padded convolution with stride 1 and relu.
    pub fn same(filters: usize, kernel: usize) -> Self {
        Self {
            filters,
            kernel,
            stride: 1,
            padding: Padding::Same,
            groups: 1,
            activation: Activation::default(),
            initial_bias: 0.0,
        }
    }
}

/// How a convolution treats the border of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// As many zeros around the image as give an output of ⌈input / stride⌉ pixels a side; where
    /// their number is odd, the extra one goes right and below, as in Keras.
    #[default]
    Same,
    /// No padding: the kernel stays inside the image.
    Valid,
    /// This many zeros on every side.
    Explicit(usize),
}

/// Settings of batch normalization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BatchNorm {
    /// Applied to the result; default: none.
    #[serde(default = "no_activation")]
    pub activation: Activation,
    /// Weight of the newest batch in the running mean and variance, as in PyTorch.
    #[serde(default = "norm_momentum")]
    pub momentum: f64,
    /// Added to the variance, against division by zero.
    #[serde(default = "norm_epsilon")]
    pub epsilon: f64,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { activation: no_activation(), momentum: norm_momentum(), epsilon: norm_epsilon() }
    }
}

/// Settings of dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dropout {
    /// Share of the activations set to zero while training, in 0..1; the others are scaled by
    /// 1 / (1 − rate).
    #[serde(default = "half")]
    pub rate: f64,
}

/// Settings of a fully connected layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dense {
    /// Output features.
    #[schemars(range(min = 1, max = 65536))]
    pub units: usize,
    /// Applied to the result.
    #[serde(default)]
    pub activation: Activation,
    /// Initial value of every bias.
    #[serde(default)]
    pub initial_bias: f64,
}

impl Dense {
    /// A layer of `units` features with relu.
    pub fn of(units: usize) -> Self {
        Self { units, activation: Activation::default(), initial_bias: 0.0 }
    }
}

/// Settings of a residual block (He et al. 2016): `activation(layers(x) + shortcut(x))`.
///
/// The shortcut is x itself where `layers` keep its shape. Otherwise it is a projection: a 1×1
/// convolution with bias to the number of channels that `layers` return, with the smallest stride
/// that gives their height and width; a study where no stride does is invalid. If `layers` contain
/// a batch-norm, one with the same settings as the last of them follows the projection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Residual {
    /// The layers of the branch that is added to the shortcut: conv, max-pool, avg-pool,
    /// batch-norm, dropout and residual.
    pub layers: Vec<Layer>,
    /// Applied to the sum.
    #[serde(default)]
    pub activation: Activation,
}

impl Residual {
    /// A block with relu after the sum.
    pub fn of(layers: Vec<Layer>) -> Self {
        Self { layers, activation: Activation::default() }
    }

    /// The batch-norm whose settings the projection's batch-norm copies, if it has one.
    pub(crate) fn norm(&self) -> Option<&BatchNorm> {
        self.layers.iter().rev().find_map(|layer| match layer {
            Layer::BatchNorm(norm) => Some(norm),
            _ => None,
        })
    }
}

/// Elementwise nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(0, x).
    #[default]
    Relu,
    /// x where positive, 0.01·x elsewhere.
    LeakyRelu,
    /// x·Φ(x) with the exact normal distribution function (Hendrycks and Gimpel 2016).
    Gelu,
    /// x·sigmoid(x), also called swish.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// The identity.
    None,
}

impl Activation {
    /// The name as study files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky-relu",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::None => "none",
        }
    }
}

fn one() -> usize {
    1
}
fn is_one(value: &usize) -> bool {
    *value == 1
}
fn half() -> f64 {
    0.5
}
fn no_activation() -> Activation {
    Activation::None
}
fn norm_momentum() -> f64 {
    0.1
}
fn norm_epsilon() -> f64 {
    1e-5
}
