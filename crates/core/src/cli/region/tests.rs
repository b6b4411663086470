//! Tests of `cli::region`.

use super::*;

#[test]
fn what_a_narrower_terminal_has_broken_into_several_rows_is_cleared_as_a_whole() {
    let region = Region { drawn: vec![79, 30, 0], last: None };
    assert_eq!(region.clearing(80), "\r\u{1b}[3A\u{1b}[J");
    assert_eq!(region.clearing(40), "\r\u{1b}[4A\u{1b}[J");
    assert_eq!(region.clearing(20), "\r\u{1b}[7A\u{1b}[J");
    assert_eq!(Region::default().clearing(80), "");
}

#[test]
fn colours_take_no_room() {
    assert_eq!(width("  \u{1b}[32m━━╸\u{1b}[0m epoch 1"), 13);
}
