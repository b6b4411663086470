//! Shape inference: what every layer receives, returns, holds and costs.

use std::fmt;

use super::error::Problem;
use super::layer::{Conv, Layer, Padding, Pool};

/// What the data hands to the network: grey or colour images of one size, and their classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct InputShape {
    /// 1 for grey images.
    pub channels: usize,
    /// In pixels.
    pub height: usize,
    /// In pixels.
    pub width: usize,
    /// Number of classes, at least 2.
    pub classes: usize,
}

impl InputShape {
    /// MNIST's: grey, 28×28, ten digits. The built-in digits have the same.
    pub const MNIST: Self = Self { channels: 1, height: 28, width: 28, classes: 10 };
}

/// What flows between two layers, for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureShape {
    /// `[channels, height, width]`.
    Image {
        /// Feature maps.
        channels: usize,
        /// In pixels.
        height: usize,
        /// In pixels.
        width: usize,
    },
    /// `[features]`.
    Flat {
        /// Number of features.
        features: usize,
    },
}

impl FeatureShape {
    /// Number of values.
    pub fn len(self) -> usize {
        match self {
            Self::Image { channels, height, width } => {
                channels.saturating_mul(height).saturating_mul(width)
            }
            Self::Flat { features } => features,
        }
    }

    /// Whether nothing flows; never so in a validated study.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Channels of an image, features of a vector: what batch-norm normalizes over.
    pub fn channels(self) -> usize {
        match self {
            Self::Image { channels, .. } => channels,
            Self::Flat { features } => features,
        }
    }
}

impl fmt::Display for FeatureShape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Image { channels, height, width } => {
                f.pad(&format!("{channels}×{height}×{width}"))
            }
            Self::Flat { features } => f.pad(&features.to_string()),
        }
    }
}

/// One row of the layer table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerPlan {
    /// The layer in words, such as `conv 6 × 5×5 same, relu`.
    pub name: String,
    /// What it receives.
    pub input: FeatureShape,
    /// What it returns.
    pub output: FeatureShape,
    /// Trained values.
    pub parameters: usize,
    /// Floating-point operations for one image, forward; a multiply-add counts as two.
    pub flops: usize,
}

/// Every layer of a network with shapes and costs; the last row is the classifier head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerTable {
    /// In order, the head last.
    pub rows: Vec<LayerPlan>,
}

impl LayerTable {
    /// Infers every shape from the input's.
    pub(super) fn infer(layers: &[Layer], input: InputShape) -> Result<Self, Problem> {
        let mut shape = FeatureShape::Image {
            channels: input.channels,
            height: input.height,
            width: input.width,
        };
        let mut rows = Vec::with_capacity(layers.len() + 1);
        for (index, layer) in layers.iter().enumerate() {
            let key = format!("model.layers[{index}].{}", layer.kind());
            let row = plan(layer, shape).map_err(|(field, message, help)| {
                let key = if field.is_empty() { key } else { format!("{key}.{field}") };
                Problem::new(key, message, help)
            })?;
            shape = row.output;
            rows.push(row);
        }
        rows.push(head(shape, input.classes));
        Ok(Self { rows })
    }

    /// Trained values of the whole network.
    pub fn parameters(&self) -> usize {
        total(self.rows.iter().map(|row| row.parameters))
    }

    /// Floating-point operations for one image, forward.
    pub fn flops(&self) -> usize {
        total(self.rows.iter().map(|row| row.flops))
    }

    /// Values that one image leaves behind between layers.
    pub fn activations(&self) -> usize {
        total(self.rows.iter().map(|row| row.output.len()))
    }
}

fn total(values: impl Iterator<Item = usize>) -> usize {
    values.fold(0, usize::saturating_add)
}

