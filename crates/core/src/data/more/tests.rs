//! Tests of `data::more`.

use super::*;

#[test]
fn few_images_are_repeated_to_their_share_and_the_test_images_stay() {
    let images = |value: u8, count: usize| {
        let labels: Vec<u8> = (0..count).map(|at| (at % 2) as u8).collect();
        Images::new(vec![value; 4 * count], labels, 2, 2).unwrap()
    };
    let data = Dataset::new(images(1, 70), images(2, 10), images(3, 5), 2).unwrap();
    let more = MoreImages { train: images(8, 4), validation: images(9, 2), share: 0.3 };
    let normalization = data.normalization;
    let joined = data.with_more(&more, &Store::memory_alone()).unwrap();
    let count = |subset: &Subset, value| {
        (0..subset.len()).filter(|&at| subset.image(at)[0] == value).count()
    };
    assert_eq!((count(&joined.train, 1), count(&joined.train, 8)), (70, 32));
    assert_eq!((count(&joined.validation, 2), count(&joined.validation, 9)), (10, 2));
    assert_eq!((joined.test.len(), joined.normalization), (5, normalization));
    assert_eq!(joined.train.label(73), 1);
    let other = MoreImages { train: Images::new([0; 9], [0], 3, 3).unwrap(), ..more };
    assert!(joined.with_more(&other, &Store::memory_alone()).is_err());
}
