//! A network in the terms of a study, and the rows of its table.

use super::value::Place;

/// What passes between two layers for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Channels, height, width.
    Image(usize, usize, usize),
    /// Features.
    Flat(usize),
}

impl Shape {
    /// Number of values.
    pub fn len(self) -> usize {
        match self {
            Self::Image(channels, height, width) => {
                channels.saturating_mul(height).saturating_mul(width)
            }
            Self::Flat(features) => features,
        }
    }

    /// Channels, or features.
    pub fn channels(self) -> usize {
        match self {
            Self::Image(channels, ..) => channels,
            Self::Flat(features) => features,
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Image(channels, height, width) => write!(f, "{channels}×{height}×{width}"),
            Self::Flat(features) => write!(f, "{features}"),
        }
    }
}

/// How a border is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    /// As many zeros as give ⌈length / stride⌉.
    Same,
    /// So many on every side.
    Pixels(usize),
}

impl Pad {
    /// Before and after an axis.
    pub fn pads(self, length: usize, size: usize, stride: usize) -> [usize; 2] {
        match self {
            Self::Pixels(pixels) => [pixels; 2],
            Self::Same => {
                let output = length.div_ceil(stride.max(1)).max(1);
                let total = ((output - 1) * stride + size).saturating_sub(length);
                [total / 2, total - total / 2]
            }
        }
    }
}

/// A layer of a study.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Convolution.
    Conv {
        filters: usize,
        kernel: usize,
        stride: usize,
        pad: Pad,
        groups: usize,
        activation: &'static str,
    },
    /// Pool over the maximum, or the mean.
    Pool { is_max: bool, size: usize, stride: usize, pad: Pad },
    /// Batch normalization.
    BatchNorm { activation: &'static str, momentum: f64, epsilon: f64 },
    /// Dropout.
    Dropout(f64),
    /// Mean over all pixels.
    GlobalAvgPool,
    /// Fully connected.
    Dense { units: usize, activation: &'static str },
    /// Layers, and the sum of what they return and what they got.
    Residual { steps: Vec<Self>, activation: &'static str },
}

impl Step {
    /// The activation after it, where a layer of its kind has one.
    pub fn activation(&mut self) -> Option<&mut &'static str> {
        match self {
            Self::Conv { activation, .. }
            | Self::BatchNorm { activation, .. }
            | Self::Dense { activation, .. }
            | Self::Residual { activation, .. } => Some(activation),
            _ => None,
        }
    }

    /// As an element of `[model] layers`.
    pub fn toml(&self) -> String {
        match self {
            Self::Conv { filters, kernel, stride, pad, groups, activation } => {
                let mut text = format!("{{ conv = {{ filters = {filters}, kernel = {kernel}");
                if *stride != 1 {
                    text += &format!(", stride = {stride}");
                }
                match pad {
                    Pad::Same => {}
                    Pad::Pixels(0) => text += ", padding = \"valid\"",
                    Pad::Pixels(pixels) => {
                        text += &format!(", padding = {{ explicit = {pixels} }}")
                    }
                }
                if *groups != 1 {
                    text += &format!(", groups = {groups}");
                }
                text + &activation_toml(activation, "relu") + " } }"
            }
            Self::Pool { is_max, size, stride, pad } => {
                let kind = if *is_max { "max-pool" } else { "avg-pool" };
                let mut text = format!("{{ {kind} = {{ size = {size}");
                if stride != size {
                    text += &format!(", stride = {stride}");
                }
                match pad {
                    Pad::Same => text += ", padding = \"same\"",
                    Pad::Pixels(0) => {}
                    Pad::Pixels(pixels) => text += &format!(", padding = {pixels}"),
                }
                text + " } }"
            }
            Self::BatchNorm { activation, momentum, epsilon } => format!(
                "{{ batch-norm = {{ momentum = {momentum:?}, epsilon = {}{} }} }}",
                number(*epsilon),
                activation_toml(activation, "none")
            ),
            Self::Dropout(rate) => format!("{{ dropout = {{ rate = {rate:?} }} }}"),
            Self::GlobalAvgPool => "\"global-avg-pool\"".into(),
            Self::Residual { steps, activation } => {
                let steps: String =
                    steps.iter().map(|step| format!("    {},\n", step.toml())).collect();
                let activation = activation_toml(activation, "relu");
                format!("{{ residual = {{ layers = [\n{steps}  ]{activation} }} }}")
            }
            Self::Dense { units, activation } => {
                format!(
                    "{{ dense = {{ units = {units}{} }} }}",
                    activation_toml(activation, "relu")
                )
            }
        }
    }
}

fn activation_toml(activation: &str, default: &str) -> String {
    if activation == default { String::new() } else { format!(", activation = \"{activation}\"") }
}

/// A float as TOML writes it: `1e-5`, `0.001`.
pub fn number(value: f64) -> String {
    format!("{value:?}")
}

/// A row of the program's own layer table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where the layer stands.
    pub place: Place,
    /// Its name in its library, such as `Conv2D`.
    pub name: String,
    /// Shape of its output.
    pub output: Shape,
    /// Values that are trained.
    pub parameters: usize,
    /// Values that are kept but not trained: a batch-norm's running mean and variance.
    pub fixed: usize,
    /// The number of the study's layer that it is in; `None` where it has no weights of its own or is left out.
    pub step: Option<usize>,
}
