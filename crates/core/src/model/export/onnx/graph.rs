//! Builds a chain of ONNX nodes, each of which reads the output of the one before it.

use super::input::OnnxInput;
use super::proto::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS, AttributeProto, DimensionProto, FLOAT,
    GraphProto, INT8, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, UINT8,
    ValueInfoProto,
};
use crate::data::Normalization;
use crate::model::WeightArray;
use crate::model::quantization::QuantizedLayer;
use crate::model::weights::bytes_of;
use crate::spec::{Activation, Conv, InputShape, Pool};

/// An ONNX graph under construction.
pub struct GraphBuilder {
    input: String,
    current: String,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

/// The weights of a convolution or a dense layer.
#[derive(Clone, Copy)]
pub enum LayerWeights<'a> {
    /// Weight and bias.
    Float(&'a WeightArray, &'a WeightArray),
    /// The same in whole numbers, with the scale of what comes in.
    Quantized(&'a QuantizedLayer),
}

impl GraphBuilder {
    pub fn new(input: &str) -> Self {
        Self {
            input: input.into(),
            current: input.into(),
            nodes: Vec::new(),
            initializers: Vec::new(),
        }
    }

    /// Normalizes images with this number of channels.
    pub fn normalize(&mut self, normalization: Normalization, channels: usize) {
        let per_channel = [1, channels, 1, 1];
        let shape: &[usize] = if channels == 1 { &[] } else { &per_channel };
        let mean = &normalization.mean[..channels];
        let mean = self.initializer("pixel.mean".into(), shape, mean);
        let std = &normalization.std[..channels];
        let std = self.initializer("pixel.std".into(), shape, std);
        self.node("Sub", vec![mean], vec![]);
        self.node("Div", vec![std], vec![]);
    }

    /// Turns decoded images, bytes `[batch, height, width, channels]`, into floats from 0 to 1
    /// `[batch, channels, height, width]`.
    pub fn decode_bytes(&mut self) {
        self.node("Transpose", vec![], vec![ints("perm", &[0, 3, 1, 2])]);
        self.node("Cast", vec![], vec![int("to", FLOAT as usize)]);
        let white = self.initializer("pixel.white".into(), &[], &[255.0]);
        self.node("Div", vec![white], vec![]);
    }

    pub fn conv(&mut self, name: &str, weights: LayerWeights, conv: &Conv, pads: [usize; 4]) {
        let inputs = self.weights(name, weights);
        let mut attributes = vec![ints("strides", &[conv.stride; 2]), ints("pads", &pads)];
        if conv.groups > 1 {
            attributes.push(int("group", conv.groups));
        }
        self.node("Conv", inputs, attributes);
    }

    pub fn dense(&mut self, name: &str, weights: LayerWeights) {
        let inputs = self.weights(name, weights);
        self.node("Gemm", inputs, vec![]);
    }

    pub fn batch_norm(&mut self, name: &str, arrays: [&WeightArray; 4], epsilon: f64) {
        let fields = ["gamma", "beta", "running-mean", "running-variance"];
        let inputs = fields.iter().zip(arrays);
        let inputs = inputs.map(|(field, array)| self.array(name, field, array)).collect();
        let epsilon = AttributeProto {
            name: "epsilon".into(),
            f: epsilon as f32,
            r#type: ATTRIBUTE_FLOAT,
            ..AttributeProto::default()
        };
        self.node("BatchNormalization", inputs, vec![epsilon]);
    }

    pub fn max_pool(&mut self, pool: &Pool, pads: [usize; 4]) {
        self.node("MaxPool", vec![], pool_attributes(pool, pads));
    }

    pub fn average_pool(&mut self, pool: &Pool, pads: [usize; 4]) {
        let mut attributes = pool_attributes(pool, pads);
        if pads != [0; 4] {
            attributes.push(int("count_include_pad", 1));
        }
        self.node("AveragePool", vec![], attributes);
    }

    /// The current value, for [`branch_from`](Self::branch_from) and [`add`](Self::add).
    pub fn end(&self) -> String {
        self.current.clone()
    }

    /// Continues from an earlier value, and returns the current one.
    pub fn branch_from(&mut self, value: String) -> String {
        std::mem::replace(&mut self.current, value)
    }

    /// Adds another value to the current one.
    pub fn add(&mut self, value: String) {
        self.node("Add", vec![value], vec![]);
    }

    pub fn global_average(&mut self) {
        self.node("GlobalAveragePool", vec![], vec![]);
    }

    pub fn flatten(&mut self) {
        self.node("Flatten", vec![], vec![int("axis", 1)]);
    }

    pub fn activation(&mut self, activation: Activation) {
        match activation {
            Activation::Relu => self.node("Relu", vec![], vec![]),
            // ONNX's default slope is 0.01, as burgeon's.
            Activation::LeakyRelu => self.node("LeakyRelu", vec![], vec![]),
            Activation::Gelu => self.node("Gelu", vec![], vec![]),
            Activation::Tanh => self.node("Tanh", vec![], vec![]),
            Activation::Sigmoid => self.node("Sigmoid", vec![], vec![]),
            Activation::Silu => {
                let x = self.current.clone();
                self.node("Sigmoid", vec![], vec![]);
                self.node("Mul", vec![x], vec![]);
            }
            Activation::None => {}
        }
    }

