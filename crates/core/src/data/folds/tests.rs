//! Tests of `data::folds`.

use std::collections::BTreeSet;

use super::*;

/// Images of 1 × 2 pixels, each given by its content and its class.
fn images(of: &[(u16, u8)]) -> Subset {
    let pixels: Vec<u8> = of.iter().flat_map(|(content, _)| content.to_be_bytes()).collect();
    let labels: Vec<u8> = of.iter().map(|&(_, label)| label).collect();
    Subset::all(Images::new(pixels, labels, 1, 2).unwrap())
}

/// Different images, so many of each class.
fn of_classes(counts: &[usize]) -> Vec<(u16, u8)> {
    let labels = counts.iter().enumerate().flat_map(|(class, &count)| vec![class as u8; count]);
    (0..).zip(labels).collect()
}

fn number_of(content: u16, seed: u64) -> Numbered {
    let number = counter_seed(seed, u64::from(content), Purpose::ValidationSplit, 0, 0);
    let mut digest = [0; 32];
    digest[..2].copy_from_slice(&content.to_be_bytes());
    Numbered { label: 0, number, digest }
}

fn by_content(of: &[(u16, u8)], count: usize, seed: u64) -> Result<Folds, DataError> {
    let numbered = of
        .iter()
        .map(|&(content, label)| Numbered { label: label.into(), ..number_of(content, seed) });
    Folds::by_content(images(of), &numbered.collect::<Vec<_>>(), count)
}

fn dealt(of: &[(u16, u8)], count: usize, seed: u64) -> Result<Folds, DataError> {
    Folds::dealt(images(of), &permutation(of.len(), seed), count)
}

type Rule = fn(&[(u16, u8)], usize, u64) -> Result<Folds, DataError>;
const RULES: [Rule; 2] = [by_content, dealt];

/// Images of each class in each fold.
fn counts(folds: &Folds, classes: usize) -> Vec<Vec<usize>> {
    (1..=folds.count as u32).map(|fold| folds.split(fold)[1].class_counts(classes)).collect()
}

#[test]
fn every_image_is_in_one_fold_and_trains_the_networks_of_all_others() {
    for rule in RULES {
        for seed in 0..20 {
            let folds = rule(&of_classes(&[60, 30, 10]), 5, seed).unwrap();
            let mut all = BTreeSet::new();
            for fold in 1..=5 {
                let [train, held_out] = folds.split(fold);
                assert_eq!(train.len() + held_out.len(), 100);
                let train: BTreeSet<u32> = train.indices().iter().copied().collect();
                for index in held_out.indices() {
                    assert!(all.insert(*index) && !train.contains(index));
                }
            }
            assert_eq!(all.len(), 100);
        }
    }
}

#[test]
fn each_fold_has_the_classes_in_proportion() {
    for seed in 0..20 {
        for counts in counts(&dealt(&of_classes(&[60, 30, 11]), 5, seed).unwrap(), 3) {
            assert_eq!(counts[..2], [12, 6]);
            assert!((2..=3).contains(&counts[2]), "{counts:?}");
        }
        // By hashes, only about so; but no fold lacks a class of which there is enough.
        for counts in counts(&by_content(&of_classes(&[1000, 500, 5]), 5, seed).unwrap(), 3) {
            assert!((140..=260).contains(&counts[0]), "{counts:?}");
            assert!((60..=140).contains(&counts[1]) && counts[2] == 1, "{counts:?}");
        }
    }
}

#[test]
fn copies_of_an_image_are_in_one_fold_whatever_their_labels() {
    for rule in RULES {
        for seed in 0..50 {
            let mut of = of_classes(&[7, 7]);
            of.extend([(0, 0), (0, 1), (3, 1), (9, 0), (9, 1)]);
            let folds = rule(&of, 4, seed).unwrap();
            for (at, (content, _)) in of.iter().enumerate() {
                let first = of.iter().position(|(other, _)| other == content).unwrap();
                assert_eq!(folds.of[at], folds.of[first], "seed {seed}: {content}");
            }
        }
    }
}

#[test]
fn added_images_move_no_other_one() {
    let before = of_classes(&[200, 100]);
    let mut after = before.clone();
    after.extend((0..80).map(|at| (1000 + at, (at % 3) as u8)));
    for seed in 0..20 {
        let folds = |of: &[(u16, u8)]| by_content(of, 5, seed).unwrap().of.to_vec();
        assert_eq!(folds(&after)[..300], folds(&before)[..], "seed {seed}");
    }
}

#[test]
fn few_images_of_a_class_are_in_different_folds_and_the_only_one_is_trained_on() {
    for rule in RULES {
        for seed in 0..50 {
            let folds = rule(&of_classes(&[50, 3, 1]), 5, seed).unwrap();
            let counts = counts(&folds, 3);
            assert!(counts.iter().all(|fold| fold[1] <= 1), "seed {seed}: {counts:?}");
            assert_eq!(counts[0][2], 0, "seed {seed}: {counts:?}");
        }
    }
}

#[test]
fn more_folds_than_images_are_refused() {
    for rule in RULES {
        let error = rule(&of_classes(&[2, 1]), 5, 1).unwrap_err().to_string();
        assert!(error.contains("3 images cannot be divided into 5 folds"), "{error}");
    }
}

#[test]
fn the_first_fold_validates_and_each_is_normalized_by_its_own_training_images() {
    let of = of_classes(&[20, 20]);
    let half = |range: std::ops::Range<usize>| images(&of[range]);
    let data = Dataset::new(half(0..25), half(25..40), images(&[(99, 0)]), 2).unwrap();
    let data = data.named(["a", "b"]).unwrap().folded(4, 7).unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (30, 10, 1));
    let first = data.fold(1).unwrap();
    assert_eq!(first.train.indices(), data.train.indices());
    assert_eq!(first.normalization, data.normalization);
    for fold in 2..=4 {
        let other = data.fold(fold).unwrap();
        assert_eq!(other.normalization, other.train.normalization());
        assert_ne!(other.normalization, data.normalization);
        assert_eq!(other.classes, ["a", "b"]);
    }
    assert!(data.fold(0).is_none() && data.fold(5).is_none());
}
