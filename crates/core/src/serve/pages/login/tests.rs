//! Tests of `serve::pages::login`.

use super::*;

#[test]
fn a_login_leads_nowhere_else() {
    assert_eq!(safe_target("/builds/12"), "/builds/12");
    for to in [
        "",
        "builds",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/a\r\nb",
        "/%2f",
        "/a?b",
    ] {
        assert_eq!(safe_target(to), "/", "{to}");
    }
}
