//! Tests of `cluster::task`.

use super::*;

#[test]
fn parts_are_read_as_they_are_written() {
    for part in [Part::Train, Part::Fold(2), Part::Fold(10), Part::Rates] {
        assert_eq!(part.to_string().parse(), Ok(part));
    }
    for text in ["", "fold", "fold-", "fold-02", "fold--1", "../train"] {
        assert_eq!(text.parse::<Part>(), Err(PartError), "{text}");
    }
}
