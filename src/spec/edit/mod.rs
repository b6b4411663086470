//! Typed changes of a study: what growth is made of.
//!
//! An [`Edit`] says what changes; [`apply`](Edit::apply) makes the change and checks the result;
//! [`diff`] shows it as lines of the study file; [`EditCost`] says what it costs.

mod apply;
mod cost;
mod diff;
mod words;

use serde::{Deserialize, Serialize};

pub use self::apply::EditError;
pub(crate) use self::apply::never_negative;
pub use self::cost::{EditCost, training_flops};
pub use self::diff::diff;
use super::layer::{Activation, Layer};
use super::optimizer::Optimizer;
use super::train::{Augment, EarlyStopping, GradientClipping, Schedule};

/// One typed change. `Display` says it in words. Layers are counted from 0.
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
    /// Insert a residual block that hands on what it receives at first: convolution, batch-norm,
    /// activation, convolution and a batch-norm that begins with zero. Behind the sum stands relu
    /// where nothing below zero arrives, nothing elsewhere.
    AddResidual {
        /// Index of the layer that it goes before.
        at: usize,
        /// Channels within the block.
        filters: usize,
        /// Side of its kernels.
        kernel: usize,
    },
    /// Change the branch of a residual block: the layers of `edit` are counted within it.
    Inside {
        /// Index of the block.
        layer: usize,
        /// A change of layers.
        edit: Box<Edit>,
    },
    /// Give a conv layer more filters, or a dense layer more units.
    Widen {
        /// Index of the layer.
        layer: usize,
        /// Its new filters or units.
        width: usize,
    },
    /// Leave a conv layer fewer filters, or a dense layer fewer units.
    Narrow {
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
    /// Take a layer out.
    RemoveLayer {
        /// Index of the layer.
        layer: usize,
    },
    /// Change the side of a conv layer's kernel.
    SetKernel {
        /// Index of the layer.
        layer: usize,
        /// Its new side.
        kernel: usize,
    },
    /// Change how far a conv layer's kernel moves.
    SetStride {
        /// Index of the layer.
        layer: usize,
        /// Its new stride.
        stride: usize,
    },
    /// Change the window of a pool, which then does not overlap.
    SetPool {
        /// Index of the layer.
        layer: usize,
        /// Its new side.
        size: usize,
    },
    /// Normalize what a conv or dense layer returns, before its activation.
    AddBatchNorm {
        /// Index of the conv or dense layer.
        layer: usize,
    },
    /// Change the settings of every batch-norm.
    SetBatchNorm {
        /// Weight of the newest batch in the running statistics.
        momentum: f64,
        /// Added to the variance.
        epsilon: f64,
    },
    /// Insert dropout.
    AddDropout {
        /// Index of the layer that it goes before.
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
    /// Change what every bias starts from.
    SetInitialBias {
        /// The new value.
        bias: f64,
    },
    /// Replace all layers.
    SetLayers {
        /// The new ones.
        layers: Vec<Layer>,
    },
    /// Train for this many more epochs.
    AddEpochs {
        /// Added to the present number.
        epochs: usize,
    },
    /// Change the number of epochs.
    SetEpochs {
        /// The new number.
        epochs: usize,
    },
    /// Change the learning rate.
    SetLearningRate {
        /// The new highest rate.
        rate: f64,
    },
    /// Change the course of the learning rate.
    SetSchedule {
        /// The new schedule.
        schedule: Schedule,
        /// Share of all steps over which the rate first rises.
        warm_up: f64,
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
    /// Change the pull of the weights towards zero.
    SetWeightDecay {
        /// The new pull.
        decay: f64,
    },
    /// Change the probability mass spread over all classes.
    SetLabelSmoothing {
        /// The new share.
        share: f64,
    },
    /// Change the bound on the gradient.
    SetGradientClipping {
        /// The new bound; `None` for no bound.
        clipping: Option<GradientClipping>,
    },
    /// Change when a trial ends early.
    SetEarlyStopping {
        /// The new rule; `None` for never.
        stopping: Option<EarlyStopping>,
    },
    /// Change the distortions of training images.
    SetAugment {
        /// The new distortions.
        augment: Augment,
    },
}

impl Edit {
    /// Whether the edit changes the network rather than only its training.
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
