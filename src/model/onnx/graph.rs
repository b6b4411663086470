//! Puts a chain of ONNX nodes together, each reading what the one before it wrote.

use super::proto::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS, AttributeProto, DimensionProto, FLOAT,
    GraphProto, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use crate::data::Normalization;
use crate::model::WeightArray;
use crate::model::weights::bytes_of;
use crate::spec::Activation;

/// The chain so far.
pub struct GraphBuilder {
    input: String,
    current: String,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
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

    /// Of images of so many channels.
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

    pub fn conv(
        &mut self,
        name: &str,
        weight: &WeightArray,
        bias: &WeightArray,
        stride: usize,
        pads: [usize; 4],
    ) {
        let inputs = vec![self.array(name, "weight", weight), self.array(name, "bias", bias)];
        let attributes = vec![ints("strides", &[stride; 2]), ints("pads", &pads)];
        self.node("Conv", inputs, attributes);
    }

    pub fn dense(&mut self, name: &str, weight: &WeightArray, bias: &WeightArray) {
        let inputs = vec![self.array(name, "weight", weight), self.array(name, "bias", bias)];
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

    pub fn pool(&mut self, operator: &str, size: usize, stride: usize) {
        let attributes = vec![ints("kernel_shape", &[size; 2]), ints("strides", &[stride; 2])];
        self.node(operator, vec![], attributes);
    }

    pub fn global_average(&mut self) {
        self.node("GlobalAveragePool", vec![], vec![]);
    }

    pub fn flatten(&mut self) {
        let axis = AttributeProto {
            name: "axis".into(),
            i: 1,
            r#type: ATTRIBUTE_INT,
            ..AttributeProto::default()
        };
        self.node("Flatten", vec![], vec![axis]);
    }

    pub fn activation(&mut self, activation: Activation) {
        match activation {
            Activation::Relu => self.node("Relu", vec![], vec![]),
            // ONNX's default slope is 0.01, as is ours.
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

    /// Names the chain's end `logits` and closes the graph.
    pub fn finish(mut self, name: &str, image: [usize; 3], classes: usize) -> GraphProto {
        if let Some(last) = self.nodes.last_mut() {
            last.output = vec!["logits".into()];
        }
        GraphProto {
            name: name.into(),
            node: self.nodes,
            initializer: self.initializers,
            input: vec![value_info(&self.input, &image)],
            output: vec![value_info("logits", &[classes])],
        }
    }

    /// A node that reads the chain's end and `inputs`, and becomes the chain's end.
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

    fn array(&mut self, layer: &str, field: &str, array: &WeightArray) -> String {
        self.initializer(format!("{layer}.{field}"), &array.shape, &array.values)
    }

    fn initializer(&mut self, name: String, shape: &[usize], values: &[f32]) -> String {
        self.initializers.push(TensorProto {
            dims: shape.iter().map(|&length| length as i64).collect(),
            data_type: FLOAT,
            name: name.clone(),
            raw_data: bytes_of(values).into_owned(),
        });
        name
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

/// `[batch, …]` with a batch of any size.
fn value_info(name: &str, shape: &[usize]) -> ValueInfoProto {
    let batch = DimensionProto { dim_param: Some("batch".into()), dim_value: None };
    let lengths = shape
        .iter()
        .map(|&length| DimensionProto { dim_value: Some(length as i64), dim_param: None });
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: FLOAT,
                shape: Some(TensorShapeProto {
                    dim: std::iter::once(batch).chain(lengths).collect(),
                }),
            }),
        }),
    }
}
