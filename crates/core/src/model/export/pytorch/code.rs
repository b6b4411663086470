//! Writes the Python program that rebuilds a network in PyTorch.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::model::export::python::python_constants;
use crate::model::preparation::Preparation;
use crate::model::residual::projection_conv;
use crate::spec::{Activation, BatchNorm, Conv, FeatureShape, Layer, LayerPlan, Pool, Spec};

/// The program. Whatever comes from outside, such as names, stands in JSON, whose strings Python reads alike.
pub(super) fn program(
    spec: &Spec,
    preparation: &Preparation,
    file: &str,
) -> Result<String, serde_json::Error> {
    let file = serde_json::to_string(file)?;
    let mut layers = Layers { text: String::new(), used: BTreeSet::new() };
    layers.add_all(spec.layers(), &spec.table().rows, 3);
    let head = spec.table().rows.last().map(|row| {
        let line = format!("self.head = {}", dense(row, Activation::None));
        layers.used.insert("Dense");
        line
    });
    let input = spec.input();
    let shape = format!("{}, {}, {}", input.channels, input.height, input.width);
    let mut text = format!(
        "\"\"\"A network that burgeon {version} trained, rebuilt in PyTorch.\n\n    \
             from model import CLASSES, load\n    \
             network = load()           # reads the weights beside this file\n    \
             logits = network(pixels)   # uint8 [batch, {shape}], or floats from 0 to 1\n    \
             names = [CLASSES[index] for index in logits.argmax(1)]\n\
         \"\"\"\n\n\
         import json\nfrom pathlib import Path\n\n\
         import torch\nfrom safetensors.torch import load_file\nfrom torch import nn\nfrom torch.nn import functional\n\n\
         {constants}",
        version = env!("CARGO_PKG_VERSION"),
        constants = python_constants(preparation)?,
    );
    for (name, class) in CLASSES {
        if layers.used.contains(name) {
            text += "\n\n";
            text += class;
        }
    }
    let _ = write!(
        text,
        "\n\nclass Network(nn.Module):\n    \
             def __init__(self):\n        \
                 super().__init__()\n        \
                 self.register_buffer(\"mean\", torch.tensor(MEAN).view(1, -1, 1, 1), persistent=False)\n        \
                 self.register_buffer(\"std\", torch.tensor(STD).view(1, -1, 1, 1), persistent=False)\n        \
                 self.layers = nn.Sequential(\n{layers}        )\n        \
                 {head}\n\n    \
             def forward(self, images):\n        \
                 \"\"\"Pixels [batch, {shape}], uint8 or floats from 0 to 1, to logits [batch, {classes}].\"\"\"\n        \
                 pixels = images.float() / 255 if images.dtype == torch.uint8 else images\n        \
                 return self.head(self.layers((pixels - self.mean) / self.std))\n\n\n\
         def load(path=Path(__file__).with_name({file})):\n    \
             \"\"\"The network with the weights of a file, ready to predict.\"\"\"\n    \
             network = Network()\n    \
             network.load_state_dict(load_file(path))\n    \
             return network.eval()\n",
        layers = layers.text,
        head = head.unwrap_or_default(),
        classes = input.classes,
    );
    Ok(text)
}

/// The classes that layers are made of, each with its name. `pads` are left, right, top and bottom, as
/// `functional.pad` takes them, because those of "same" differ between sides.
const CLASSES: [(&str, &str); 8] = [
    (
        "Conv",
        "class Conv(nn.Conv2d):\n    \
             def __init__(self, channels, filters, kernel, stride, pads, groups, activation):\n        \
                 super().__init__(channels, filters, kernel, stride=stride, groups=groups)\n        \
                 self.pads, self.activation = pads, activation\n\n    \
             def forward(self, x):\n        \
                 return self.activation(super().forward(functional.pad(x, self.pads)))\n",
    ),
    (
        "Dense",
        "class Dense(nn.Linear):\n    \
             def __init__(self, inputs, units, activation):\n        \
                 super().__init__(inputs, units)\n        \
                 self.activation = activation\n\n    \
             def forward(self, x):\n        \
                 return self.activation(super().forward(x.flatten(1)))\n",
    ),
    (
        "BatchNorm2d",
        "class BatchNorm2d(nn.BatchNorm2d):\n    \
             def __init__(self, channels, eps, momentum, activation):\n        \
                 super().__init__(channels, eps=eps, momentum=momentum)\n        \
                 self.activation = activation\n\n    \
             def forward(self, x):\n        \
                 return self.activation(super().forward(x))\n",
    ),
    (
        "BatchNorm1d",
        "class BatchNorm1d(nn.BatchNorm1d):\n    \
             def __init__(self, channels, eps, momentum, activation):\n        \
                 super().__init__(channels, eps=eps, momentum=momentum)\n        \
                 self.activation = activation\n\n    \
             def forward(self, x):\n        \
                 return self.activation(super().forward(x))\n",
    ),
    (
        "MaxPool",
        "class MaxPool(nn.Module):\n    \
             def __init__(self, size, stride, pads):\n        \
                 super().__init__()\n        \
                 self.size, self.stride, self.pads = size, stride, pads\n\n    \
             def forward(self, x):\n        \
                 padded = functional.pad(x, self.pads, value=-torch.inf)\n        \
                 return functional.max_pool2d(padded, self.size, self.stride)\n",
    ),
    (
        "AvgPool",
        "class AvgPool(nn.Module):\n    \
             def __init__(self, size, stride, pads):\n        \
                 super().__init__()\n        \
                 self.size, self.stride, self.pads = size, stride, pads\n\n    \
             def forward(self, x):\n        \
                 return functional.avg_pool2d(functional.pad(x, self.pads), self.size, self.stride)\n",
    ),
    (
        "GlobalAvgPool",
        "class GlobalAvgPool(nn.Module):\n    \
             def forward(self, x):\n        \
                 return x.mean((2, 3))\n",
    ),
    (
        "Residual",
        "class Residual(nn.Module):\n    \
             def __init__(self, residual, projection, activation):\n        \
                 super().__init__()\n        \
                 self.residual, self.projection, self.activation = residual, projection, activation\n\n    \
             def forward(self, x):\n        \
                 return self.activation(self.residual(x) + self.projection(x))\n",
    ),
];

