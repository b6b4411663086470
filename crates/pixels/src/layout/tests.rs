//! Tests of `layout`.

use super::*;

#[test]
fn planes_and_pixels_are_two_orders_of_the_same_bytes() {
    let image: Vec<u8> = (0..24).collect();
    assert_eq!(planes(&interleaved(&image, 3), 3), image);
    assert_eq!(interleaved(&image, 3)[..6], [0, 8, 16, 1, 9, 17]);
}
