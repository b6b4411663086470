//! Keras export: the weights in Keras' layouts, and a program that builds the network there.

mod code;

use self::code::{is_depthwise, layer_name};
use crate::model::export::npz::NpzArchive;
use crate::model::model_file::ModelFileError;
use crate::model::preparation::Preparation;
use crate::model::weights::{WeightArray, Weights, WeightsError, bytes_of};
use crate::spec::{FeatureShape, Layer, LayerPlan, Spec};

/// File of the weights in Keras' layouts, which [`KERAS_PY`] loads.
pub const KERAS_FILE: &str = "keras.npz";
/// File of the program that builds the network in Keras.
pub const KERAS_PY: &str = "keras_model.py";

/// A network for Keras: the content of two files that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KerasModel {
    /// Content of [`KERAS_FILE`]: for the layer `NAME` the arrays `NAME.0`, `NAME.1`, …, in the order of its
    /// `get_weights()`.
    pub weights: Vec<u8>,
    /// Content of [`KERAS_PY`].
    pub code: String,
}

/// The network for Keras; `file` is the name of the file of its weights, which the program loads.
///
/// # Errors
///
/// If the weights or the preparation do not fit the spec.
pub fn to_keras(
    spec: &Spec,
    weights: &Weights,
    preparation: &Preparation,
    file: &str,
) -> Result<KerasModel, ModelFileError> {
    weights.check(spec)?;
    preparation.check_fits(spec)?;
    let mut arrays = Vec::new();
    add_all(&mut arrays, weights, spec.layers(), &spec.table().rows, "layers")?;
    if let Some(head) = spec.table().rows.last() {
        add_dense(&mut arrays, weights, head.input, "head")?;
    }
    Ok(KerasModel {
        weights: npz(&arrays).map_err(ModelFileError::Archive)?,
        code: code::program(spec, preparation, file).map_err(ModelFileError::Note)?,
    })
}

type Arrays = Vec<(String, WeightArray)>;

/// The arrays of layers, under the list `list`.
fn add_all(
    arrays: &mut Arrays,
    weights: &Weights,
    layers: &[Layer],
    rows: &[LayerPlan],
    list: &str,
) -> Result<(), WeightsError> {
    for (index, (layer, row)) in layers.iter().zip(rows).enumerate() {
        let place = format!("{list}.{index}");
        match layer {
            Layer::Conv(conv) => {
                let groups = if is_depthwise(conv.groups, row.input) { conv.groups } else { 1 };
                add_conv(arrays, weights, groups, &place, &layer_name(&place))?;
            }
            Layer::Dense(_) => add_dense(arrays, weights, row.input, &place)?,
            Layer::BatchNorm(_) => add_norm(arrays, weights, &place, &layer_name(&place))?,
            Layer::Residual(block) => {
                let inner = format!("{place}.residual");
                add_all(arrays, weights, &block.layers, &row.inner, &inner)?;
                if row.projection.is_some() {
                    let place = format!("{place}.projection");
                    let name = layer_name(&place);
                    add_conv(arrays, weights, 1, &place, &name)?;
                    if block.norm().is_some() {
                        add_norm(arrays, weights, &place, &format!("{name}_norm"))?;
                    }
                }
            }
            Layer::MaxPool(_) | Layer::AvgPool(_) | Layer::Dropout(_) | Layer::GlobalAvgPool {} => {
            }
        }
    }
    Ok(())
}

/// `[filters, channels, height, width]` → `[height, width, channels, filters]`; of a depthwise convolution
/// `depthwise` channels (else 1) `[height, width, channels, filters of each]`.
fn add_conv(
    arrays: &mut Arrays,
    weights: &Weights,
    depthwise: usize,
    place: &str,
    name: &str,
) -> Result<(), WeightsError> {
    let kernel = weights.get(&format!("{place}.weight"))?;
    let [filters, channels, height, width] = kernel.shape[..] else { return Ok(()) };
    let mut values = Vec::with_capacity(kernel.values.len());
    for pixel in 0..height * width {
        for channel in 0..channels {
            let at = |filter: usize| (filter * channels + channel) * height * width + pixel;
            values.extend((0..filters).map(|filter| kernel.values[at(filter)]));
        }
    }
    let shape = match depthwise {
        1 => vec![height, width, channels, filters],
        // A filter sees one channel, and the filters of a channel lie one after the other.
        depthwise => vec![height, width, depthwise, filters / depthwise],
    };
    arrays.push((format!("{name}.0"), WeightArray { shape, values }));
    arrays.push((format!("{name}.1"), weights.get(&format!("{place}.bias"))?.clone()));
    Ok(())
}

/// `[inputs, units]`, where the pixels of an image lie channel by channel in burgeon and pixel by pixel in Keras.
fn add_dense(
    arrays: &mut Arrays,
    weights: &Weights,
    input: FeatureShape,
    place: &str,
) -> Result<(), WeightsError> {
    let mut kernel = weights.get(&format!("{place}.weight"))?.clone();
    if let (FeatureShape::Image { channels, height, width }, [_, units]) =
        (input, &kernel.shape[..])
    {
        let rows = (0..height * width)
            .flat_map(|pixel| (0..channels).map(move |channel| channel * height * width + pixel));
        let values = rows.flat_map(|row| &kernel.values[row * units..(row + 1) * units]);
        kernel.values = values.copied().collect();
    }
    let name = layer_name(place);
    arrays.push((format!("{name}.0"), kernel));
    arrays.push((format!("{name}.1"), weights.get(&format!("{place}.bias"))?.clone()));
    Ok(())
}

fn add_norm(
    arrays: &mut Arrays,
    weights: &Weights,
    place: &str,
    name: &str,
) -> Result<(), WeightsError> {
    for (field, number) in ["gamma", "beta", "running-mean", "running-variance"].iter().zip(0..) {
        let array = weights.get(&format!("{place}.{field}"))?;
        arrays.push((format!("{name}.{number}"), array.clone()));
    }
    Ok(())
}

fn npz(arrays: &[(String, WeightArray)]) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut archive = NpzArchive::default();
    for (name, array) in arrays {
        archive.add(name, "<f4", &array.shape, &bytes_of(&array.values))?;
    }
    archive.finish()
}

#[cfg(test)]
mod tests;