/// The lines of layers, and the names of the classes that they use.
struct Layers {
    text: String,
    used: BTreeSet<&'static str>,
}

impl Layers {
    fn add_all(&mut self, layers: &[Layer], rows: &[LayerPlan], depth: usize) {
        for (layer, row) in layers.iter().zip(rows) {
            self.add(layer, row, depth);
        }
    }

    fn add(&mut self, layer: &Layer, row: &LayerPlan, depth: usize) {
        match layer {
            Layer::Conv(layer) => self.line("Conv", depth, &conv(layer, row.input)),
            Layer::MaxPool(layer) => {
                self.line("MaxPool", depth, &format!("MaxPool{},", pool(layer, row.input)));
            }
            Layer::AvgPool(layer) => {
                self.line("AvgPool", depth, &format!("AvgPool{},", pool(layer, row.input)));
            }
            Layer::BatchNorm(layer) => self.norm(layer, row.input, layer.activation, depth),
            Layer::Dropout(dropout) => {
                self.line("", depth, &format!("nn.Dropout({:?}),", dropout.rate));
            }
            Layer::GlobalAvgPool {} => self.line("GlobalAvgPool", depth, "GlobalAvgPool(),"),
            Layer::Dense(layer) => {
                self.line("Dense", depth, &format!("{},", dense(row, layer.activation)));
            }
            Layer::Residual(block) => {
                self.line("Residual", depth, "Residual(");
                self.line("", depth + 1, "nn.Sequential(");
                self.add_all(&block.layers, &row.inner, depth + 2);
                self.line("", depth + 1, "),");
                match &row.projection {
                    None => self.line("", depth + 1, "nn.Identity(),"),
                    Some(projection) => {
                        self.line("", depth + 1, "nn.Sequential(");
                        let layer = projection_conv(projection.input, projection.output);
                        self.line("Conv", depth + 2, &conv(&layer, projection.input));
                        if let Some(norm) = block.norm() {
                            self.norm(norm, projection.output, Activation::None, depth + 2);
                        }
                        self.line("", depth + 1, "),");
                    }
                }
                let line = format!("activation={},", activation(block.activation));
                self.line("", depth + 1, &line);
                self.line("", depth, "),");
            }
        }
    }

    fn norm(&mut self, norm: &BatchNorm, input: FeatureShape, then: Activation, depth: usize) {
        let class = match input {
            FeatureShape::Image { .. } => "BatchNorm2d",
            FeatureShape::Flat { .. } => "BatchNorm1d",
        };
        let line = format!(
            "{class}({}, eps={:?}, momentum={:?}, activation={}),",
            input.channels(),
            norm.epsilon,
            norm.momentum,
            activation(then)
        );
        self.line(class, depth, &line);
    }

    fn line(&mut self, class: &'static str, depth: usize, line: &str) {
        if !class.is_empty() {
            self.used.insert(class);
        }
        let _ = writeln!(self.text, "{:indent$}{line}", "", indent = 4 * depth);
    }
}

fn conv(conv: &Conv, input: FeatureShape) -> String {
    format!(
        "Conv({}, {}, {}, stride={}, pads={}, groups={}, activation={}),",
        input.channels(),
        conv.filters,
        conv.kernel,
        conv.stride,
        pads(input, |length| conv.pads(length)),
        conv.groups,
        activation(conv.activation)
    )
}

fn pool(pool: &Pool, input: FeatureShape) -> String {
    let pads = pads(input, |length| pool.pads(length));
    format!("({}, stride={}, pads={pads})", pool.size, pool.stride())
}

fn dense(row: &LayerPlan, then: Activation) -> String {
    format!("Dense({}, {}, activation={})", row.input.len(), row.output.len(), activation(then))
}

/// Padding in the order of `functional.pad`: left, right, top, bottom.
fn pads(input: FeatureShape, of: impl Fn(usize) -> [usize; 2]) -> String {
    let [height, width] = input.sides();
    let ([top, bottom], [left, right]) = (of(height), of(width));
    format!("({left}, {right}, {top}, {bottom})")
}

fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "nn.ReLU()",
        Activation::LeakyRelu => "nn.LeakyReLU(0.01)",
        Activation::Gelu => "nn.GELU()",
        Activation::Silu => "nn.SiLU()",
        Activation::Tanh => "nn.Tanh()",
        Activation::Sigmoid => "nn.Sigmoid()",
        Activation::None => "nn.Identity()",
    }
}
