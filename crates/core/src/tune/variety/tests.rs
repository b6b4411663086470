//! Tests of `tune::variety`.

use super::*;
use crate::record::{ClassRecall, EpochRecord, Probe};
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
        sample: None,
    };
    let epoch = EpochRecord {
        epoch: 1,
        validation_accuracy: accuracy,
        probe: Some(probe),
        recalls: vec![ClassRecall { right: (100.0 * accuracy) as u64, images: 100 }; 10],
        ..EpochRecord::default()
    };
    TrialRecord::new(1, Spec::new(file, InputShape::MNIST).unwrap(), vec![epoch])
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
