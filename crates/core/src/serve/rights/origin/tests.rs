//! Tests of `serve::rights::origin`.

use super::*;

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

#[test]
fn only_names_of_this_machine_are_local() {
    for host in ["localhost", "LOCALHOST:8437", "127.0.0.1:8437", "127.9.9.9", "[::1]:1", "[::1]"] {
        assert!(is_local(&headers(&[("host", host)]), None), "{host}");
    }
    for host in
        ["example.org", "localhost.example.org", "10.0.0.1", "127.0.0.1.nip.io", "", "[::2]"]
    {
        assert!(!is_local(&headers(&[("host", host)]), None), "{host}");
    }
    let public = Some("https://ci.example.org/");
    assert!(is_local(&headers(&[("host", "ci.example.org")]), public));
    assert!(!is_local(&headers(&[("host", "example.org")]), public));
    assert!(!is_local(&headers(&[]), None));
}

#[test]
fn changes_come_from_own_pages_or_from_programs() {
    let host = ("host", "127.0.0.1:8437");
    let own = |more: &[(&'static str, &str)]| {
        is_own(&headers(&[&[host], more].concat()), Some("https://ci.example.org"))
    };
    assert!(own(&[]));
    assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
    assert!(own(&[("sec-fetch-site", "none")]));
    assert!(own(&[("origin", "http://127.0.0.1:8437")]));
    assert!(own(&[("origin", "https://ci.example.org")]));
    for foreign in ["cross-site", "same-site", ""] {
        assert!(!own(&[("sec-fetch-site", foreign), ("origin", "http://127.0.0.1:8437")]));
    }
    for foreign in [
        "null",
        "http://evil.example",
        "http://127.0.0.1:9999",
        "http://127.0.0.1:8437.evil.example",
    ] {
        assert!(!own(&[("origin", foreign)]), "{foreign}");
    }
}
