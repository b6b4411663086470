//! Tests of `registry::held_out`.

use super::*;

#[test]
fn copies_among_other_images_are_found_whatever_their_order() {
    let pixels: Vec<u8> = (0..40).collect();
    let classes = ["a".to_owned(), "b".to_owned()];
    let set = HeldOut::new("test", [1, 2, 2], "pad", &classes, pixels, vec![0; 10]);
    let hash = |image: &[u8]| HeldOut::hash_image([1, 2, 2], image);
    let others = [hash(set.image(7)), hash(&[9; 4]), hash(set.image(2)), hash(set.image(7))];
    assert_eq!(set.seen_among(others.into_iter()), [2, 7]);
    // The same bytes of another shape are another image.
    let flat = HeldOut::hash_image([1, 1, 4], set.image(2));
    assert_eq!(set.seen_among([flat].into_iter()), Vec::<u32>::new());
}
