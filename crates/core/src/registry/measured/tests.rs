//! Tests of `registry::measured`.

use super::*;

#[test]
fn bits_come_back_and_another_length_is_noticed() {
    for images in [0, 1, 7, 8, 9, 100] {
        let right: Vec<bool> = (0..images).map(|at| at % 3 == 0).collect();
        let packed = pack(&right);
        assert_eq!(unpack(&packed, images), Some(right));
        assert_eq!(unpack(&packed, images + 8), None);
    }
}
