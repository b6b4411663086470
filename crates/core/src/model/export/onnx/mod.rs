//! ONNX export: a network as a graph that ONNX Runtime and others execute.
//!
//! The graph takes pixels in 0..=1, or decoded bytes, and normalizes them itself, so that it can be run
//! without knowledge of the training data. It uses operator set 20, the first with Gelu.

mod graph;
mod input;
mod proto;

pub use self::input::OnnxInput;

use prost::Message;

use self::graph::{GraphBuilder, LayerWeights};
use crate::model::arrays::LayerPlace;
use crate::model::model_file::ModelFileError;
use crate::model::preparation::Preparation;
use crate::model::quantization::QuantizedNetwork;
use crate::model::residual::projection_conv;
use crate::model::weights::{WeightArray, Weights};
use crate::spec::{Activation, BatchNorm, Conv, FeatureShape, Layer, LayerPlan, Residual, Spec};

/// First IR version that goes with operator set 20.
const IR_VERSION: i64 = 9;
const OPERATOR_SET: i64 = 20;

/// The network as an ONNX file: input `images` `[batch, channels, height, width]` with pixels in
/// 0..=1, output `logits` `[batch, classes]`. The metadata `burgeon.preparation` holds the JSON of the
/// [`Preparation`], which describes how a picture becomes such pixels, and `burgeon.classes` a JSON list
/// of the names of the classes.
///
/// # Errors
///
/// If the weights or the preparation do not fit the spec.
pub fn to_onnx(
    spec: &Spec,
    weights: &Weights,
    preparation: &Preparation,
) -> Result<Vec<u8>, ModelFileError> {
    OnnxExport { spec, weights, preparation, input: OnnxInput::UnitFloats, quantized: None }
        .encode()
}

/// What goes into an ONNX file.
#[derive(Debug, Clone, Copy)]
pub struct OnnxExport<'a> {
    /// The network.
    pub spec: &'a Spec,
    /// Its weights.
    pub weights: &'a Weights,
    /// How a picture becomes its input.
    pub preparation: &'a Preparation,
    /// The form in which the graph takes images.
    pub input: OnnxInput,
    /// Convolutions and dense layers in whole numbers; `None` to compute with floats.
    pub quantized: Option<&'a QuantizedNetwork>,
}

impl OnnxExport<'_> {
    /// The content of the file, as [`to_onnx`] describes it. A quantized file has the metadata
    /// `burgeon.quantization` as well.
    ///
    /// # Errors
    ///
    /// If the weights or the preparation do not fit the spec.
    pub fn encode(&self) -> Result<Vec<u8>, ModelFileError> {
        let Self { spec, weights, preparation, input, quantized } = *self;
        weights.check(spec)?;
        preparation.check_fits(spec)?;
        let mut graph = GraphBuilder::new("images");
        if input == OnnxInput::DecodedBytes {
            graph.decode_bytes();
        }
        graph.normalize(preparation.normalization(), preparation.channels.count());
        let place = |index| LayerPlace::of(spec, index);
        let source = Source { weights, quantized };
        add_layers(&mut graph, source, spec.layers(), &spec.table().rows, &place)?;
        let entry = |key: &str, value| proto::StringStringEntryProto { key: key.into(), value };
        let json = |value: Result<String, _>| value.map_err(ModelFileError::Note);
        let mut metadata = vec![
            entry("burgeon.preparation", json(serde_json::to_string(preparation))?),
            entry("burgeon.classes", json(serde_json::to_string(&preparation.classes))?),
            entry("burgeon.input", input.words(spec.input())),
        ];
        if let Some(quantized) = quantized {
            metadata.push(entry("burgeon.quantization", quantized.words()));
        }
        let model = proto::ModelProto {
            ir_version: IR_VERSION,
            producer_name: "burgeon".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(graph.finish(spec.name(), input, spec.input())),
            metadata_props: metadata,
            opset_import: vec![proto::OperatorSetIdProto {
                domain: String::new(),
                version: OPERATOR_SET,
            }],
        };
        Ok(model.encode_to_vec())
    }
}

