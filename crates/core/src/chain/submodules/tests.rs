//! Tests of `chain::submodules`.

use super::*;

fn resolved_text(base: &str, url: &str) -> Result<String, String> {
    let base = GitUrl::try_from(base.to_owned()).unwrap();
    resolved(&base, url).map(|url| url.as_str().to_owned())
}

#[test]
fn addresses_are_read_by_path() {
    let listed = "submodule.a b.c.path\nlibs/x\0submodule.a b.c.url\n../x.git\0submodule.y.path\ny\0core.x\n1\0";
    assert_eq!(urls(listed), BTreeMap::from([("libs/x".into(), "../x.git".into())]));
}

#[test]
fn relative_ones_start_at_the_repository_and_none_reaches_into_this_machine() {
    for (base, url, right) in [
        ("https://example.org/ann/digits.git", "../lib.git", "https://example.org/ann/lib.git"),
        ("ssh://git@example.org/ann/digits", "../../bob/lib", "ssh://git@example.org/bob/lib"),
        ("/srv/git/digits.git", "../lib.git", "/srv/git/lib.git"),
        ("/srv/git/digits.git", "https://example.org/lib", "https://example.org/lib"),
    ] {
        assert_eq!(resolved_text(base, url).unwrap(), right);
    }
    for (base, url) in [
        ("https://example.org/digits.git", "/etc"),
        ("https://example.org/digits.git", "file:///etc"),
        ("https://example.org/digits.git", "ext::sh -c x"),
        ("https://example.org/digits.git", "--upload-pack=x"),
        ("/srv/git/digits.git", "/etc/lib.git"),
        ("/srv/git/digits.git", "../../lib.git"),
        ("/srv/git/digits.git", "../x/../../../etc"),
    ] {
        assert!(resolved_text(base, url).is_err(), "{base} {url}");
    }
}
