//! Typed changes to a study: growth is a sequence of them.
//!
//! An [`Edit`] says what changes; [`apply`](Edit::apply) makes the change and checks the result;
//! [`diff`] shows it as lines of the study file; [`EditCost`] says what it costs.

mod apply;
#[cfg(feature = "train")]
mod between;
mod cost;
mod diff;
mod words;

use serde::{Deserialize, Serialize};

pub use self::apply::EditError;
pub(crate) use self::apply::never_negative;
#[cfg(feature = "train")]
pub(crate) use self::between::edits_between;
pub use self::cost::{EditCost, training_flops};
pub use self::diff::diff;
pub(crate) use self::diff::operations;
#[cfg(feature = "cli")]
pub(crate) use self::diff::{SectionDiff, sections};
use super::layer::{Activation, Layer};
use super::optimizer::Optimizer;
use super::train::{Augment, EarlyStopping, GradientClipping, Schedule};

/// One typed change to a study. `Display` describes it in words. Fields count layers from 0; the
/// words count them from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Insert a "same"-padded convolution, optionally followed by a 2×2 max-pool.
    AddConvBlock {
        /// Index at which it is inserted; an index past the end appends it.
        at: usize,
        /// Output channels.
        filters: usize,
        /// Side of the kernel.
        kernel: usize,
        /// Whether a 2×2 max-pool follows.
        pool: bool,
    },
    /// Insert a residual block that returns its input unchanged at first: convolution, batch-norm,
    /// activation, convolution, and a batch-norm whose scale starts at zero. The sum is followed by
    /// relu where its input is never negative, and by no activation elsewhere.
    AddResidual {
        /// Index at which it is inserted; an index past the end appends it.
        at: usize,
        /// Channels between its two convolutions.
        filters: usize,
        /// Side of its kernels.
        kernel: usize,
    },
    /// Change the layers within a residual block; `edit` counts them within the block.
    Inside {
        /// Index of the block.
        layer: usize,
        /// An edit of layers.
        edit: Box<Edit>,
    },
    /// Give a conv layer more filters, or a dense layer more units.
    Widen {
        /// Index of the layer.
        layer: usize,
        /// Its new filters or units.
        width: usize,
    },
    /// Give a conv layer fewer filters, or a dense layer fewer units.
    Narrow {
        /// Index of the layer.
        layer: usize,
        /// Its new filters or units.
        width: usize,
    },
    /// Insert a dense layer.
    AddDense {
        /// Index at which it is inserted; an index past the end appends it.
        at: usize,
        /// Output features.
        units: usize,
    },
    /// Remove a layer.
    RemoveLayer {
        /// Index of the layer.
        layer: usize,
    },
    /// Change the side of a conv layer's kernel.
    SetKernel {
        /// Index of the layer.
        layer: usize,
        /// Side of the new kernel in pixels.
        kernel: usize,
    },
    /// Change the stride of a conv layer.
    SetStride {
        /// Index of the layer.
        layer: usize,
        /// Its new stride.
        stride: usize,
    },
    /// Change the window of a pooling layer; its windows then do not overlap and have no padding.
    SetPool {
        /// Index of the layer.
        layer: usize,
        /// Side of the new window in pixels.
        size: usize,
    },
    /// Insert batch normalization after a conv or dense layer, before its activation.
    AddBatchNorm {
        /// Index of the conv or dense layer.
        layer: usize,
    },
    /// Change the settings of every batch-norm.
    SetBatchNorm {
        /// Weight of the newest batch in the running mean and variance.
        momentum: f64,
        /// Added to the variance.
        epsilon: f64,
    },
    /// Insert dropout.
    AddDropout {
        /// Index at which it is inserted; an index past the end appends it.
        at: usize,
        /// Share of activations set to zero.
        rate: f64,
    },
    /// Change the rate of every dropout layer.
    SetDropout {
        /// Share of activations set to zero.
        rate: f64,
    },
    /// Change the activation of every layer that has one.
    SetActivation {
        /// The new activation.
        activation: Activation,
    },
    /// Change the initial value of every bias.
    SetInitialBias {
        /// The new value.
        bias: f64,
    },
    /// Replace all layers.
    SetLayers {
        /// The new layers.
        layers: Vec<Layer>,
    },
    /// Train for this many more epochs.
    AddEpochs {
        /// Added to the current number.
        epochs: usize,
    },
    /// Change the number of epochs.
    SetEpochs {
        /// The new number.
        epochs: usize,
    },
    /// Change the learning rate.
    SetLearningRate {
        /// The new highest learning rate.
        rate: f64,
    },
    /// Change the learning-rate schedule.
    SetSchedule {
        /// The new schedule.
        schedule: Schedule,
        /// Share of all steps over which the learning rate first rises from zero.
        warm_up: f64,
    },
    /// Change the optimizer.
    SetOptimizer {
        /// The new optimizer, with its parameters.
        optimizer: Optimizer,
    },
    /// Change the number of images per step.
    SetBatchSize {
        /// The new number.
        images: usize,
    },
    /// Change the weight decay.
    SetWeightDecay {
        /// The new weight decay.
        decay: f64,
    },
    /// Change the label smoothing.
    SetLabelSmoothing {
        /// The new share of probability that is spread over all classes.
        share: f64,
    },
    /// Change the gradient clipping.
    SetGradientClipping {
        /// The new limit; `None` for no limit.
        clipping: Option<GradientClipping>,
    },
    /// Change the early stopping.
    SetEarlyStopping {
        /// The new rule; `None` for no early stopping.
        stopping: Option<EarlyStopping>,
    },
    /// Change the augmentation of training images.
    SetAugment {
        /// The new augmentation.
        augment: Augment,
    },
}

impl Edit {
    /// Whether the edit changes the network, not only its training.
    pub fn changes_network(&self) -> bool {
        matches!(
            self,
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
        )
    }
}
