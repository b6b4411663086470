//! Applies an edit to a study.

use super::Edit;
use crate::spec::error::SpecError;
use crate::spec::layer::{Activation, BatchNorm, Conv, Dense, Dropout, Layer, Residual};
use crate::spec::pool::Pool;
use crate::spec::shape::{FeatureShape, LayerPlan};
use crate::spec::study::{Spec, StudyFile};

/// An edit that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no layer that the edit can change at that index.
    #[error("`{edit}` cannot be applied to the layer at index {layer}")]
    NoSuchLayer {
        /// The edit in words.
        edit: String,
        /// Index of the layer, counted from 0.
        layer: usize,
    },
    /// The edited study would not be valid.
    #[error("`{edit}` gives an invalid study: {source}")]
    InvalidStudy {
        /// The edit in words.
        edit: String,
        /// Why.
        source: SpecError,
    },
}

impl Edit {
    /// The study with this change made.
    ///
    /// # Errors
    ///
    /// [`EditError`] if the layer does not exist or the changed study would not be valid.
    pub fn apply(&self, spec: &Spec) -> Result<Spec, EditError> {
        let mut file = spec.file().clone();
        if !self.change_layers(&mut file.model.layers, spec.input().channels)? {
            self.change_training(&mut file);
        }
        Spec::new(file, spec.input())
            .map_err(|source| EditError::InvalidStudy { edit: self.to_string(), source })
    }

    /// The study with these changes made in order.
    ///
    /// # Errors
    ///
    /// [`EditError`] at the first change that cannot be made.
    pub fn apply_all(edits: &[Self], spec: &Spec) -> Result<Spec, EditError> {
        edits.iter().try_fold(spec.clone(), |spec, edit| edit.apply(&spec))
    }

    /// Changes layers that receive `channels` channels; returns `false` for an edit of the training.
    fn change_layers(&self, layers: &mut Vec<Layer>, channels: usize) -> Result<bool, EditError> {
        let missing = |layer: usize| EditError::NoSuchLayer { edit: self.to_string(), layer };
        match *self {
            Self::AddConvBlock { at, filters, kernel, pool } => {
                let mut conv = Conv::same(filters, kernel);
                conv.activation = fitting_activation(layers);
                let block = [Layer::Conv(conv), Layer::MaxPool(Pool::of(2))];
                let at = at.min(layers.len());
                layers.splice(at..at, block.into_iter().take(1 + usize::from(pool)));
            }
            Self::AddResidual { at, filters, kernel } => {
                let at = at.min(layers.len());
                let channels = output_channels(&layers[..at], channels);
                let block = new_block(layers, at, [filters, channels], kernel);
                layers.insert(at, Layer::Residual(block));
            }
            Self::Inside { layer, ref edit } => {
                let block_input = output_channels(&layers[..layer.min(layers.len())], channels);
                match layers.get_mut(layer) {
                    Some(Layer::Residual(block)) => {
                        if !edit.change_layers(&mut block.layers, block_input)? {
                            return Err(missing(layer));
                        }
                    }
                    _ => return Err(missing(layer)),
                }
            }
            Self::Widen { layer, width } | Self::Narrow { layer, width } => {
                match layers.get_mut(layer) {
                    Some(Layer::Conv(conv)) => {
                        let old = std::mem::replace(&mut conv.filters, width);
                        adapt_depthwise(&mut layers[layer + 1..], old, width);
                    }
                    Some(Layer::Dense(dense)) => dense.units = width,
                    _ => return Err(missing(layer)),
                }
            }
            Self::AddDense { at, units } => {
                let mut dense = Dense::of(units);
                dense.activation = fitting_activation(layers);
                layers.insert(at.min(layers.len()), Layer::Dense(dense));
            }
            Self::RemoveLayer { layer } => {
                if layer >= layers.len() {
                    return Err(missing(layer));
                }
                layers.remove(layer);
            }
            Self::SetKernel { layer, kernel } => match layers.get_mut(layer) {
                Some(Layer::Conv(conv)) => conv.kernel = kernel,
                _ => return Err(missing(layer)),
            },
            Self::SetStride { layer, stride } => match layers.get_mut(layer) {
                Some(Layer::Conv(conv)) => conv.stride = stride,
                _ => return Err(missing(layer)),
            },
            Self::SetPool { layer, size } => match layers.get_mut(layer) {
                Some(Layer::MaxPool(pool) | Layer::AvgPool(pool)) => *pool = Pool::of(size),
                _ => return Err(missing(layer)),
            },
            Self::AddBatchNorm { layer } => {
                let activation = layers.get_mut(layer).and_then(Layer::activation_mut);
                let Some(slot) = activation else {
                    return Err(missing(layer));
                };
                let activation = std::mem::replace(slot, Activation::None);
                let norm = BatchNorm { activation, ..BatchNorm::default() };
                layers.insert(layer + 1, Layer::BatchNorm(norm));
            }
            Self::SetBatchNorm { momentum, epsilon } => for_each_layer(layers, &mut |layer| {
                if let Layer::BatchNorm(norm) = layer {
                    (norm.momentum, norm.epsilon) = (momentum, epsilon);
                }
            }),
            Self::AddDropout { at, rate } => {
                layers.insert(at.min(layers.len()), Layer::Dropout(Dropout { rate }));
            }
            Self::SetDropout { rate } => for_each_layer(layers, &mut |layer| {
                if let Layer::Dropout(dropout) = layer {
                    dropout.rate = rate;
                }
            }),
            Self::SetActivation { activation } => {
                let all_are_linear = are_linear(layers);
                set_activation(layers, activation, all_are_linear);
            }
            Self::SetLayers { layers: ref new } => layers.clone_from(new),
            Self::SetInitialBias { bias } => for_each_layer(layers, &mut |layer| match layer {
                Layer::Conv(conv) => conv.initial_bias = bias,
                Layer::Dense(dense) => dense.initial_bias = bias,
                Layer::MaxPool(_)
                | Layer::AvgPool(_)
                | Layer::BatchNorm(_)
                | Layer::Dropout(_)
                | Layer::Residual(_)
                | Layer::GlobalAvgPool {} => {}
            }),
            Self::AddEpochs { .. }
            | Self::SetEpochs { .. }
            | Self::SetLearningRate { .. }
            | Self::SetSchedule { .. }
            | Self::SetOptimizer { .. }
            | Self::SetBatchSize { .. }
            | Self::SetWeightDecay { .. }
            | Self::SetLabelSmoothing { .. }
            | Self::SetGradientClipping { .. }
            | Self::SetEarlyStopping { .. }
            | Self::SetAugment { .. } => return Ok(false),
        }
        Ok(true)
    }

