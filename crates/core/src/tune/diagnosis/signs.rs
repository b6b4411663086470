//! The measurements on a trial that its diagnosis rests on.

use std::fmt;

use crate::record::{EpochRecord, Probe};
use crate::tune::history::TrialRecord;

/// The measurements that diagnoses rest on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Signs {
    pub(super) classes: f64,
    pub(super) epochs: usize,
    /// Steps of training.
    pub(super) steps: f64,
    /// Best validation accuracy.
    pub(super) accuracy: f64,
    /// Validation accuracy at the end.
    pub(super) last_accuracy: f64,
    /// Accuracy on training images at the end: without dropout and augmentation where it was probed,
    /// otherwise as measured while training.
    pub(super) train_accuracy: f64,
    /// Standard error of that accuracy, given the number of images that it was measured on.
    pub(super) train_accuracy_error: f64,
    pub(super) train_loss: f64,
    pub(super) validation_loss: f64,
    /// Whether the network is better than guessing.
    pub(super) is_learning: bool,
    /// Whether the validation loss was still falling.
    pub(super) is_falling: bool,
    /// What the last epoch gained in validation accuracy.
    pub(super) gain: f64,
    /// How far the final accuracy lies below the best.
    pub(super) lost: f64,
    /// Epochs that lost more than one point of accuracy.
    pub(super) swings: usize,
    pub(super) stall: Option<Stall>,
}

/// Why signals or gradients do not get through, with the layer (counted from 1) where it is worst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stall {
    /// Units that return the same value whatever the image.
    Dead { layer: usize, share: f64 },
    /// Outputs where the activation is flat.
    Saturated { layer: usize, share: f64 },
    /// The first layer's gradient is this much smaller than the last one's.
    Vanishing { ratio: f64 },
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Dead { layer, share } => {
                write!(f, "{:.0} % of the units of layer {layer} are dead", share * 100.0)
            }
            Self::Saturated { layer, share } => {
                write!(f, "{:.0} % of the outputs of layer {layer} are saturated", share * 100.0)
            }
            Self::Vanishing { ratio } if *ratio < 1e-9 => {
                write!(f, "no gradient reaches the first layer")
            }
            Self::Vanishing { ratio } => write!(
                f,
                "gradients vanish: the first layer's is {:.0} times smaller than the last layer's",
                1.0 / ratio
            ),
        }
    }
}

impl Signs {
    /// Measures a trial; `None` when no epoch was finished.
    pub(super) fn of(trial: &TrialRecord) -> Option<Self> {
        let (best, last) = (trial.best()?, trial.curve.last()?);
        let classes = trial.spec.input().classes as f64;
        let probe = trial.probe();
        let batch = trial.spec.train().batch_size.min(trial.images_per_epoch()).max(1);
        let probed = last.probe.as_ref().map_or(0.0, |probe| probe.accuracy);
        let train_accuracy = last.train_accuracy.max(probed);
        let images_measured = match &last.probe {
            Some(probe) if probed > last.train_accuracy => probe.images.max(1),
            _ => trial.images_per_epoch().max(1),
        };
        let train_accuracy_error =
            (train_accuracy * (1.0 - train_accuracy) / images_measured as f64).sqrt();
        let accuracy = best.validation_accuracy;
        // Better than a constant answer by more than chance explains.
        let constant = trial.guess();
        let measured: u64 = best.recalls.iter().map(|recall| recall.images).sum();
        let error = (constant * (1.0 - constant) / measured.max(100) as f64).sqrt();
        let guess = constant + (3.0 * error).max(0.1 * (1.0 - constant));
        let falls = trial
            .curve
            .windows(2)
            .filter(|pair| pair[1].validation_accuracy < pair[0].validation_accuracy - 0.01);
        Some(Self {
            classes,
            epochs: last.epoch,
            steps: trial.images_seen() as f64 / batch as f64,
            accuracy,
            last_accuracy: last.validation_accuracy,
            train_accuracy,
            train_accuracy_error,
            train_loss: last.train_loss,
            validation_loss: last.validation_loss,
            is_learning: trial.score() >= guess
                || trial.spec.gate().accuracy > 0.0 && train_accuracy >= guess,
            is_falling: is_falling(&trial.curve),
            gain: gain_of_last(&trial.curve),
            lost: accuracy - last.validation_accuracy,
            swings: falls.count(),
            stall: probe.and_then(stall),
        })
    }
}

/// Whether the validation loss was still falling when the trial ended. After a single epoch, the
/// training loss within it is used instead, or its mean where that was not recorded.
fn is_falling(curve: &[EpochRecord]) -> bool {
    match curve {
        [] => false,
        [only] => match only.course.as_slice() {
            [.., before, last] => last < before || only.validation_loss < 0.98 * only.train_loss,
            _ => only.validation_loss < 0.98 * only.train_loss,
        },
        [.., before, last] => last.validation_loss < 0.98 * before.validation_loss,
    }
}

/// The most that another epoch can be expected to gain: what the last one did.
fn gain_of_last(curve: &[EpochRecord]) -> f64 {
    match curve {
        [] => 0.0,
        [only] => (only.validation_accuracy - only.train_accuracy).max(0.0),
        [.., before, last] => (last.validation_accuracy - before.validation_accuracy).max(0.0),
    }
}

fn stall(probe: &Probe) -> Option<Stall> {
    let (head, hidden) = probe.layers.split_last()?;
    let worst = |share: fn(&crate::record::LayerProbe) -> f64| {
        let layers = hidden.iter().map(|layer| (share(layer), layer.layer + 1));
        layers.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, 0))
    };
    let (dead, dead_layer) = worst(|layer| layer.dead);
    if dead > 0.4 {
        return Some(Stall::Dead { layer: dead_layer, share: dead });
    }
    let (saturated, layer) = worst(|layer| layer.saturated);
    if saturated > 0.6 {
        return Some(Stall::Saturated { layer, share: saturated });
    }
    // Relative to its weights, so that layers of different sizes can be compared.
    let relative = |layer: &crate::record::LayerProbe| layer.gradient / layer.weight.max(1e-12);
    let first = hidden.iter().find(|layer| layer.weight > 0.0)?;
    let ratio = relative(first) / relative(head).max(1e-30);
    (ratio < 1e-2).then_some(Stall::Vanishing { ratio })
}
