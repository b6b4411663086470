//! Writes the Python program that builds a network in Keras.

use std::fmt::Write;

use crate::model::export::python::python_constants;
use crate::model::preparation::Preparation;
use crate::spec::pool::PoolPadding;
use crate::spec::projection_stride;
use crate::spec::{
    Activation, BatchNorm, Conv, FeatureShape, Layer, LayerPlan, Padding, Pool, Spec,
};

/// The name of a Keras layer: that of its arrays, in which Keras has no dots.
pub(super) fn layer_name(place: &str) -> String {
    place.replace('.', "_")
}

/// Whether Keras has a layer of its own for a convolution: one group for each channel.
pub(super) fn is_depthwise(groups: usize, input: FeatureShape) -> bool {
    groups > 1 && groups == input.channels()
}

/// The program. Whatever comes from outside, such as names, stands in JSON, whose strings Python reads alike.
pub(super) fn program(
    spec: &Spec,
    preparation: &Preparation,
    file: &str,
) -> Result<String, serde_json::Error> {
    let is_sequence = !spec.layers().iter().any(|layer| matches!(layer, Layer::Residual(_)));
    let mut layers = Layers { text: String::new(), is_sequence, leaks: false, pads_low: false };
    layers.add_all(spec.layers(), &spec.table().rows, "layers");
    if let Some(head) = spec.table().rows.last() {
        layers.dense(head, Activation::None, "head");
    }
    let input = spec.input();
    let shape = format!("{}, {}, {}", input.height, input.width, input.channels);
    let mut text = format!(
        "\"\"\"A network that burgeon {version} trained, built in Keras 3.\n\n    \
             from keras_model import CLASSES, load, prepare\n    \
             network = load()                            # reads the weights beside this file\n    \
             logits = network.predict(prepare(pixels))   # bytes [batch, {shape}], or floats from 0 to 1\n    \
             names = [CLASSES[label] for label in logits.argmax(1)]\n\n\
         Softmax of the logits gives probabilities. To train further, compile with a loss of `from_logits=True`.\n\
         \"\"\"\n\n\
         import json\nfrom pathlib import Path\n\n\
         import keras\nimport numpy as np\nfrom keras import layers\n\n\
         {constants}",
        version = env!("CARGO_PKG_VERSION"),
        constants = python_constants(preparation)?,
    );
    if layers.leaks {
        text += "\n\ndef leaky_relu(x):\n    return keras.activations.leaky_relu(x, negative_slope=0.01)\n";
    }
    if layers.pads_low {
        text += "\n\n@keras.saving.register_keras_serializable(\"burgeon\")\n\
                 class LowPadding(layers.Layer):\n    \
                     \"\"\"Pixels around an image that no maximum is taken from.\"\"\"\n\n    \
                     def __init__(self, pads, **options):\n        \
                         super().__init__(**options)\n        \
                         self.pads = pads\n\n    \
                     def call(self, x):\n        \
                         pads = [(0, 0), *self.pads, (0, 0)]\n        \
                         return keras.ops.pad(x, pads, constant_values=-float(\"inf\"))\n\n    \
                     def get_config(self):\n        \
                         return {**super().get_config(), \"pads\": self.pads}\n";
    }
    let body = match is_sequence {
        true => format!(
            "    return keras.Sequential([\n        keras.Input(shape=({shape})),\n{}    ])\n",
            layers.text
        ),
        false => format!(
            "    images = x = keras.Input(shape=({shape}))\n{}    return keras.Model(images, x)\n",
            layers.text
        ),
    };
    let _ = write!(
        text,
        "\n\ndef prepare(pixels):\n    \
             \"\"\"Pixels [batch, {shape}], bytes or floats from 0 to 1, as the network takes them.\"\"\"\n    \
             pixels = np.asarray(pixels)\n    \
             pixels = pixels / 255 if pixels.dtype == np.uint8 else pixels\n    \
             return ((pixels - np.array(MEAN)) / np.array(STD)).astype(\"float32\")\n\n\n\
         def build():\n    \
             \"\"\"The network before it has its weights: prepared pixels to logits [batch, {classes}].\"\"\"\n\
         {body}\n\n\
         def load(path=Path(__file__).with_name({file})):\n    \
             \"\"\"The network with the weights of a file.\"\"\"\n    \
             network = build()\n    \
             with np.load(path) as arrays:\n        \
                 for layer in network.layers:\n            \
                     count = len(layer.get_weights())\n            \
                     layer.set_weights([arrays[f\"{{layer.name}}.{{number}}\"] for number in range(count)])\n    \
             return network\n",
        classes = input.classes,
        file = serde_json::to_string(file)?,
    );
    Ok(text)
}

/// The lines of layers.
struct Layers {
    text: String,
    /// Whether they are elements of a list; otherwise each is applied to `x`.
    is_sequence: bool,
    /// Whether leaky relu is used.
    leaks: bool,
    /// Whether a maximum is padded by a number of pixels.
    pads_low: bool,
}

impl Layers {
    fn line(&mut self, layer: &str) {
        self.line_on("x", layer);
    }

    fn line_on(&mut self, name: &str, layer: &str) {
        let _ = match self.is_sequence {
            true => writeln!(self.text, "        {layer},"),
            false => writeln!(self.text, "    {name} = {layer}({name})"),
        };
    }

    fn add_all(&mut self, layers: &[Layer], rows: &[LayerPlan], list: &str) {
        for (index, (layer, row)) in layers.iter().zip(rows).enumerate() {
            self.add(layer, row, &format!("{list}.{index}"));
        }
    }

