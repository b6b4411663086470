//! Tests of `notify::identity`.

use super::*;

#[test]
fn every_part_matters_and_nothing_else_does() {
    let one = identifier(b"run", "accepted-0", "mail");
    assert_eq!(one, identifier(b"run", "accepted-0", "mail"));
    assert_eq!(one.len(), 32);
    for other in [
        identifier(b"ru", "naccepted-0", "mail"),
        identifier(b"run", "accepted-1", "mail"),
        identifier(b"run", "accepted-0", "webhook-0"),
    ] {
        assert_ne!(one, other);
    }
}