    fn change_training(&self, file: &mut StudyFile) {
        let train = &mut file.train;
        match *self {
            Self::AddEpochs { epochs } => train.epochs = train.epochs.saturating_add(epochs),
            Self::SetEpochs { epochs } => train.epochs = epochs,
            Self::SetLearningRate { rate } => train.learning_rate = rate,
            Self::SetSchedule { ref schedule, warm_up } => {
                train.schedule = schedule.clone();
                train.warm_up = warm_up;
            }
            Self::SetOptimizer { ref optimizer } => train.optimizer = optimizer.clone(),
            Self::SetBatchSize { images } => train.batch_size = images,
            Self::SetWeightDecay { decay } => train.weight_decay = decay,
            Self::SetLabelSmoothing { share } => train.label_smoothing = share,
            Self::SetGradientClipping { clipping } => train.gradient_clipping = clipping,
            Self::SetEarlyStopping { stopping } => train.early_stopping = stopping,
            Self::SetAugment { augment } => train.augment = augment,
            Self::AddConvBlock { .. }
            | Self::AddResidual { .. }
            | Self::Inside { .. }
            | Self::Widen { .. }
            | Self::Narrow { .. }
            | Self::AddDense { .. }
            | Self::RemoveLayer { .. }
            | Self::SetKernel { .. }
            | Self::SetStride { .. }
            | Self::SetPool { .. }
            | Self::AddBatchNorm { .. }
            | Self::SetBatchNorm { .. }
            | Self::AddDropout { .. }
            | Self::SetDropout { .. }
            | Self::SetActivation { .. }
            | Self::SetLayers { .. }
            | Self::SetInitialBias { .. } => {}
        }
    }
}

/// Applies `change` to every layer, including those within residual blocks.
fn for_each_layer(layers: &mut [Layer], change: &mut impl FnMut(&mut Layer)) {
    for layer in layers {
        change(layer);
        if let Layer::Residual(block) = layer {
            for_each_layer(&mut block.layers, change);
        }
    }
}

