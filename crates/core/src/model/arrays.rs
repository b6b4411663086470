//! The arrays of a spec's network: their names, their shapes, and the parameter numbers of those that are
//! trained.

use crate::spec::{FeatureShape, Layer, LayerPlan, Spec};

/// The place of a layer in its network: the prefix of its arrays' names, and a number from which its
/// parameter numbers and its dropout stream are computed.
///
/// Layer `i` of the study has the prefix `layers.i` and the number i + 1; the head has the prefix `head`
/// and the next number. Layer `j` of the residual block at `i` has the prefix `layers.i.residual.j`, and
/// the projection `layers.i.projection`; their numbers are the block's times [`PARTS`] plus a part, so
/// that they are unique and do not change when layers are added after the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerPlace {
    pub(super) prefix: String,
    pub(super) number: u64,
}

/// More than the number of parts of a block. Its layers are parts 1, 2, …; its projection is the last.
const PARTS: u64 = 512;

impl LayerPlace {
    /// The place of a layer of the study, or of the head, whose index is the number of layers.
    pub(super) fn of(spec: &Spec, index: usize) -> Self {
        let is_head = index == spec.layers().len();
        let prefix = if is_head { "head".into() } else { format!("layers.{index}") };
        Self { prefix, number: index as u64 + 1 }
    }

    /// The place of a layer within the residual block at this place.
    pub(super) fn inner(&self, index: usize) -> Self {
        Self {
            prefix: format!("{}.residual.{index}", self.prefix),
            number: self.number * PARTS + index as u64 + 1,
        }
    }

    /// The place of the projection of the residual block at this place.
    pub(super) fn projection(&self) -> Self {
        Self {
            prefix: format!("{}.projection", self.prefix),
            number: self.number * PARTS + PARTS - 1,
        }
    }

    /// The number of the layer's `slot`-th parameter. It is the same in every run, so that saved optimizer
    /// state can be matched to its parameter.
    pub(super) fn parameter(&self, slot: u64) -> u64 {
        16 * self.number + slot
    }
}

/// The parameter number of the weight of a layer of the study, or of the head.
pub(crate) fn weight_number(spec: &Spec, index: usize) -> u64 {
    LayerPlace::of(spec, index).parameter(0)
}

/// One array of a network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExpectedArray<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// The parameter number; `None` for running statistics, which are not trained.
    pub(super) parameter: Option<u64>,
    /// The layer that it belongs to; `None` for the head and projections.
    pub(super) layer: Option<&'a Layer>,
}

/// Every array that the spec's network has, in the order in which burn visits them.
pub(super) fn expected_arrays(spec: &Spec) -> Vec<ExpectedArray<'_>> {
    let mut arrays = Vec::new();
    for (index, row) in spec.table().rows.iter().enumerate() {
        add(&mut arrays, spec.layers().get(index), row, &LayerPlace::of(spec, index));
    }
    arrays
}

/// Name and shape of every array that the spec's network has.
pub(super) fn expected_shapes(spec: &Spec) -> Vec<(String, Vec<usize>)> {
    expected_arrays(spec).into_iter().map(|array| (array.name, array.shape)).collect()
}

/// Number and name of every parameter of the spec's network, in the order in which burn visits them.
pub(crate) fn trained_parameters(spec: &Spec) -> Vec<(u64, String)> {
    let arrays = expected_arrays(spec).into_iter();
    arrays.filter_map(|array| Some((array.parameter?, array.name))).collect()
}

/// Name and shape of every array of the spec's network that is not trained, in the order in which burn visits them.
pub(crate) fn running_statistics(spec: &Spec) -> Vec<(String, Vec<usize>)> {
    let arrays = expected_arrays(spec).into_iter();
    let untrained = arrays.filter(|array| array.parameter.is_none());
    untrained.map(|array| (array.name, array.shape)).collect()
}

/// `layer` is `None` for the head.
fn add<'a>(
    arrays: &mut Vec<ExpectedArray<'a>>,
    layer: Option<&'a Layer>,
    row: &LayerPlan,
    place: &LayerPlace,
) {
    for (slot, (field, shape)) in fields(layer, row).into_iter().enumerate() {
        arrays.push(array(place, slot, field, shape, layer));
    }
    let Some(Layer::Residual(block)) = layer else {
        return;
    };
    for (index, (layer, row)) in block.layers.iter().zip(&row.inner).enumerate() {
        add(arrays, Some(layer), row, &place.inner(index));
    }
    if let Some(projection) = &row.projection {
        let is_normalized = block.norm().is_some();
        let fields = projection_fields(projection, is_normalized).into_iter().enumerate();
        let place = place.projection();
        arrays.extend(fields.map(|(slot, (field, shape))| array(&place, slot, field, shape, None)));
    }
}

fn array<'a>(
    place: &LayerPlace,
    slot: usize,
    field: &str,
    shape: Vec<usize>,
    layer: Option<&'a Layer>,
) -> ExpectedArray<'a> {
    let is_trained = !field.starts_with("running");
    ExpectedArray {
        name: format!("{}.{field}", place.prefix),
        shape,
        parameter: is_trained.then(|| place.parameter(slot as u64)),
        layer,
    }
}

/// The fields of a layer, such as `weight`, and their shapes.
pub(super) type Fields = Vec<(&'static str, Vec<usize>)>;

/// The fields of a layer, without those of layers within it; `None` is the head.
pub(super) fn fields(layer: Option<&Layer>, row: &LayerPlan) -> Fields {
    match layer {
        Some(Layer::Conv(conv)) => {
            let channels = row.input.channels() / conv.groups;
            conv_fields(conv.filters, channels, conv.kernel)
        }
        Some(Layer::BatchNorm(_)) => norm_fields(row.input.channels()),
        Some(Layer::Dense(_)) | None => {
            let units = match row.output {
                FeatureShape::Flat { features } => features,
                image @ FeatureShape::Image { .. } => image.len(),
            };
            vec![("weight", vec![row.input.len(), units]), ("bias", vec![units])]
        }
        Some(
            Layer::MaxPool(_)
            | Layer::AvgPool(_)
            | Layer::Dropout(_)
            | Layer::GlobalAvgPool {}
            | Layer::Residual(_),
        ) => Vec::new(),
    }
}

/// The fields of a residual block's projection.
pub(super) fn projection_fields(projection: &LayerPlan, is_normalized: bool) -> Fields {
    let filters = projection.output.channels();
    let mut fields = conv_fields(filters, projection.input.channels(), 1);
    if is_normalized {
        fields.extend(norm_fields(filters));
    }
    fields
}

fn conv_fields(filters: usize, channels: usize, kernel: usize) -> Fields {
    vec![("weight", vec![filters, channels, kernel, kernel]), ("bias", vec![filters])]
}

fn norm_fields(channels: usize) -> Fields {
    let fields = ["gamma", "beta", "running-mean", "running-variance"];
    fields.map(|field| (field, vec![channels])).into()
}

#[cfg(test)]
mod tests;
