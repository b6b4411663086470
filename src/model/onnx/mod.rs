//! ONNX export: a network as a graph that ONNX Runtime and others execute.
//!
//! The graph takes pixels in 0..=1 and normalizes them itself, so that it can be run without knowledge of
//! the training data. It uses operator set 20, the first with Gelu.

mod graph;
mod proto;

use prost::Message;

use self::graph::GraphBuilder;
use super::arrays::LayerPlace;
use super::model_file::ModelFileError;
use super::preparation::Preparation;
use super::residual::projection_conv;
use super::weights::Weights;
use crate::spec::{Activation, BatchNorm, Conv, FeatureShape, Layer, LayerPlan, Residual, Spec};

/// First IR version that goes with operator set 20.
const IR_VERSION: i64 = 9;
const OPERATOR_SET: i64 = 20;

/// The network as an ONNX file: input `images` `[batch, channels, height, width]` with pixels in
/// 0..=1, output `logits` `[batch, classes]`. The metadata `burgeon.preparation` holds the JSON of the
/// [`Preparation`], which describes how a picture becomes such pixels.
///
/// # Errors
///
/// If the weights or the preparation do not fit the spec.
pub fn to_onnx(
    spec: &Spec,
    weights: &Weights,
    preparation: &Preparation,
) -> Result<Vec<u8>, ModelFileError> {
    weights.check(spec)?;
    preparation.check_fits(spec)?;
    let mut graph = GraphBuilder::new("images");
    graph.normalize(preparation.normalization(), preparation.channels.count());
    let place = |index| LayerPlace::of(spec, index);
    add_layers(&mut graph, weights, spec.layers(), &spec.table().rows, &place)?;
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

/// Adds the layers of a network, whose last row is the head, or of a residual block.
fn add_layers(
    graph: &mut GraphBuilder,
    weights: &Weights,
    layers: &[Layer],
    rows: &[LayerPlan],
    place: &dyn Fn(usize) -> LayerPlace,
) -> Result<(), ModelFileError> {
    let mut flat = false;
    for (index, row) in rows.iter().enumerate() {
        let place = place(index);
        let name = &place.prefix;
        match layers.get(index) {
            Some(Layer::Conv(conv)) => {
                add_conv(graph, weights, name, conv, row.input)?;
                graph.activation(conv.activation);
            }
            Some(Layer::MaxPool(pool)) => {
                graph.max_pool(pool, pads(row.input, |length| pool.pads(length)));
            }
            Some(Layer::AvgPool(pool)) => {
                graph.average_pool(pool, pads(row.input, |length| pool.pads(length)));
            }
            Some(Layer::BatchNorm(norm)) => {
                add_norm(graph, weights, name, norm)?;
                graph.activation(norm.activation);
            }
            // Dropout does nothing once training is over.
            Some(Layer::Dropout(_)) => {}
            Some(Layer::GlobalAvgPool {}) => {
                graph.global_average();
                graph.flatten();
                flat = true;
            }
            Some(Layer::Residual(block)) => add_residual(graph, weights, block, row, &place)?,
            layer @ (Some(Layer::Dense(_)) | None) => {
                if !flat {
                    graph.flatten();
                    flat = true;
                }
                let array = |field: &str| weights.get(&format!("{name}.{field}"));
                graph.dense(name, array("weight")?, array("bias")?);
                graph.activation(layer.and_then(Layer::activation).unwrap_or(Activation::None));
            }
        }
    }
    Ok(())
}

fn add_residual(
    graph: &mut GraphBuilder,
    weights: &Weights,
    block: &Residual,
    row: &LayerPlan,
    place: &LayerPlace,
) -> Result<(), ModelFileError> {
    let input = graph.end();
    add_layers(graph, weights, &block.layers, &row.inner, &|index| place.inner(index))?;
    let shortcut = match &row.projection {
        None => input,
        Some(projection) => {
            let branch = graph.branch_from(input);
            let name = &place.projection().prefix;
            let conv = projection_conv(projection.input, projection.output);
            add_conv(graph, weights, name, &conv, projection.input)?;
            if let Some(norm) = block.norm() {
                add_norm(graph, weights, name, norm)?;
            }
            graph.branch_from(branch)
        }
    };
    graph.add(shortcut);
    graph.activation(block.activation);
    Ok(())
}

fn add_conv(
    graph: &mut GraphBuilder,
    weights: &Weights,
    name: &str,
    conv: &Conv,
    input: FeatureShape,
) -> Result<(), ModelFileError> {
    let array = |field: &str| weights.get(&format!("{name}.{field}"));
    let pads = pads(input, |length| conv.pads(length));
    graph.conv(name, array("weight")?, array("bias")?, conv, pads);
    Ok(())
}

fn add_norm(
    graph: &mut GraphBuilder,
    weights: &Weights,
    name: &str,
    norm: &BatchNorm,
) -> Result<(), ModelFileError> {
    let fields = ["gamma", "beta", "running-mean", "running-variance"];
    let [gamma, beta, mean, variance] = fields.map(|field| weights.get(&format!("{name}.{field}")));
    graph.batch_norm(name, [gamma?, beta?, mean?, variance?], norm.epsilon);
    Ok(())
}

/// Padding in ONNX's order: top, left, bottom, right.
fn pads(input: FeatureShape, of: impl Fn(usize) -> [usize; 2]) -> [usize; 4] {
    let [height, width] = input.sides();
    let ([top, bottom], [left, right]) = (of(height), of(width));
    [top, left, bottom, right]
}