fn are_linear(layers: &[Layer]) -> bool {
    layers.iter().all(|layer| {
        let within = match layer {
            Layer::Residual(block) => are_linear(&block.layers),
            _ => true,
        };
        within && layer.activation().is_none_or(|activation| activation == Activation::None)
    })
}

/// Sets the activation of every layer that has one. A layer without activation keeps none, as it may
/// be meant so, for example before a batch-norm; unless no layer has one, when all but those before a
/// batch-norm are set.
fn set_activation(layers: &mut [Layer], activation: Activation, all_are_linear: bool) {
    for at in 0..layers.len() {
        let is_normalized = matches!(layers.get(at + 1), Some(Layer::BatchNorm(_)));
        if let Some(slot) = layers[at].activation_mut()
            && (*slot != Activation::None || all_are_linear && !is_normalized)
        {
            *slot = activation;
        }
        if let Layer::Residual(block) = &mut layers[at] {
            set_activation(&mut block.layers, activation, all_are_linear);
        }
    }
}

/// Adapts the depthwise convolutions that follow a layer whose width changed: they have as many
/// groups and filters as input channels. Returns whether the search ended at a layer that sets its
/// own number of channels.
fn adapt_depthwise(layers: &mut [Layer], old: usize, new: usize) -> bool {
    for layer in layers {
        let ends = match layer {
            Layer::Conv(conv) if old > 1 && conv.groups == old && conv.filters == old => {
                (conv.groups, conv.filters) = (new, new);
                false
            }
            Layer::Conv(_) | Layer::Dense(_) => true,
            Layer::Residual(block) => adapt_depthwise(&mut block.layers, old, new),
            _ => false,
        };
        if ends {
            return true;
        }
    }
    false
}

/// Channels that layers on images return when they receive `channels`.
fn output_channels(layers: &[Layer], channels: usize) -> usize {
    layers.iter().fold(channels, |channels, layer| match layer {
        Layer::Conv(conv) => conv.filters,
        Layer::Residual(block) => output_channels(&block.layers, channels),
        _ => channels,
    })
}

/// A new residual block for index `at`; `filters` are those of its two convolutions.
fn new_block(layers: &[Layer], at: usize, filters: [usize; 2], kernel: usize) -> Residual {
    let conv =
        |filters| Layer::Conv(Conv { activation: Activation::None, ..Conv::same(filters, kernel) });
    let activated = BatchNorm { activation: fitting_activation(layers), ..BatchNorm::default() };
    let branch = vec![
        conv(filters[0]),
        Layer::BatchNorm(activated),
        conv(filters[1]),
        Layer::BatchNorm(BatchNorm::default()),
    ];
    // Relu leaves non-negative values unchanged, so that the block still returns its input at first.
    let is_kept_by_relu = never_negative(&layers[..at]);
    let activation = if is_kept_by_relu { Activation::Relu } else { Activation::None };
    Residual { activation, ..Residual::of(branch) }
}

/// Whether the output of these layers is known never to be negative.
pub(crate) fn never_negative(layers: &[Layer]) -> bool {
    // Pools and dropout keep the sign.
    let last = layers.iter().rev().find_map(Layer::activation);
    matches!(last, Some(Activation::Relu | Activation::Sigmoid))
}

/// The activation for a new layer: the last one that the network uses; relu instead of tanh and
/// sigmoid, with which a layer cannot be inserted without changing the network's output.
fn fitting_activation(layers: &[Layer]) -> Activation {
    layers
        .iter()
        .filter_map(Layer::activation)
        .rfind(|&activation| activation != Activation::None)
        .filter(|activation| !matches!(activation, Activation::Tanh | Activation::Sigmoid))
        .unwrap_or_default()
}

impl Spec {
    /// The index at which a conv block can be inserted: before the first layer that returns flat
    /// features, the head included. Also the image shape there; `None` if its input is already flat.
    pub fn end_of_features(&self) -> (usize, Option<FeatureShape>) {
        let rows = &self.table().rows;
        let is_flat = |row: &LayerPlan| matches!(row.output, FeatureShape::Flat { .. });
        let at = rows.iter().position(is_flat).unwrap_or(rows.len() - 1);
        let reaching = rows[at].input;
        (at, matches!(reaching, FeatureShape::Image { .. }).then_some(reaching))
    }
}

#[cfg(test)]
mod tests;
