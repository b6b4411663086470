//! Tests of `data::splits`.

use super::*;

fn numbered(count: usize) -> Images {
    labelled(vec![0; count])
}

fn labelled(labels: Vec<u8>) -> Images {
    let pixels: Vec<u8> = (0..labels.len()).map(|i| i as u8).collect();
    Images::new(pixels, labels, 1, 1).unwrap()
}

/// So many images of each class, the classes one after another.
fn of_counts(counts: &[usize]) -> Images {
    let classes = counts.iter().enumerate();
    labelled(classes.flat_map(|(class, &count)| vec![class as u8; count]).collect())
}

fn carved_counts(counts: &[usize], validation: usize, seed: u64) -> [Vec<usize>; 2] {
    let sizes = SplitSizes { validation, train: None, test: None };
    let [train, validation, _] = carve(of_counts(counts), numbered(1), sizes, seed).unwrap();
    [train, validation].map(|split| split.class_counts(counts.len()))
}

fn carved(validation: usize, train: Option<usize>, seed: u64) -> [Subset; 3] {
    let sizes = SplitSizes { validation, train, test: None };
    carve(numbered(100), numbered(10), sizes, seed).unwrap()
}

#[test]
fn validation_and_training_images_are_disjoint_and_complete() {
    let [train, validation, test] = carved(20, None, 1);
    assert_eq!((train.len(), validation.len(), test.len()), (80, 20, 10));
    let mut all = [train.indices(), validation.indices()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_limit_on_training_images_leaves_validation_alone_and_nests() {
    let [few, same, _] = carved(20, Some(10), 1);
    let [more, validation, _] = carved(20, Some(30), 1);
    assert_eq!(same.indices(), validation.indices());
    assert_eq!(few.len(), 10);
    assert!(few.indices().iter().all(|index| more.indices().contains(index)));
}

#[test]
fn folds_divide_the_training_file_within_its_limit() {
    let sizes = |train| SplitSizes { validation: 1, train, test: Some(4) };
    let carved = |train, seed| {
        carve_folds(of_counts(&[50, 30, 20]), numbered(10), sizes(train), 5, seed).unwrap()
    };
    let (all, test) = carved(None, 1);
    assert_eq!((all.pool().len(), all.count(), test.len()), (100, 5, 4));
    let (few, _) = carved(Some(50), 1);
    assert_eq!(few.pool().class_counts(3), [25, 15, 10]);
    let (fewer, _) = carved(Some(20), 1);
    assert!(fewer.pool().indices().iter().all(|index| few.pool().indices().contains(index)));
    assert_ne!(carved(Some(20), 2).0.pool().indices(), fewer.pool().indices());
}

#[test]
fn the_seed_decides_which_images_validate() {
    assert_eq!(carved(20, None, 1)[1].indices(), carved(20, None, 1)[1].indices());
    assert_ne!(carved(20, None, 1)[1].indices(), carved(20, None, 2)[1].indices());
}

#[test]
fn a_validation_split_that_leaves_nothing_to_train_on_is_refused() {
    let sizes = |validation| SplitSizes { validation, train: None, test: None };
    let error = carve(numbered(100), numbered(10), sizes(100), 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "validation is 100, but there are only 100 training images: use at most 99"
    );
    assert!(carve(numbered(100), numbered(10), sizes(0), 1).is_err());
}

#[test]
fn every_class_gives_validation_its_share() {
    for seed in 0..20 {
        assert_eq!(carved_counts(&[990, 10], 100, seed)[1], [99, 1]);
        assert_eq!(carved_counts(&[50, 30, 20], 10, seed)[1], [5, 3, 2]);
        // 1.67 each: two get one more, the smaller labels first.
        assert_eq!(carved_counts(&[10, 10, 10], 5, seed)[1], [2, 2, 1]);
    }
}

#[test]
fn no_class_gives_its_last_image_while_another_has_one_to_spare() {
    assert_eq!(carved_counts(&[1, 1, 8], 7, 3), [vec![1, 1, 1], vec![0, 0, 7]]);
    assert_eq!(carved_counts(&[1, 1, 8], 9, 3)[1].iter().sum::<usize>(), 9);
    assert_eq!(carved_counts(&[2, 2, 2], 3, 3), [vec![1, 1, 1], vec![1, 1, 1]]);
}

#[test]
fn a_limited_training_split_keeps_the_classes_in_proportion() {
    let sizes = SplitSizes { validation: 10, train: Some(20), test: None };
    let [train, ..] = carve(of_counts(&[110, 55, 55]), numbered(1), sizes, 7).unwrap();
    assert_eq!(train.class_counts(3), [10, 5, 5]);
    let sizes = SplitSizes { train: Some(3), ..sizes };
    let [train, ..] = carve(of_counts(&[70, 70, 70]), numbered(1), sizes, 7).unwrap();
    assert_eq!(train.class_counts(3), [1, 1, 1]);
}

#[test]
fn data_of_ones_own_is_refused_before_anything_can_panic_on_it() {
    let refusal = |train: Images, validation: Images, test: Images, classes| {
        Dataset::new(train, validation, test, classes).unwrap_err().to_string()
    };
    let good = || labelled(vec![0, 1]);
    assert_eq!(
        refusal(labelled(vec![0, 1, 2]), good(), good(), 2),
        "training image 2 has the label 2, but with 2 classes labels are 0 to 1"
    );
    assert!(refusal(good(), labelled(vec![9]), good(), 2).starts_with("validation image 0"));
    assert!(refusal(good(), good(), labelled(vec![0, 255]), 10).starts_with("test image 1"));
    assert!(refusal(labelled(vec![]), good(), good(), 2).contains("no training images"));
    assert!(refusal(good(), labelled(vec![]), good(), 2).contains("no validation images"));
    assert!(refusal(good(), good(), labelled(vec![]), 2).contains("no test images"));
    let wide = Images::new([0, 0], [1], 1, 2).unwrap();
    assert_eq!(
        refusal(good(), wide, good(), 2),
        "the validation images are 1×2 pixels, but the training images are 1×1 pixels"
    );
    for classes in [0, 1, 65_001, usize::MAX] {
        assert!(refusal(good(), good(), good(), classes).contains("a classifier needs 2 to 65000"));
    }
    let data = Dataset::new(good(), good(), good(), 2).unwrap();
    assert!(data.clone().named(["a"]).is_err() && data.clone().named(["a", "a"]).is_err());
    assert_eq!(data.named(["cat", "dog"]).unwrap().classes, ["cat", "dog"]);
}
