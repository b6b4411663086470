//! Tests of `notify::webhook`.

use super::*;

#[test]
fn signatures_are_those_of_others() {
    // python3: hmac.new(b"key", b"1700000000." + b'{"a":1}', "sha256").hexdigest()
    assert_eq!(signature(b"key", 1_700_000_000, b"{\"a\":1}"), SIGNED);
}

const SIGNED: &str = "a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03";

#[test]
fn answers_are_taken_as_http_means_them() {
    assert_eq!(judged(204), SendOutcome::Sent);
    for status in [408, 425, 429, 500, 503] {
        assert!(matches!(judged(status), SendOutcome::Retry(_)), "{status}");
    }
    for status in [301, 307, 400, 401, 403, 404, 410] {
        assert!(matches!(judged(status), SendOutcome::Refused(_)), "{status}");
    }
}
