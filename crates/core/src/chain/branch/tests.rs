//! Tests of `chain::branch`.

use super::*;

#[test]
fn names_are_those_that_git_takes() {
    for name in ["main", "feature/über-1", "v1.2", "a@b"] {
        assert!(is_branch(name), "{name}");
    }
    for name in [
        "", "-x", "/a", "a/", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "@",
        "a@{1}", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "a//b", "a\nb",
    ] {
        assert!(!is_branch(name), "{name:?}");
    }
}

#[test]
fn commits_are_hexadecimal_digits_alone() {
    assert!(is_commit(&"0a".repeat(20)) && is_commit(&"0a".repeat(32)));
    for text in ["", "HEAD", &"0A".repeat(20), &"0g".repeat(20), &"0a".repeat(19)] {
        assert!(!is_commit(text), "{text}");
    }
}
