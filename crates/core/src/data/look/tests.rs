//! Tests of `data::look`.

use super::*;

/// Images of 1 × 2 pixels, each given by its two pixels and its label.
fn images(of: &[([u8; 2], u8)]) -> Images {
    let pixels: Vec<u8> = of.iter().flat_map(|(pixels, _)| *pixels).collect();
    let labels: Vec<u8> = of.iter().map(|&(_, label)| label).collect();
    Images::new(pixels, labels, 1, 2).unwrap()
}

/// Images of these classes, no two alike in any split.
fn distinct(labels: &[u8], start: u8) -> Images {
    let of = labels.iter().zip(start..).map(|(&label, at)| ([at, at + 1], label));
    images(&of.collect::<Vec<_>>())
}

fn report(train: Images, validation: Images, test: Images, classes: usize) -> DataReport {
    DataReport::of(&Dataset::new(train, validation, test, classes).unwrap())
}

fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

#[test]
fn sound_data_has_no_findings() {
    let report = report(distinct(&[0, 1, 1], 0), distinct(&[0, 1], 50), distinct(&[1, 0], 100), 2);
    assert_eq!(report.findings, []);
    assert_eq!(report.counts.train, [1, 2]);
}

#[test]
fn training_images_of_one_class_are_refused() {
    let report = report(distinct(&[3, 3], 0), distinct(&[3], 50), distinct(&[3, 1], 100), 4);
    let refusal = report.refusal(&names(4)).unwrap();
    assert!(refusal.starts_with("all training images are of class 3: a classifier"), "{refusal}");
}

#[test]
fn a_class_that_is_measured_and_never_trained_is_refused_by_name() {
    for (validation, test, split) in [(2, 0, "validation"), (0, 2, "test")] {
        let report = report(
            distinct(&[0, 1], 0),
            distinct(&[0, 1, validation], 50),
            distinct(&[0, 1, test], 100),
            3,
        );
        let refusal = report.refusal(&["cat".into(), "dog".into(), "elk".into()]).unwrap();
        let expected = format!("no training image is of class elk, though {split} images are");
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
}

#[test]
fn a_class_missing_from_one_split_or_from_all_is_told_and_not_refused() {
    let report =
        report(distinct(&[0, 1, 3], 0), distinct(&[0, 1], 50), distinct(&[0, 1, 3], 100), 4);
    assert_eq!(
        report.findings,
        [
            DataFinding::NotMeasured { split: Split::Validation, classes: vec![3] },
            DataFinding::NoImages { classes: vec![2] },
        ]
    );
    assert_eq!(report.refusal(&names(4)), None);
}

#[test]
fn a_class_that_outnumbers_the_others_is_told_with_its_share() {
    let mut labels = vec![0; 99];
    labels.push(1);
    let report = report(distinct(&labels, 0), distinct(&[0, 1], 110), distinct(&[1, 0], 120), 2);
    assert_eq!(
        report.findings,
        [DataFinding::Majority { split: Split::Train, class: 0, share: 0.99 }]
    );
    assert_eq!(
        report.findings[0].words(&names(2)),
        "99.00 % of the training images are of class 0"
    );
}

#[test]
fn images_in_two_splits_and_images_with_two_labels_are_counted() {
    let report = report(
        images(&[([1, 2], 0), ([3, 4], 1), ([3, 4], 0)]),
        images(&[([1, 2], 0), ([5, 6], 1)]),
        images(&[([1, 2], 0), ([1, 2], 0), ([7, 8], 1), ([5, 6], 1)]),
        2,
    );
    let shared = |split, other, images| DataFinding::SharedImages { split, other, images };
    assert_eq!(
        report.findings,
        [
            shared(Split::Validation, Split::Train, 1),
            shared(Split::Test, Split::Train, 2),
            shared(Split::Test, Split::Validation, 3),
            DataFinding::ConflictingLabels { images: 2 },
        ]
    );
}

#[test]
fn images_of_one_shade_are_counted() {
    let report = report(
        images(&[([1, 2], 0), ([3, 3], 1), ([0, 0], 0)]),
        images(&[([1, 3], 0), ([5, 6], 1)]),
        images(&[([255, 255], 0), ([7, 8], 1)]),
        2,
    );
    assert_eq!(
        report.findings,
        [
            DataFinding::ConstantImages { split: Split::Train, images: 2 },
            DataFinding::ConstantImages { split: Split::Test, images: 1 },
        ]
    );
    let words: Vec<String> = report.findings.iter().map(|it| it.words(&names(2))).collect();
    assert!(words[0].starts_with("2 training images are without content"), "{words:?}");
    assert!(words[1].starts_with("1 test image is without content"), "{words:?}");
}
