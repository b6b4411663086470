//! How strongly members of the family are regularized, by augmentation and dropout.

use super::history::TrialRecord;
use crate::spec::{Augment, Border, InputShape, Layer, Spec};

/// Levels of augmentation and dropout, from none to strong; each includes those before it.
///
/// Dropout comes before turned images, as it hardly ever adds errors: with 400 images of each of six data sets it leaves
/// 0.86 to 0.99 times the errors, turned images 0.65 to 1.48 times (`benches/variety.py`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variety {
    /// Images as they are.
    Plain,
    /// Moved by a few pixels.
    Moved,
    /// Also dropout before the dense layer.
    Dropped,
    /// Also rotated and scaled.
    Turned,
}

/// Images that are seen at least this often are varied from the start. In the table of varied images in
/// `docs/growth-prior.md`, that reduces errors from here on; with fewer epochs, it adds errors as often as not.
const SEEN_OFTEN: usize = 8;

/// A network whose error on its training images is less than this share of its validation error has begun to memorize
/// them.
const MEMORIZES: f64 = 0.4;

impl Variety {
    /// For a member grown from `parent` that sees each image `epochs` times: at least what a first member would have, and
    /// one level more than `parent` has if that memorized its images.
    pub(super) fn after(parent: &TrialRecord, epochs: usize) -> Self {
        let first = Self::first(parent.spec.input(), epochs);
        let present = Self::of(&parent.spec);
        first.max(if memorizes(parent) { present.next() } else { present })
    }

    /// For a first member on images of this shape that sees each image `epochs` times.
    pub fn first(input: InputShape, epochs: usize) -> Self {
        if input.channels > 1 || epochs >= SEEN_OFTEN { Self::Moved } else { Self::Plain }
    }

    /// Whether a trial memorizes its images, and dropout was not tried yet.
    pub(super) fn is_lacking(trial: &TrialRecord) -> bool {
        memorizes(trial) && Self::of(&trial.spec) < Self::Dropped
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

    /// The augmentation for a study that has `present`. Its own settings are kept, because its author knows which
    /// changes preserve the class.
    pub fn augment(self, input: InputShape, present: Augment) -> Augment {
        let mut augment = present;
        let side = input.height.min(input.width) as u32;
        if self >= Self::Moved && !augment.is_on() {
            augment.shift = (side / 14).max(1);
            if input.channels > 1 {
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

/// Whether mirroring preserves the class: a network trained without mirrored images classifies mirrored validation
/// images almost as well. Letters, digits and arrows fail this; most things do not.
pub(super) fn may_be_mirrored(trial: &TrialRecord) -> bool {
    // Every class must have been learned: mirroring one that is not recognized yet costs nothing.
    let guess = 1.0 / trial.spec.input().classes.max(2) as f64;
    let learned = guess + MIRROR_LEARNED * (1.0 - guess);
    let recalls = trial.best().map_or(&[][..], |best| &best.recalls);
    let mut shown = recalls.iter().filter(|recall| recall.images > 0).peekable();
    let has_learned = shown.peek().is_some()
        && shown.all(|recall| recall.right as f64 > learned * recall.images as f64);
    let most = MIRROR_COST[0] + MIRROR_COST[1] * (1.0 - trial.accuracy());
    let cost = trial.probe().and_then(|probe| probe.mirror_cost);
    has_learned && cost.is_some_and(|cost| cost <= most)
}

/// How far every class must have come from guessing to perfect, 0..=1, before mirroring is judged.
const MIRROR_LEARNED: f64 = 0.2;
/// The accuracy that mirroring may cost: a share of the images plus a share of the errors. In the table of mirrored
/// images in `docs/growth-prior.md`, this separates the data sets that gain from mirrored images from the others.
const MIRROR_COST: [f64; 2] = [0.01, 0.15];

/// Whether a trial makes far fewer errors on its training images than on validation images.
pub(super) fn memorizes(trial: &TrialRecord) -> bool {
    let Some(last) = trial.curve.last() else { return false };
    let probed = last.probe.as_ref().map_or(0.0, |probe| probe.accuracy);
    let accuracy = last.train_accuracy.max(probed);
    let images = match &last.probe {
        Some(probe) if probed > last.train_accuracy => probe.images,
        _ => trial.images_per_epoch(),
    };
    let images = images.max(1) as f64;
    let error = ((1.0 - accuracy) * accuracy / images).max(0.0).sqrt();
    1.0 - accuracy + 2.0 * error < MEMORIZES * (1.0 - trial.score())
}

#[cfg(test)]
mod tests;