    fn add(&mut self, layer: &Layer, row: &LayerPlan, place: &str) {
        let name = layer_name(place);
        match layer {
            Layer::Conv(layer) => self.conv("x", layer, row.input, &name),
            Layer::MaxPool(pool) => self.pool("MaxPooling2D", pool, row.input, &name),
            Layer::AvgPool(pool) => self.pool("AveragePooling2D", pool, row.input, &name),
            Layer::BatchNorm(norm) => {
                self.norm("x", norm, &name);
                self.then("x", norm.activation);
            }
            Layer::Dropout(dropout) => {
                self.line(&format!("layers.Dropout({:?}, name=\"{name}\")", dropout.rate));
            }
            Layer::GlobalAvgPool {} => {
                self.line(&format!("layers.GlobalAveragePooling2D(name=\"{name}\")"));
            }
            Layer::Dense(dense) => self.dense(row, dense.activation, place),
            Layer::Residual(block) => {
                let shortcut = format!("shortcut_{}", name.trim_start_matches("layers_"));
                let _ = writeln!(self.text, "    {shortcut} = x");
                self.add_all(&block.layers, &row.inner, &format!("{place}.residual"));
                if let Some(projection) = &row.projection {
                    let name = layer_name(&format!("{place}.projection"));
                    let stride = projection_stride(projection.input, projection.output);
                    let conv = Conv {
                        stride: stride.unwrap_or(1),
                        activation: Activation::None,
                        ..Conv::same(projection.output.channels(), 1)
                    };
                    self.conv(&shortcut, &conv, projection.input, &name);
                    if let Some(norm) = block.norm() {
                        self.norm(&shortcut, norm, &format!("{name}_norm"));
                    }
                }
                let _ = writeln!(self.text, "    x = layers.Add(name=\"{name}\")([x, {shortcut}])");
                self.then("x", block.activation);
            }
        }
    }

    fn activation(&mut self, activation: Activation) -> Option<&'static str> {
        self.leaks |= activation == Activation::LeakyRelu;
        match activation {
            Activation::Relu => Some("\"relu\""),
            Activation::LeakyRelu => Some("leaky_relu"),
            Activation::Gelu => Some("\"gelu\""),
            Activation::Silu => Some("\"silu\""),
            Activation::Tanh => Some("\"tanh\""),
            Activation::Sigmoid => Some("\"sigmoid\""),
            Activation::None => None,
        }
    }

    /// An activation as a layer of its own.
    fn then(&mut self, on: &str, activation: Activation) {
        if let Some(activation) = self.activation(activation) {
            self.line_on(on, &format!("layers.Activation({activation})"));
        }
    }

    fn setting(&mut self, activation: Activation) -> String {
        let activation = self.activation(activation);
        activation.map_or(String::new(), |activation| format!(", activation={activation}"))
    }

    fn conv(&mut self, on: &str, conv: &Conv, input: FeatureShape, name: &str) {
        if let Padding::Explicit(pixels) = conv.padding
            && pixels > 0
        {
            self.line_on(on, &format!("layers.ZeroPadding2D({pixels})"));
        }
        let padding = if conv.padding == Padding::Same { ", padding=\"same\"" } else { "" };
        let stride = match conv.stride {
            1 => String::new(),
            stride => format!(", strides={stride}"),
        };
        let activation = self.setting(conv.activation);
        let settings = format!("{stride}{padding}{activation}, name=\"{name}\")");
        let line = if is_depthwise(conv.groups, input) {
            let each = conv.filters / conv.groups;
            format!("layers.DepthwiseConv2D({}, depth_multiplier={each}{settings}", conv.kernel)
        } else {
            let groups = match conv.groups {
                1 => String::new(),
                groups => format!(", groups={groups}"),
            };
            format!("layers.Conv2D({}, {}{groups}{settings}", conv.filters, conv.kernel)
        };
        self.line_on(on, &line);
    }

    fn pool(&mut self, class: &str, pool: &Pool, input: FeatureShape, name: &str) {
        let [height, width] = input.sides().map(|length| pool.pads(length));
        let is_padded = [height, width] != [[0; 2]; 2];
        let is_max = class.starts_with("Max");
        let pads = format!("(({}, {}), ({}, {}))", height[0], height[1], width[0], width[1]);
        // What Keras calls "same" leaves what lies outside of the image out of a mean; here it counts as zeros.
        let padding = match pool.padding {
            PoolPadding::Same if is_max && is_padded => ", padding=\"same\"",
            _ => "",
        };
        if is_padded && padding.is_empty() {
            self.pads_low |= is_max;
            let layer = if is_max { "LowPadding" } else { "layers.ZeroPadding2D" };
            self.line(&format!("{layer}({pads})"));
        }
        let line = format!(
            "layers.{class}({}, strides={}{padding}, name=\"{name}\")",
            pool.size,
            pool.stride()
        );
        self.line(&line);
    }

    fn norm(&mut self, on: &str, norm: &BatchNorm, name: &str) {
        // Keras names the weight of what there was, burgeon that of what is new.
        let momentum = 1.0 - norm.momentum;
        let line = format!(
            "layers.BatchNormalization(momentum={:?}, epsilon={:?}, name=\"{name}\")",
            (momentum * 1e9).round() / 1e9,
            norm.epsilon
        );
        self.line_on(on, &line);
    }

    fn dense(&mut self, row: &LayerPlan, activation: Activation, place: &str) {
        if matches!(row.input, FeatureShape::Image { .. }) {
            self.line("layers.Flatten()");
        }
        let name = layer_name(place);
        let activation = self.setting(activation);
        self.line(&format!("layers.Dense({}{activation}, name=\"{name}\")", row.output.len()));
    }
}
