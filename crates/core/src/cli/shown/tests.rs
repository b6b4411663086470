//! Tests of `cli::shown`.

use super::*;

#[test]
fn plain_names_stay_as_they_are_and_nothing_reaches_the_terminal_as_a_command() {
    for plain in ["lenet-5-0001", "it's \"mine\"", "Übung für später", "数字"] {
        assert_eq!(shown(plain, 64), plain);
    }
    assert_eq!(shown("a\u{1b}[2Jb\n\t\u{9b}c", 64), "a\\u{1b}[2Jb\\n\\t\\u{9b}c");
    // Right to left from here on; and a space of no width.
    assert_eq!(shown("x\u{202e}y\u{200b}z", 64), "x\\u{202e}y\\u{200b}z");
    assert_eq!(shown("a\\b", 64), "a\\\\b", "or it could be taken for an escape");
}

#[test]
fn lines_that_quote_names_are_harmless_and_otherwise_as_they_were() {
    assert_eq!(harmless("photos/a\u{1b}[2J: rename\n\tit\\"), "photos/a\\u{1b}[2J: rename\n\tit\\");
    assert_eq!(harmless("x\u{202e}y \u{9b}"), "x\\u{202e}y \\u{9b}");
}

#[test]
fn long_names_are_cut() {
    assert_eq!(shown("abcdef", 6), "abcdef");
    assert_eq!(shown("abcdefg", 6), "abcdef…");
}