/// A field's name, what is wrong with it, and what would be right.
type Misfit = (&'static str, String, String);

fn plan(layer: &Layer, input: FeatureShape) -> Result<LayerPlan, Misfit> {
    let (output, parameters, flops) = match layer {
        Layer::Conv(conv) => plan_conv(conv, input)?,
        Layer::MaxPool(pool) | Layer::AvgPool(pool) => plan_pool(pool, input)?,
        Layer::GlobalAvgPool {} => {
            let (channels, ..) = image(input)?;
            (FeatureShape::Flat { features: channels }, 0, input.len())
        }
        Layer::BatchNorm(_) => {
            let flops = input.len().saturating_mul(2);
            (input, input.channels() * 2, flops)
        }
        Layer::Dropout(_) => (input, 0, 0),
        Layer::Dense(dense) => dense_cost(input, dense.units),
    };
    let activation_flops = match layer.activation() {
        None | Some(super::layer::Activation::None) => 0,
        Some(_) => output.len(),
    };
    Ok(LayerPlan {
        name: describe(layer),
        input,
        output,
        parameters,
        flops: flops.saturating_add(activation_flops),
    })
}

fn head(input: FeatureShape, classes: usize) -> LayerPlan {
    let (output, parameters, flops) = dense_cost(input, classes);
    LayerPlan { name: format!("head {classes}, softmax"), input, output, parameters, flops }
}

fn dense_cost(input: FeatureShape, units: usize) -> (FeatureShape, usize, usize) {
    let weights = input.len().saturating_mul(units);
    (
        FeatureShape::Flat { features: units },
        weights.saturating_add(units),
        weights.saturating_mul(2).saturating_add(units),
    )
}

fn image(input: FeatureShape) -> Result<(usize, usize, usize), Misfit> {
    match input {
        FeatureShape::Image { channels, height, width } => Ok((channels, height, width)),
        FeatureShape::Flat { features } => Err((
            "",
            format!("needs an image, but receives {features} flat features"),
            "move it before the first dense or global-avg-pool layer".into(),
        )),
    }
}

fn plan_conv(conv: &Conv, input: FeatureShape) -> Result<(FeatureShape, usize, usize), Misfit> {
    let (channels, height, width) = image(input)?;
    let reach = match conv.padding {
        Padding::Explicit(pad) => height.min(width) + 2 * pad,
        Padding::Same | Padding::Valid => height.min(width),
    };
    if conv.kernel > reach {
        return Err((
            "kernel",
            format!(
                "a {k}×{k} kernel is larger than the {height}×{width} image that reaches it",
                k = conv.kernel
            ),
            format!("use at most {reach}, or pool less before it"),
        ));
    }
    let [top, bottom] = conv.pads(height);
    let [left, right] = conv.pads(width);
    let output = FeatureShape::Image {
        channels: conv.filters,
        height: (height + top + bottom - conv.kernel) / conv.stride + 1,
        width: (width + left + right - conv.kernel) / conv.stride + 1,
    };
    let kernel_values = conv.kernel * conv.kernel * channels;
    let parameters = kernel_values.saturating_add(1).saturating_mul(conv.filters);
    let flops = output.len().saturating_mul(2 * kernel_values + 1);
    Ok((output, parameters, flops))
}

fn plan_pool(pool: &Pool, input: FeatureShape) -> Result<(FeatureShape, usize, usize), Misfit> {
    let (channels, height, width) = image(input)?;
    let side = height.min(width);
    if pool.size > side {
        return Err((
            "size",
            format!(
                "a {s}×{s} window is larger than the {height}×{width} image that reaches it",
                s = pool.size
            ),
            format!("use at most {side}, or remove this pool or one before it"),
        ));
    }
    let output = FeatureShape::Image {
        channels,
        height: (height - pool.size) / pool.stride() + 1,
        width: (width - pool.size) / pool.stride() + 1,
    };
    Ok((output, 0, output.len().saturating_mul(pool.size * pool.size)))
}

impl Conv {
    /// Zeros before and after an axis of `length` pixels.
    pub fn pads(&self, length: usize) -> [usize; 2] {
        match self.padding {
            Padding::Valid => [0, 0],
            Padding::Explicit(pad) => [pad, pad],
            Padding::Same => {
                let output = length.div_ceil(self.stride);
                let total = ((output - 1) * self.stride + self.kernel).saturating_sub(length);
                [total / 2, total - total / 2]
            }
        }
    }
}

fn describe(layer: &Layer) -> String {
    let mut text = match layer {
        Layer::Conv(conv) => {
            let padding = match conv.padding {
                Padding::Same => "same".into(),
                Padding::Valid => "valid".into(),
                Padding::Explicit(pad) => format!("padded by {pad}"),
            };
            let stride = match conv.stride {
                1 => String::new(),
                stride => format!(" by {stride}"),
            };
            format!("conv {} of {k}×{k}{stride} {padding}", conv.filters, k = conv.kernel)
        }
        Layer::MaxPool(pool) | Layer::AvgPool(pool) => {
            let stride = match pool.stride {
                Some(stride) if stride != pool.size => format!(" by {stride}"),
                _ => String::new(),
            };
            format!("{} {s}×{s}{stride}", layer.kind(), s = pool.size)
        }
        Layer::Dropout(dropout) => format!("dropout {}", dropout.rate),
        Layer::Dense(dense) => format!("dense {}", dense.units),
        Layer::BatchNorm(_) | Layer::GlobalAvgPool {} => layer.kind().into(),
    };
    if let Some(activation) = layer.activation()
        && activation != super::layer::Activation::None
    {
        text += &format!(", {}", activation.name());
    }
    text
}
