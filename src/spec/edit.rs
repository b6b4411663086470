//! Typed changes of a study: what growth is made of.

use serde::{Deserialize, Serialize};

use super::error::SpecError;
use super::layer::{Activation, Conv, Dense, Layer, Pool};
use super::optimizer::Optimizer;
use super::shape::FeatureShape;
use super::study::{Spec, StudyFile};

/// One typed change. `Display` says it in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Insert a "same"-padded convolution, with a 2×2 max-pool behind it or without.
    AddConvBlock {
        /// Index of the layer that it goes before.
        at: usize,
        /// Output channels.
        filters: usize,
        /// Side of the kernel.
        kernel: usize,
        /// Whether a 2×2 max-pool follows.
        pool: bool,
    },
    /// Give a conv layer more filters, or a dense layer more units.
    Widen {
        /// Index of the layer.
        layer: usize,
        /// Its new filters or units.
        width: usize,
    },
    /// Insert a dense layer.
    AddDense {
        /// Index of the layer that it goes before.
        at: usize,
        /// Output features.
        units: usize,
    },
    /// Train for this many more epochs.
    AddEpochs {
        /// Added to the present number.
        epochs: usize,
    },
    /// Change the learning rate.
    SetLearningRate {
        /// The new highest rate.
        rate: f64,
    },
    /// Change the activation of every layer that has one.
    SetActivation {
        /// The new activation.
        activation: Activation,
    },
    /// Change the optimizer.
    SetOptimizer {
        /// The new optimizer, with its parameters.
        optimizer: Optimizer,
    },
    /// Change the number of images a step.
    SetBatchSize {
        /// The new number.
        images: usize,
    },
}

/// An edit that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no layer of the needed kind at that index.
    #[error("`{edit}` needs a conv or dense layer at index {layer}")]
    NoSuchLayer {
        /// The edit in words.
        edit: String,
        /// The index.
        layer: usize,
    },
    /// The edited study would not work.
    #[error("`{edit}` gives a study that cannot work: {source}")]
    Unworkable {
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
    /// [`EditError`] when the layer is not there or the changed study would not work.
    pub fn apply(&self, spec: &Spec) -> Result<Spec, EditError> {
        let mut file = spec.file().clone();
        self.change(&mut file)?;
        Spec::new(file, spec.input())
            .map_err(|source| EditError::Unworkable { edit: self.to_string(), source })
    }

    /// Whether the edit changes the network rather than only its training.
    pub fn changes_network(&self) -> bool {
        matches!(
            self,
            Self::AddConvBlock { .. }
                | Self::Widen { .. }
                | Self::AddDense { .. }
                | Self::SetActivation { .. }
        )
    }

    fn change(&self, file: &mut StudyFile) -> Result<(), EditError> {
        let layers = &mut file.model.layers;
        let missing = |layer: usize| EditError::NoSuchLayer { edit: self.to_string(), layer };
        match *self {
            Self::AddConvBlock { at, filters, kernel, pool } => {
                let mut conv = Conv::same(filters, kernel);
                conv.activation = usual_activation(layers);
                let block = [Layer::Conv(conv), Layer::MaxPool(Pool::of(2))];
                let at = at.min(layers.len());
                layers.splice(at..at, block.into_iter().take(1 + usize::from(pool)));
            }
            Self::Widen { layer, width } => match layers.get_mut(layer) {
                Some(Layer::Conv(conv)) => conv.filters = width,
                Some(Layer::Dense(dense)) => dense.units = width,
                _ => return Err(missing(layer)),
            },
            Self::AddDense { at, units } => {
                let mut dense = Dense::of(units);
                dense.activation = usual_activation(layers);
                layers.insert(at.min(layers.len()), Layer::Dense(dense));
            }
            Self::AddEpochs { epochs } => {
                file.train.epochs = file.train.epochs.saturating_add(epochs);
            }
            Self::SetLearningRate { rate } => file.train.learning_rate = rate,
            Self::SetActivation { activation } => {
                let present = layers.iter_mut().filter_map(Layer::activation_mut);
                for slot in present.filter(|slot| **slot != Activation::None) {
                    *slot = activation;
                }
            }
            Self::SetOptimizer { ref optimizer } => file.train.optimizer = optimizer.clone(),
            Self::SetBatchSize { images } => file.train.batch_size = images,
        }
        Ok(())
    }
}

/// The activation that the network's layers have, so that a new layer fits in.
fn usual_activation(layers: &[Layer]) -> Activation {
    layers
        .iter()
        .filter_map(Layer::activation)
        .rfind(|&activation| activation != Activation::None)
        .unwrap_or_default()
}

impl Spec {
    /// Where a conv block may go: before the first layer that works on flat features, or at the
    /// end where none does. Also the image shape that reaches this place; `None` when a layer
    /// before it already flattened.
    pub fn end_of_features(&self) -> (usize, Option<FeatureShape>) {
        let rows = &self.table().rows;
        let is_flat =
            |row: &super::shape::LayerPlan| matches!(row.output, FeatureShape::Flat { .. });
        let at = rows.iter().position(is_flat).unwrap_or(rows.len() - 1);
        let reaching = rows[at].input;
        (at, matches!(reaching, FeatureShape::Image { .. }).then_some(reaching))
    }
}

impl std::fmt::Display for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::AddConvBlock { filters, kernel, pool, .. } => {
                let behind = if *pool { " and a 2×2 max-pool" } else { "" };
                write!(f, "add a conv layer of {filters} {kernel}×{kernel} filters{behind}")
            }
            Self::Widen { layer, width } => write!(f, "widen layer {} to {width}", layer + 1),
            Self::AddDense { units, .. } => write!(f, "add a dense layer of {units} units"),
            Self::AddEpochs { epochs: 1 } => write!(f, "train for one more epoch"),
            Self::AddEpochs { epochs } => write!(f, "train for {epochs} more epochs"),
            Self::SetLearningRate { rate } => write!(f, "set the learning rate to {rate}"),
            Self::SetActivation { activation } => {
                write!(f, "set the activation to {}", activation.name())
            }
            Self::SetOptimizer { optimizer } => {
                write!(f, "set the optimizer to {}", optimizer.name())
            }
            Self::SetBatchSize { images } => write!(f, "set the batch size to {images}"),
        }
    }
}
