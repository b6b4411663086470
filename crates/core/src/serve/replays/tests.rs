//! Tests of `serve::replays`.

use super::*;

#[test]
fn a_signature_belongs_to_one_identifier() {
    let replays = Replays::default();
    assert!(replays.is_first("s", "1", 0) && replays.is_first("s", "1", 5));
    assert!(!replays.is_first("s", "2", 5));
    for n in 0..KEPT_MAX {
        replays.is_first(&n.to_string(), "1", 0);
    }
    assert!(!replays.is_first("t", "1", 10), "memory is bounded");
    assert!(replays.is_first("t", "1", 1000));
}
