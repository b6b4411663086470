//! How strongly members of the family are regularized, by augmentation and dropout.

use super::history::TrialRecord;
use crate::spec::{Augment, Border, InputShape, Layer, Spec};

/// Levels of augmentation and dropout, from none to strong; each includes those before it.
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
mod tests {
    use super::*;
    use crate::record::{ClassRecall, Ending, EpochRecord, Probe};
    use crate::spec::{Dense, StudyFile};

    /// A trial of ten classes, of each of which it names this share of 100 validation images.
    fn trial(accuracy: f64, mirror_cost: Option<f64>) -> TrialRecord {
        let file = StudyFile::new("mirrored", vec![Layer::Dense(Dense::of(16))]);
        let probe = Probe {
            images: 256,
            training_images: 1000,
            accuracy,
            pixel_deviation: 1.0,
            layers: Vec::new(),
            missing_classes: Vec::new(),
            unnamed_classes: Vec::new(),
            mirror_cost,
            by_confidence: Vec::new(),
        };
        let epoch = EpochRecord {
            epoch: 1,
            validation_accuracy: accuracy,
            probe: Some(probe),
            recalls: vec![ClassRecall { right: (100.0 * accuracy) as u64, images: 100 }; 10],
            ..EpochRecord::default()
        };
        TrialRecord {
            trial: 1,
            parent: None,
            edits: Vec::new(),
            spec: Spec::new(file, InputShape::MNIST).unwrap(),
            curve: vec![epoch],
            ending: Ending::Completed,
            train_seconds: 1.0,
            rates: None,
        }
    }

    #[test]
    fn images_are_mirrored_only_where_left_and_right_do_not_matter() {
        assert!(may_be_mirrored(&trial(0.70, Some(0.02))));
        assert!(may_be_mirrored(&trial(0.70, Some(-0.01))));
        assert!(!may_be_mirrored(&trial(0.97, Some(0.03))), "arrows among other signs");
        assert!(!may_be_mirrored(&trial(0.98, Some(0.5))), "digits");
        assert!(!may_be_mirrored(&trial(0.15, Some(0.0))), "nothing was learned yet");
        assert!(!may_be_mirrored(&trial(0.70, None)));
        let mut uneven = trial(0.70, Some(0.0));
        uneven.curve[0].recalls[3].right = 1;
        assert!(!may_be_mirrored(&uneven), "one class is not known yet");
    }

    #[test]
    fn images_that_are_seen_often_are_moved() {
        assert_eq!(Variety::first(InputShape::MNIST, 2), Variety::Plain);
        assert_eq!(Variety::first(InputShape::MNIST, 20), Variety::Moved);
        let colour = InputShape { channels: 3, ..InputShape::MNIST };
        let augment = Variety::first(colour, 2).augment(colour, Augment::default());
        assert!(
            augment.shift > 0 && !augment.flip,
            "whether a mirror image is the same is not known yet"
        );
    }
}
