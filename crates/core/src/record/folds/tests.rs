//! Tests of `record::folds`.

use super::*;

fn fold(fold: u32, of: &[(u64, u64)]) -> FoldResult {
    let recalls = of.iter().map(|&(right, images)| ClassRecall { right, images });
    let recalls: Vec<ClassRecall> = recalls.collect();
    FoldResult {
        fold,
        folds: 3,
        images: recalls.iter().map(|class| class.images).sum(),
        correct: recalls.iter().map(|class| class.right).sum(),
        recalls,
        epochs: 4,
        seconds: 1.0,
    }
}

#[test]
fn every_image_counts_once_whatever_the_size_of_its_fold() {
    let folds =
        [fold(1, &[(1, 1), (0, 1)]), fold(2, &[(8, 9), (0, 0)]), fold(3, &[(1, 2), (1, 1)])];
    let all = CrossValidation::of(&folds).unwrap();
    assert_eq!((all.correct, all.images, all.measured), (11, 14, 3));
    assert_eq!(all.recalls[0], ClassRecall { right: 10, images: 12 });
    assert!(all.is_whole());
    // statsmodels: proportion_confint(11, 14, method="wilson")
    assert_eq!(all.words(), "cross-validated over 3 folds: 78.57 % (52.4 % to 92.4 %)");
    let some = CrossValidation::of(&folds[..2]).unwrap();
    assert_eq!(some.extent(), "2 of 3 folds");
    assert_eq!(CrossValidation::of(&[]), None);
}

#[test]
fn recalls_are_added_up_only_if_every_fold_has_them() {
    let untold = FoldResult { recalls: Vec::new(), ..fold(2, &[(8, 9)]) };
    let all = CrossValidation::of(&[fold(1, &[(1, 2)]), untold]).unwrap();
    assert_eq!((all.recalls.len(), all.images), (0, 11));
}
