//! Shape inference: the layer table of a network, with shapes, parameters and FLOPs of each layer.

use super::error::Problem;
use super::layer::{Activation, Conv, Layer, Padding, Residual};
use super::pool::{Pool, same_pads};
use super::shape::{FeatureShape, InputShape, LayerPlan, LayerTable, total};

/// The largest stride of a projection, the same as a convolution's.
const PROJECTION_STRIDE_MAX: usize = 31;

/// Infers every layer's shapes from the shape of the input.
pub(super) fn infer(layers: &[Layer], input: InputShape) -> Result<LayerTable, Problem> {
    let InputShape { channels, height, width, classes } = input;
    let image = FeatureShape::Image { channels, height, width };
    let mut rows = plan_all("model.layers", layers, image)
        .map_err(|(key, message, help)| Problem::new(key, message, help))?;
    let last = rows.last().map_or(image, |row: &LayerPlan| row.output);
    rows.push(head(last, classes));
    Ok(LayerTable { rows })
}

/// A layer that does not fit its input: the key, relative to the layer, what is wrong, and what would
/// be right.
type Misfit = (String, String, String);

/// The rows of `layers`, the list under the key `list`.
fn plan_all(list: &str, layers: &[Layer], input: FeatureShape) -> Result<Vec<LayerPlan>, Misfit> {
    let mut shape = input;
    let mut rows = Vec::with_capacity(layers.len() + 1);
    for (index, layer) in layers.iter().enumerate() {
        let row = plan(layer, shape).map_err(|(field, message, help)| {
            let dot = if field.is_empty() { "" } else { "." };
            (format!("{list}[{index}].{}{dot}{field}", layer.kind()), message, help)
        })?;
        shape = row.output;
        rows.push(row);
    }
    Ok(rows)
}

fn plan(layer: &Layer, input: FeatureShape) -> Result<LayerPlan, Misfit> {
    if let Layer::Residual(block) = layer {
        return plan_residual(block, input);
    }
    let (output, parameters, flops) = match layer {
        Layer::Conv(conv) => plan_conv(conv, input)?,
        Layer::MaxPool(pool) | Layer::AvgPool(pool) => plan_pool(pool, input)?,
        Layer::GlobalAvgPool {} => {
            let (channels, ..) = image(input)?;
            (FeatureShape::Flat { features: channels }, 0, input.len())
        }
        Layer::BatchNorm(_) => norm_cost(input),
        Layer::Dense(dense) => dense_cost(input, dense.units),
        Layer::Dropout(_) | Layer::Residual(_) => (input, 0, 0),
    };
    let flops = flops.saturating_add(activation_flops(layer.activation(), output));
    Ok(row(describe(layer), input, output, parameters, flops))
}

fn row(
    name: String,
    input: FeatureShape,
    output: FeatureShape,
    parameters: usize,
    flops: usize,
) -> LayerPlan {
    LayerPlan { name, input, output, parameters, flops, inner: Vec::new(), projection: None }
}

fn activation_flops(activation: Option<Activation>, output: FeatureShape) -> usize {
    match activation {
        None | Some(Activation::None) => 0,
        Some(_) => output.len(),
    }
}

fn head(input: FeatureShape, classes: usize) -> LayerPlan {
    let (output, parameters, flops) = dense_cost(input, classes);
    row(format!("head {classes}, softmax"), input, output, parameters, flops)
}

fn dense_cost(input: FeatureShape, units: usize) -> (FeatureShape, usize, usize) {
    let weights = input.len().saturating_mul(units);
    (
        FeatureShape::Flat { features: units },
        weights.saturating_add(units),
        weights.saturating_mul(2).saturating_add(units),
    )
}

fn norm_cost(input: FeatureShape) -> (FeatureShape, usize, usize) {
    (input, input.channels() * 2, input.len().saturating_mul(2))
}

fn image(input: FeatureShape) -> Result<(usize, usize, usize), Misfit> {
    match input {
        FeatureShape::Image { channels, height, width } => Ok((channels, height, width)),
        FeatureShape::Flat { features } => Err((
            String::new(),
            format!("needs an image as input, but receives {features} flat features"),
            "move it before the first dense or global-avg-pool layer".into(),
        )),
    }
}

fn plan_conv(conv: &Conv, input: FeatureShape) -> Result<(FeatureShape, usize, usize), Misfit> {
    let (channels, height, width) = image(input)?;
    let [top, bottom] = conv.pads(height);
    let [left, right] = conv.pads(width);
    // Padded "same", every image has room for the kernel.
    let reach = (height + top + bottom).min(width + left + right);
    if conv.kernel > reach {
        return Err((
            "kernel".into(),
            format!(
                "a {k}×{k} kernel is larger than the layer's {height}×{width} input",
                k = conv.kernel
            ),
            format!("use at most {reach}, padding = \"same\", or less pooling before it"),
        ));
    }
    if !channels.is_multiple_of(conv.groups) {
        return Err((
            "groups".into(),
            format!("the {channels} input channels cannot be divided into {} groups", conv.groups),
            format!("use {}", divisors(channels, conv.filters)),
        ));
    }
    let output = FeatureShape::Image {
        channels: conv.filters,
        height: (height + top + bottom - conv.kernel) / conv.stride + 1,
        width: (width + left + right - conv.kernel) / conv.stride + 1,
    };
    let kernel_values = conv.kernel * conv.kernel * (channels / conv.groups);
    let parameters = kernel_values.saturating_add(1).saturating_mul(conv.filters);
    let flops = output.len().saturating_mul(2 * kernel_values + 1);
    Ok((output, parameters, flops))
}

