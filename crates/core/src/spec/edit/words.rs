//! The description of an edit in words.

use std::fmt;

use super::Edit;
use crate::spec::layer::Layer;
use crate::spec::train::{Augment, GradientClipping};

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::AddConvBlock { filters, kernel, pool, .. } => {
                let with_pool = if *pool { " and a 2×2 max-pool" } else { "" };
                write!(f, "add a conv layer of {filters} {kernel}×{kernel} filters{with_pool}")
            }
            Self::AddResidual { filters, kernel, .. } => {
                write!(f, "add a residual block of {filters} {kernel}×{kernel} filters")
            }
            Self::Inside { layer, edit } => write!(f, "in block {}: {edit}", layer + 1),
            Self::Widen { layer, width } => write!(f, "widen layer {} to {width}", layer + 1),
            Self::Narrow { layer, width } => write!(f, "narrow layer {} to {width}", layer + 1),
            Self::AddDense { units, .. } => write!(f, "add a dense layer of {units} units"),
            Self::RemoveLayer { layer } => write!(f, "remove layer {}", layer + 1),
            Self::SetKernel { layer, kernel } => {
                write!(f, "set the kernel of layer {} to {kernel}×{kernel}", layer + 1)
            }
            Self::SetStride { layer, stride } => {
                write!(f, "set the stride of layer {} to {stride}", layer + 1)
            }
            Self::SetPool { layer, size } => {
                write!(f, "set the window of layer {} to {size}×{size}", layer + 1)
            }
            Self::AddBatchNorm { layer } => {
                write!(f, "add batch normalization after layer {}", layer + 1)
            }
            Self::SetBatchNorm { momentum, .. } => {
                write!(f, "set the momentum of batch normalization to {momentum}")
            }
            Self::AddDropout { rate, .. } => write!(f, "add dropout of {rate}"),
            Self::SetDropout { rate } => write!(f, "set dropout to {rate}"),
            Self::SetActivation { activation } => {
                write!(f, "set the activation to {}", activation.name())
            }
            Self::SetLayers { layers } => {
                let names: Vec<String> = layers.iter().map(short).collect();
                let names = if names.is_empty() { "none".into() } else { names.join(", ") };
                write!(f, "replace all layers with {names}")
            }
            Self::SetInitialBias { bias } => write!(f, "set initial biases to {bias}"),
            Self::AddEpochs { epochs: 1 } => write!(f, "train for one more epoch"),
            Self::AddEpochs { epochs } => write!(f, "train for {epochs} more epochs"),
            Self::SetEpochs { epochs: 1 } => write!(f, "train for one epoch"),
            Self::SetEpochs { epochs } => write!(f, "train for {epochs} epochs"),
            Self::SetLearningRate { rate } => write!(f, "set the learning rate to {rate}"),
            Self::SetSchedule { schedule, warm_up } => {
                write!(f, "set the schedule to {}", schedule.name())?;
                if *warm_up > 0.0 { write!(f, " after a warm-up of {warm_up}") } else { Ok(()) }
            }
            Self::SetOptimizer { optimizer } => {
                write!(f, "set the optimizer to {}", optimizer.name())
            }
            Self::SetBatchSize { images } => write!(f, "set the batch size to {images}"),
            Self::SetWeightDecay { decay } => write!(f, "set weight decay to {decay}"),
            Self::SetLabelSmoothing { share } => write!(f, "set label smoothing to {share}"),
            Self::SetGradientClipping { clipping: None } => write!(f, "remove gradient clipping"),
            Self::SetGradientClipping { clipping: Some(GradientClipping::Value(bound)) } => {
                write!(f, "clip gradients to ±{bound}")
            }
            Self::SetGradientClipping { clipping: Some(GradientClipping::Norm(bound)) } => {
                write!(f, "clip gradients to a norm of {bound}")
            }
            Self::SetEarlyStopping { stopping: None } => write!(f, "remove early stopping"),
            Self::SetEarlyStopping { stopping: Some(stopping) } => {
                write!(f, "stop after {} epochs without improvement", stopping.patience)
            }
            Self::SetAugment { augment } if !augment.is_on() => {
                write!(f, "turn off augmentation")
            }
            Self::SetAugment { augment } => {
                write!(f, "augment training images: {}", augment_words(augment))
            }
        }
    }
}

/// The settings that are not zero.
fn augment_words(augment: &Augment) -> String {
    let settings = [
        ("shift", f64::from(augment.shift), ""),
        ("rotate", augment.rotate, "°"),
        ("scale", augment.scale, ""),
        ("elastic", augment.elastic, ""),
        ("brightness", augment.brightness, ""),
        ("contrast", augment.contrast, ""),
        ("saturation", augment.saturation, ""),
        ("cutout", f64::from(augment.cutout), ""),
    ];
    let nonzero = settings.into_iter().filter(|(_, value, _)| *value != 0.0);
    let mut words: Vec<String> =
        nonzero.map(|(name, value, unit)| format!("{name} {value}{unit}")).collect();
    for (is_on, name) in [(augment.flip, "flip"), (augment.flip_vertical, "flip vertically")] {
        words.extend(is_on.then(|| name.to_owned()));
    }
    words.join(", ")
}

/// A layer in a word or two.
fn short(layer: &Layer) -> String {
    match layer {
        Layer::Conv(conv) => format!("conv {}", conv.filters),
        Layer::Dense(dense) => format!("dense {}", dense.units),
        Layer::Dropout(dropout) => format!("dropout {}", dropout.rate),
        Layer::Residual(block) => {
            let names: Vec<String> = block.layers.iter().map(short).collect();
            format!("residual ({})", names.join(", "))
        }
        Layer::MaxPool(_) | Layer::AvgPool(_) | Layer::BatchNorm(_) | Layer::GlobalAvgPool {} => {
            layer.kind().into()
        }
    }
}
