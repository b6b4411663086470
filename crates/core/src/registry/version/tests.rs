//! Tests of `registry::version`.

use super::*;

#[test]
fn versions_are_written_in_three_ways() {
    for (text, version) in [("3", 3), ("v3", 3), ("000003", 3), ("999999999999", 999_999_999_999)] {
        assert_eq!(parse_version(text).unwrap(), version);
    }
    for text in ["", "v", "0", "-1", "+1", "1.0", "../1", "9999999999999999999"] {
        assert!(parse_version(text).is_err(), "{text}");
    }
}
