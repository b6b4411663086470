//! Tests of `tune::starter`.

use super::*;
use crate::spec::Spec;

fn study(input: InputShape, counts: &[usize]) -> StudyFile {
    let study = starting_study("photos", DataSpec::default(), input, counts);
    // Every shape has a network that fits.
    Spec::new(study.clone(), input).unwrap();
    study
}

#[test]
fn every_size_has_a_network_that_fits_it() {
    for (channels, height, width) in
        [(1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 1, 1), (3, 8, 200), (3, 300, 300), (1, 9, 5)]
    {
        let input = InputShape { channels, height, width, classes: 3 };
        let study = study(input, &[500, 400, 300]);
        let convs = study.model.layers.iter().filter(|layer| layer.kind() == "conv").count();
        assert!((2..=6).contains(&convs), "{height}×{width}: {convs}");
    }
    let pools = |side| {
        let input = InputShape { channels: 3, height: side, width: side, classes: 2 };
        let study = study(input, &[500, 500]);
        study.model.layers.iter().filter(|layer| layer.kind() == "max-pool").count()
    };
    assert_eq!([16, 28, 32, 64].map(pools), [1, 2, 2, 3]);
}

#[test]
fn few_images_are_seen_more_often() {
    let input = InputShape { channels: 1, height: 28, width: 28, classes: 2 };
    let epochs = |each| study(input, &[each, each]).train.epochs;
    assert!(epochs(27_500) < epochs(4000) && epochs(4000) < epochs(400), "{}", epochs(4000));
    let few = study(input, &[100, 100]).train;
    assert_eq!(few.batch_size, 16);
    // As many steps as it takes to learn anything.
    assert!(few.epochs * 200 / 16 > 500, "{}", few.epochs);
}

#[test]
fn few_images_are_judged_by_cross_validation() {
    let folds = |train: &[usize], validation: &[usize]| {
        let counts = SplitCounts {
            train: train.to_vec(),
            validation: validation.to_vec(),
            test: vec![10; train.len()],
        };
        folds_for(&GateSpec::default(), &counts)
    };
    assert_eq!(folds(&[80, 80], &[20, 20]), Some(5));
    assert_eq!(folds(&[500, 476], &[122, 122]), Some(5));
    assert_eq!(folds(&[500, 492], &[123, 123]), None);
    assert_eq!(folds(&[80, 3], &[20, 1]), None, "a class has fewer images than there are folds");
    assert_eq!(folds(&[80, 80, 0], &[20, 20, 0]), Some(5));
}

#[test]
fn unbalanced_classes_are_held_to_balanced_accuracy() {
    let input = InputShape { channels: 3, height: 64, width: 64, classes: 2 };
    let gate = study(input, &[137, 594]).gate;
    assert_eq!((gate.accuracy, gate.balanced_accuracy), (0.0, Some(0.8)));
    let gate = study(input, &[400, 594]).gate;
    assert_eq!((gate.accuracy, gate.balanced_accuracy), (0.8, None));
}