    /// Names the current value `logits` and finishes the graph.
    pub fn finish(mut self, name: &str, takes: OnnxInput, shape: InputShape) -> GraphProto {
        if let Some(last) = self.nodes.last_mut() {
            last.output = vec!["logits".into()];
        }
        GraphProto {
            name: name.into(),
            node: self.nodes,
            initializer: self.initializers,
            input: vec![value_info(&self.input, element_type(takes), &takes.shape(shape))],
            output: vec![value_info("logits", FLOAT, &[shape.classes])],
        }
    }

    /// Adds a node that reads the current value and `inputs`; its output becomes the current value.
    fn node(&mut self, operator: &str, inputs: Vec<String>, attribute: Vec<AttributeProto>) {
        let output = format!("value.{}", self.nodes.len());
        let mut input = vec![std::mem::replace(&mut self.current, output.clone())];
        input.extend(inputs);
        self.nodes.push(NodeProto {
            input,
            output: vec![output],
            name: format!("{}.{operator}", self.nodes.len()),
            op_type: operator.into(),
            attribute,
        });
    }

    /// Weight and bias as inputs of a node, whose own input is rounded if they are quantized.
    fn weights(&mut self, name: &str, weights: LayerWeights) -> Vec<String> {
        match weights {
            LayerWeights::Float(weight, bias) => {
                vec![self.array(name, "weight", weight), self.array(name, "bias", bias)]
            }
            LayerWeights::Quantized(layer) => self.quantized(name, layer),
        }
    }

    fn quantized(&mut self, name: &str, layer: &QuantizedLayer) -> Vec<String> {
        let scale = self.initializer(format!("{name}.input.scale"), &[], &[layer.input.scale]);
        let zero = vec![layer.input.zero_point];
        let zero = self.raw(format!("{name}.input.zero"), &[], UINT8, zero);
        self.node("QuantizeLinear", vec![scale.clone(), zero.clone()], vec![]);
        self.node("DequantizeLinear", vec![scale, zero], vec![]);
        let weight = layer.weight.iter().flat_map(|value| value.to_le_bytes()).collect();
        let weight = self.raw(format!("{name}.weight"), &layer.shape, INT8, weight);
        let weight = self.dequantized(weight, &layer.weight_scales, layer.axis);
        // In floats: it is small, and what it loses by rounding would be lost for nothing.
        vec![weight, self.array(name, "bias", &layer.bias)]
    }

    /// An initializer of whole numbers, multiplied by the scale of its place along an axis.
    fn dequantized(&mut self, array: String, scales: &[f32], axis: usize) -> String {
        let scale = self.initializer(format!("{array}.scale"), &[scales.len()], scales);
        let output = format!("{array}.float");
        self.nodes.push(NodeProto {
            input: vec![array, scale],
            output: vec![output.clone()],
            name: String::new(),
            op_type: "DequantizeLinear".into(),
            attribute: vec![int("axis", axis)],
        });
        output
    }

    fn array(&mut self, layer: &str, field: &str, array: &WeightArray) -> String {
        self.initializer(format!("{layer}.{field}"), &array.shape, &array.values)
    }

    fn initializer(&mut self, name: String, shape: &[usize], values: &[f32]) -> String {
        self.raw(name, shape, FLOAT, bytes_of(values).into_owned())
    }

    fn raw(&mut self, name: String, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        let dims = shape.iter().map(|&length| length as i64).collect();
        self.initializers.push(TensorProto { dims, data_type, name: name.clone(), raw_data });
        name
    }
}

fn pool_attributes(pool: &Pool, pads: [usize; 4]) -> Vec<AttributeProto> {
    let mut attributes =
        vec![ints("kernel_shape", &[pool.size; 2]), ints("strides", &[pool.stride(); 2])];
    if pads != [0; 4] {
        attributes.push(ints("pads", &pads));
    }
    attributes
}

fn int(name: &str, value: usize) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        i: value as i64,
        r#type: ATTRIBUTE_INT,
        ..AttributeProto::default()
    }
}

fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        ints: values.iter().map(|&value| value as i64).collect(),
        r#type: ATTRIBUTE_INTS,
        ..AttributeProto::default()
    }
}

fn element_type(input: OnnxInput) -> i32 {
    match input {
        OnnxInput::UnitFloats => FLOAT,
        OnnxInput::DecodedBytes => UINT8,
    }
}

/// `[batch, …]` with a batch of any size.
fn value_info(name: &str, elem_type: i32, shape: &[usize]) -> ValueInfoProto {
    let batch = DimensionProto { dim_param: Some("batch".into()), dim_value: None };
    let lengths = shape
        .iter()
        .map(|&length| DimensionProto { dim_value: Some(length as i64), dim_param: None });
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type,
                shape: Some(TensorShapeProto {
                    dim: std::iter::once(batch).chain(lengths).collect(),
                }),
            }),
        }),
    }
}
