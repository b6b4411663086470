//! Tests of `chain::url`.

use super::*;

fn transport_of(text: &str) -> Option<&'static str> {
    GitUrl::try_from(text.to_owned()).ok().map(|url| url.transport())
}

#[test]
fn each_kind_allows_its_own_transport() {
    for (url, transport) in [
        ("https://example.org/ann/digits.git", "https"),
        ("https://example.org:8443/digits", "https"),
        ("ssh://git@example.org:22/digits.git", "ssh"),
        ("git@example.org:ann/digits.git", "ssh"),
        ("/srv/git/digits.git", "file"),
    ] {
        assert_eq!(transport_of(url), Some(transport), "{url}");
    }
}

#[test]
fn what_could_run_something_or_hold_a_password_is_refused() {
    for url in [
        "",
        "digits.git",
        "-oProxyCommand=x",
        "--upload-pack=x",
        "file:///srv/digits.git",
        "ext::sh -c x",
        "fd::7",
        "http://example.org/a",
        "git://example.org/a",
        "ssh://-oProxyCommand=x/a",
        "git@-oProxyCommand=x:a",
        "-x@example.org:a",
        "git@example.org:-x",
        "https://ann:secret@example.org/a",
        "https://example.org/a b",
        "https://",
    ] {
        assert_eq!(transport_of(url), None, "{url}");
    }
    for url in ["https://ann:canary@example.org/a", "https://ann:p@canary@example.org/a"] {
        let error = GitUrl::try_from(url.to_owned()).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
