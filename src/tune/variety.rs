//! How much the training images are varied, and a member held back from memorizing them.

use super::history::TrialRecord;
use crate::spec::{Augment, Border, InputShape, Layer, Spec};

/// From nothing to much; each has what those before it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variety {
    /// Images as they are.
    Plain,
    /// Moved by a few pixels; photos mirrored too.
    Moved,
    /// And dropout before the dense layer.
    Dropped,
    /// And turned and scaled.
    Turned,
}

/// Fewer training images than this are varied from the start.
const FEW_IMAGES: usize = 10_000;

/// A network that makes so much smaller a share of errors on its training images has begun to memorize them.
const MEMORIZES: f64 = 0.4;

impl Variety {
    /// For a member grown from `parent`: what the data begins with, and one step more than the last member had where
    /// that memorized its images.
    pub(super) fn after(parent: &TrialRecord, is_member: bool) -> Self {
        if !is_member {
            return Self::first(parent.spec.input(), parent.images_per_epoch());
        }
        let present = Self::of(&parent.spec);
        if memorizes(parent) { present.next() } else { present }
    }

    /// What data of this shape and number of images begins with.
    pub fn first(input: InputShape, images: usize) -> Self {
        if input.channels > 1 || images < FEW_IMAGES { Self::Moved } else { Self::Plain }
    }

    fn of(spec: &Spec) -> Self {
        let augment = spec.train().augment;
        let has_dropout = spec.layers().iter().any(|layer| matches!(layer, Layer::Dropout(_)));
        match (augment.rotate > 0.0 && augment.scale > 0.0, has_dropout, augment.is_on()) {
            (true, true, _) => Self::Turned,
            (_, true, _) => Self::Dropped,
            (_, _, true) => Self::Moved,
            _ => Self::Plain,
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Plain => Self::Moved,
            Self::Moved => Self::Dropped,
            Self::Dropped | Self::Turned => Self::Turned,
        }
    }

    /// The rate of dropout before the dense layer.
    pub fn dropout(self) -> f64 {
        if self >= Self::Dropped { 0.3 } else { 0.0 }
    }

    /// The distortions of a study that has `present` ones. Those stay: whether colours may change or a mirror image is
    /// the same thing is known to whoever wrote them.
    pub fn augment(self, input: InputShape, present: Augment) -> Augment {
        let mut augment = present;
        let side = input.height.min(input.width) as u32;
        if self >= Self::Moved && !augment.is_on() {
            augment.shift = (side / 14).max(1);
            if input.channels > 1 {
                // What a photo shows is the same in a mirror; letters and digits are rarely in colour.
                augment.flip = true;
                augment.border = Border::Reflect;
            }
        }
        if self >= Self::Turned {
            augment.rotate = augment.rotate.max(10.0);
            augment.scale = augment.scale.max(0.1);
        }
        augment
    }
}

/// Whether a trial makes far fewer errors on its training images than on others.
pub(super) fn memorizes(trial: &TrialRecord) -> bool {
    let Some(last) = trial.curve.last() else { return false };
    let looked = last.probe.as_ref().map_or(0.0, |probe| probe.accuracy);
    let accuracy = last.train_accuracy.max(looked);
    let images = match &last.probe {
        Some(probe) if looked > last.train_accuracy => probe.images,
        _ => trial.images_per_epoch(),
    };
    let images = images.max(1) as f64;
    let luck = ((1.0 - accuracy) * accuracy / images).max(0.0).sqrt();
    1.0 - accuracy + 2.0 * luck < MEMORIZES * (1.0 - trial.score())
}