/// The numbers that divide both, in words; the largest ten of them.
fn divisors(channels: usize, filters: usize) -> String {
    let common = (1..=channels.min(filters)).rev();
    let common = common.filter(|by| channels.is_multiple_of(*by) && filters.is_multiple_of(*by));
    let mut words: Vec<String> = common.take(10).map(|by| by.to_string()).collect();
    words.reverse();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} or {last}", words.join(", ")),
        Some(last) => last,
        None => "1".into(),
    }
}

fn plan_pool(pool: &Pool, input: FeatureShape) -> Result<(FeatureShape, usize, usize), Misfit> {
    let (channels, height, width) = image(input)?;
    let [top, bottom] = pool.pads(height);
    let [left, right] = pool.pads(width);
    let padded = [height + top + bottom, width + left + right];
    let side = padded[0].min(padded[1]);
    if pool.size > side {
        return Err((
            "size".into(),
            format!(
                "a {s}×{s} window is larger than the layer's {height}×{width} input",
                s = pool.size
            ),
            format!("use at most {side}, or remove this pool or one before it"),
        ));
    }
    let [height, width] = padded.map(|length| (length - pool.size) / pool.stride() + 1);
    let output = FeatureShape::Image { channels, height, width };
    Ok((output, 0, output.len().saturating_mul(pool.size * pool.size)))
}

fn plan_residual(block: &Residual, input: FeatureShape) -> Result<LayerPlan, Misfit> {
    image(input)?;
    let inner = plan_all("layers", &block.layers, input)?;
    let output = inner.last().map_or(input, |row| row.output);
    let projection = match output == input {
        true => None,
        false => Some(Box::new(plan_projection(block, input, output)?)),
    };
    let parts = || inner.iter().chain(projection.as_deref());
    let parameters = total(parts().map(|row| row.parameters));
    let flops = total(parts().map(|row| row.flops))
        .saturating_add(output.len())
        .saturating_add(activation_flops(Some(block.activation), output));
    let mut name = format!("residual of {}", inner.len());
    name += if inner.len() == 1 { " layer" } else { " layers" };
    name += activation_words(Some(block.activation)).as_str();
    Ok(LayerPlan { inner, projection, ..row(name, input, output, parameters, flops) })
}

fn plan_projection(
    block: &Residual,
    input: FeatureShape,
    output: FeatureShape,
) -> Result<LayerPlan, Misfit> {
    let Some(stride) = projection_stride(input, output) else {
        return Err((
            "layers".into(),
            format!(
                "they turn {input} into {output}, which no 1×1 projection of the shortcut gives: a \
                 stride of s turns n pixels into ⌈n / s⌉"
            ),
            "use padding = \"same\" in convs and pools, and the same strides for height and width"
                .into(),
        ));
    };
    let filters = output.channels();
    let conv = Conv { stride, activation: Activation::None, ..Conv::same(filters, 1) };
    let (_, mut parameters, mut flops) = plan_conv(&conv, input)?;
    let stride = if stride == 1 { String::new() } else { format!(", stride {stride}") };
    let mut name = format!("projection to {filters}{stride}");
    if block.norm().is_some() {
        let (_, of_norm, norm_flops) = norm_cost(output);
        (parameters, flops) = (parameters + of_norm, flops.saturating_add(norm_flops));
        name += ", batch-norm";
    }
    Ok(row(name, input, output, parameters, flops))
}

/// The smallest stride with which a 1×1 convolution turns images of the size of `input` into images
/// of the size of `output`; `None` if there is none.
pub(crate) fn projection_stride(input: FeatureShape, output: FeatureShape) -> Option<usize> {
    let ([height, width], [out_height, out_width]) = (input.sides(), output.sides());
    (1..=PROJECTION_STRIDE_MAX).find(|&stride| {
        height.div_ceil(stride) == out_height && width.div_ceil(stride) == out_width
    })
}

impl Conv {
    /// Zeros before and after an axis of `length` pixels.
    pub fn pads(&self, length: usize) -> [usize; 2] {
        match self.padding {
            Padding::Valid => [0, 0],
            Padding::Explicit(pad) => [pad, pad],
            Padding::Same => same_pads(length, self.kernel, self.stride),
        }
    }
}

fn describe(layer: &Layer) -> String {
    let text = match layer {
        Layer::Conv(conv) => {
            let padding = match conv.padding {
                Padding::Same => ", same".into(),
                Padding::Valid => ", valid".into(),
                Padding::Explicit(pad) => format!(", padding {pad}"),
            };
            let stride = match conv.stride {
                1 => String::new(),
                stride => format!(", stride {stride}"),
            };
            let groups = match conv.groups {
                1 => String::new(),
                groups => format!(", {groups} groups"),
            };
            format!("conv {} of {k}×{k}{stride}{padding}{groups}", conv.filters, k = conv.kernel)
        }
        Layer::MaxPool(pool) | Layer::AvgPool(pool) => {
            let stride = match pool.stride {
                Some(stride) if stride != pool.size => format!(", stride {stride}"),
                _ => String::new(),
            };
            let padding = match pool.padding {
                super::pool::PoolPadding::Pixels(0) => String::new(),
                super::pool::PoolPadding::Pixels(pixels) => format!(", padding {pixels}"),
                super::pool::PoolPadding::Same => ", same".into(),
            };
            format!("{} {s}×{s}{stride}{padding}", layer.kind(), s = pool.size)
        }
        Layer::Dropout(dropout) => format!("dropout {}", dropout.rate),
        Layer::Dense(dense) => format!("dense {}", dense.units),
        Layer::BatchNorm(_) | Layer::GlobalAvgPool {} | Layer::Residual(_) => layer.kind().into(),
    };
    text + &activation_words(layer.activation())
}

fn activation_words(activation: Option<Activation>) -> String {
    match activation {
        None | Some(Activation::None) => String::new(),
        Some(activation) => format!(", {}", activation.name()),
    }
}
