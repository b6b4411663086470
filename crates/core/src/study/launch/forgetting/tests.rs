//! Tests of `study::launch::forgetting`.

use super::*;

#[test]
fn the_first_of_the_highest_values_is_the_answer() {
    assert_eq!(argmax(&[0.0, 2.0, 1.0, 2.0]), Some(1));
    assert_eq!(argmax(&[]), None);
}