/// Where the numbers of layers come from.
#[derive(Clone, Copy)]
struct Source<'a> {
    weights: &'a Weights,
    quantized: Option<&'a QuantizedNetwork>,
}

impl<'a> Source<'a> {
    fn array(self, layer: &str, field: &str) -> Result<&'a WeightArray, ModelFileError> {
        Ok(self.weights.get(&format!("{layer}.{field}"))?)
    }

    /// Weight and bias of a convolution or a dense layer.
    fn layer(self, name: &str) -> Result<LayerWeights<'a>, ModelFileError> {
        match self.quantized.and_then(|quantized| quantized.layer(name)) {
            Some(layer) => Ok(LayerWeights::Quantized(layer)),
            None => Ok(LayerWeights::Float(self.array(name, "weight")?, self.array(name, "bias")?)),
        }
    }
}

/// Adds the layers of a network, whose last row is the head, or of a residual block.
fn add_layers(
    graph: &mut GraphBuilder,
    source: Source,
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
                add_conv(graph, source, name, conv, row.input)?;
                graph.activation(conv.activation);
            }
            Some(Layer::MaxPool(pool)) => {
                graph.max_pool(pool, pads(row.input, |length| pool.pads(length)));
            }
            Some(Layer::AvgPool(pool)) => {
                graph.average_pool(pool, pads(row.input, |length| pool.pads(length)));
            }
            Some(Layer::BatchNorm(norm)) => {
                add_norm(graph, source, name, norm)?;
                graph.activation(norm.activation);
            }
            // Dropout does nothing once training is over.
            Some(Layer::Dropout(_)) => {}
            Some(Layer::GlobalAvgPool {}) => {
                graph.global_average();
                graph.flatten();
                flat = true;
            }
            Some(Layer::Residual(block)) => add_residual(graph, source, block, row, &place)?,
            layer @ (Some(Layer::Dense(_)) | None) => {
                if !flat {
                    graph.flatten();
                    flat = true;
                }
                graph.dense(name, source.layer(name)?);
                graph.activation(layer.and_then(Layer::activation).unwrap_or(Activation::None));
            }
        }
    }
    Ok(())
}

fn add_residual(
    graph: &mut GraphBuilder,
    source: Source,
    block: &Residual,
    row: &LayerPlan,
    place: &LayerPlace,
) -> Result<(), ModelFileError> {
    let input = graph.end();
    add_layers(graph, source, &block.layers, &row.inner, &|index| place.inner(index))?;
    let shortcut = match &row.projection {
        None => input,
        Some(projection) => {
            let branch = graph.branch_from(input);
            let name = &place.projection().prefix;
            let conv = projection_conv(projection.input, projection.output);
            add_conv(graph, source, name, &conv, projection.input)?;
            if let Some(norm) = block.norm() {
                add_norm(graph, source, name, norm)?;
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
    source: Source,
    name: &str,
    conv: &Conv,
    input: FeatureShape,
) -> Result<(), ModelFileError> {
    let pads = pads(input, |length| conv.pads(length));
    graph.conv(name, source.layer(name)?, conv, pads);
    Ok(())
}

fn add_norm(
    graph: &mut GraphBuilder,
    source: Source,
    name: &str,
    norm: &BatchNorm,
) -> Result<(), ModelFileError> {
    let fields = ["gamma", "beta", "running-mean", "running-variance"];
    let [gamma, beta, mean, variance] = fields.map(|field| source.array(name, field));
    graph.batch_norm(name, [gamma?, beta?, mean?, variance?], norm.epsilon);
    Ok(())
}

/// Padding in ONNX's order: top, left, bottom, right.
fn pads(input: FeatureShape, of: impl Fn(usize) -> [usize; 2]) -> [usize; 4] {
    let [height, width] = input.sides();
    let ([top, bottom], [left, right]) = (of(height), of(width));
    [top, left, bottom, right]
}
