//! Range checks on layers, including those within residual blocks.

use super::check::Check;
use super::layer::{Conv, Layer, Padding, Residual};
use super::pool::{Pool, PoolPadding};

/// Layers of a network, including those within residual blocks; the deepest residual networks in
/// use have about a thousand convolutions.
const LAYERS_MAX: usize = 4096;
/// Layers within one residual block.
const BLOCK_LAYERS_MAX: usize = 64;
/// How deep residual blocks may be nested.
const BLOCK_DEPTH_MAX: usize = 4;

/// Checks everything about layers that can be checked without knowing their shapes.
pub(super) fn check_model(check: &mut Check, layers: &[Layer]) {
    check_layers(check, "model.layers", layers, 0);
    check.at_most("model.layers", layers.len(), "layers", 256);
    check.at_most("model.layers", count(layers), "layers, including those in blocks,", LAYERS_MAX);
}

fn check_layers(check: &mut Check, list: &str, layers: &[Layer], depth: usize) {
    for (index, layer) in layers.iter().enumerate() {
        check_layer(check, &format!("{list}[{index}].{}", layer.kind()), layer, depth);
    }
}

/// Number of layers, including those within blocks. Blocks nested too deeply, which are refused
/// anyway, are not entered, so that the recursion is bounded.
fn count(layers: &[Layer]) -> usize {
    fn within(layers: &[Layer], depth: usize) -> usize {
        let parts = layers.iter().map(|layer| match layer {
            Layer::Residual(block) if depth < BLOCK_DEPTH_MAX => within(&block.layers, depth + 1),
            _ => 0,
        });
        layers.len() + parts.sum::<usize>()
    }
    within(layers, 0)
}

/// `at` is the layer's key, its kind included.
fn check_layer(check: &mut Check, at: &str, layer: &Layer, depth: usize) {
    let key = |field: &str| format!("{at}.{field}");
    match layer {
        Layer::Conv(conv) => check_conv(check, at, conv),
        Layer::MaxPool(pool) | Layer::AvgPool(pool) => check_pool(check, at, pool),
        Layer::BatchNorm(norm) => {
            check.positive(&key("momentum"), norm.momentum, 1.0);
            check.positive(&key("epsilon"), norm.epsilon, 1.0);
        }
        Layer::Dropout(dropout) => check.share(&key("rate"), dropout.rate),
        Layer::GlobalAvgPool {} => {}
        Layer::Dense(dense) => {
            check.integer(&key("units"), dense.units, 1, 65_536);
            check.within(&key("initial-bias"), dense.initial_bias, -1e3, 1e3);
        }
        Layer::Residual(block) => check_residual(check, at, block, depth),
    }
}

fn check_conv(check: &mut Check, at: &str, conv: &Conv) {
    let key = |field: &str| format!("{at}.{field}");
    check.integer(&key("filters"), conv.filters, 1, 4096);
    check.integer(&key("kernel"), conv.kernel, 1, 31);
    check.integer(&key("stride"), conv.stride, 1, 31);
    check.integer(&key("groups"), conv.groups, 1, 4096);
    if conv.groups > 0 && !conv.filters.is_multiple_of(conv.groups) {
        check.problem(
            &key("groups"),
            format!("{} filters cannot be divided into {} groups", conv.filters, conv.groups),
            "use a number that divides both the filters and the input channels",
        );
    }
    if let Padding::Explicit(pad) = conv.padding {
        check.integer(&key("padding.explicit"), pad, 0, 31);
        // At the border, a kernel would lie entirely within the padding.
        if pad >= conv.kernel && conv.kernel > 0 {
            check.problem(
                &key("padding.explicit"),
                format!("{pad} zeros on every side are too many for a kernel of {}", conv.kernel),
                format!("use at most {}", conv.kernel - 1),
            );
        }
    }
    check.within(&key("initial-bias"), conv.initial_bias, -1e3, 1e3);
}

fn check_pool(check: &mut Check, at: &str, pool: &Pool) {
    check.integer(&format!("{at}.size"), pool.size, 1, 1024);
    check.integer(&format!("{at}.stride"), pool.stride(), 1, 1024);
    // With more padding, a window could lie entirely outside the image.
    if let PoolPadding::Pixels(pixels) = pool.padding
        && pixels > pool.size / 2
    {
        check.problem(
            &format!("{at}.padding"),
            format!("{pixels} pixels are more than half a window of {}", pool.size),
            format!("use at most {}, or \"same\"", pool.size / 2),
        );
    }
}

fn check_residual(check: &mut Check, at: &str, block: &Residual, depth: usize) {
    let list = format!("{at}.layers");
    if depth >= BLOCK_DEPTH_MAX {
        check.problem(
            at,
            format!("is nested within {depth} other residual blocks"),
            format!("nest at most {BLOCK_DEPTH_MAX} of them"),
        );
        return;
    }
    if block.layers.is_empty() {
        check.problem(
            &list,
            "is empty: the block would only add its input to itself".into(),
            "add a layer, such as { conv = { filters = 16, kernel = 3 } }",
        );
    }
    check.at_most(&list, block.layers.len(), "layers", BLOCK_LAYERS_MAX);
    for (index, layer) in block.layers.iter().enumerate() {
        if matches!(layer, Layer::Dense(_) | Layer::GlobalAvgPool {}) {
            check.problem(
                &format!("{list}[{index}].{}", layer.kind()),
                "returns flat features, which cannot be added to the block's input".into(),
                "move it after the residual block",
            );
        }
    }
    check_layers(check, &list, &block.layers, depth + 1);
}
