//! ONNX export: a network as a graph that ONNX Runtime and others execute.
//!
//! The graph takes pixels in 0..=1 and normalises them itself, so that whoever runs it needs to
//! know nothing of the data it was trained on. It uses operator set 20, the first with Gelu.

mod graph;
mod proto;

use prost::Message;

use self::graph::GraphBuilder;
use super::model_file::ModelFileError;
use super::preparation::Preparation;
use super::weights::{Weights, prefix};
use crate::spec::{Activation, FeatureShape, Layer, Spec};

/// First IR version that goes with operator set 20.
const IR_VERSION: i64 = 9;
const OPERATOR_SET: i64 = 20;

/// The network as an ONNX file: input `images` `[batch, channels, height, width]` with pixels in
/// 0..=1, output `logits` `[batch, classes]`. How a picture becomes such pixels stands in the
/// metadata under `burgeon.preparation`, as the JSON of a [`Preparation`].
///
/// # Errors
///
/// When the weights are not the spec's, or the preparation makes other images than it takes.
pub fn to_onnx(
    spec: &Spec,
    weights: &Weights,
    preparation: &Preparation,
) -> Result<Vec<u8>, ModelFileError> {
    weights.check(spec)?;
    preparation.check_fits(spec)?;
    let mut graph = GraphBuilder::new("images");
    graph.normalize(preparation.normalization(), preparation.channels.count());
    let mut flat = false;
    for (index, row) in spec.table().rows.iter().enumerate() {
        let name = prefix(spec, index);
        let array = |field: &str| weights.get(&format!("{name}.{field}"));
        match spec.layers().get(index) {
            Some(Layer::Conv(conv)) => {
                let (height, width) = sides(row.input);
                let [top, bottom] = conv.pads(height);
                let [left, right] = conv.pads(width);
                let pads = [top, left, bottom, right];
                graph.conv(&name, array("weight")?, array("bias")?, conv.stride, pads);
                graph.activation(conv.activation);
            }
            Some(Layer::MaxPool(pool)) => graph.pool("MaxPool", pool.size, pool.stride()),
            Some(Layer::AvgPool(pool)) => graph.pool("AveragePool", pool.size, pool.stride()),
            Some(Layer::BatchNorm(norm)) => {
                let fields = ["gamma", "beta", "running-mean", "running-variance"];
                let [gamma, beta, mean, variance] = fields.map(array);
                graph.batch_norm(&name, [gamma?, beta?, mean?, variance?], norm.epsilon);
                graph.activation(norm.activation);
            }
            // Dropout does nothing once training is over.
            Some(Layer::Dropout(_)) => {}
            Some(Layer::GlobalAvgPool {}) => {
                graph.global_average();
                graph.flatten();
                flat = true;
            }
            layer @ (Some(Layer::Dense(_)) | None) => {
                if !flat {
                    graph.flatten();
                    flat = true;
                }
                graph.dense(&name, array("weight")?, array("bias")?);
                graph.activation(layer.and_then(Layer::activation).unwrap_or(Activation::None));
            }
        }
    }
    let input = spec.input();
    let model = proto::ModelProto {
        ir_version: IR_VERSION,
        producer_name: "burgeon".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph.finish(
            spec.name(),
            [input.channels, input.height, input.width],
            input.classes,
        )),
        metadata_props: vec![proto::StringStringEntryProto {
            key: "burgeon.preparation".into(),
            value: serde_json::to_string(preparation).map_err(ModelFileError::Note)?,
        }],
        opset_import: vec![proto::OperatorSetIdProto {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
    };
    Ok(model.encode_to_vec())
}

fn sides(shape: FeatureShape) -> (usize, usize) {
    match shape {
        FeatureShape::Image { height, width, .. } => (height, width),
        FeatureShape::Flat { .. } => (1, 1),
    }
}
