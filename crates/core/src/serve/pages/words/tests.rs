//! Tests of `serve::pages::words`.

use super::*;

#[test]
fn times_are_told_in_one_unit() {
    let at = |seconds: i64| ago(0, seconds * 1000 + 999);
    let told = [0, 12, 60, 3599, 3600, 172_799, 172_800].map(at);
    assert_eq!(
        told,
        ["just now", "12 s ago", "1 min ago", "59 min ago", "1 h ago", "47 h ago", "2 days ago"]
    );
    assert_eq!(ago(5000, 0), "just now", "a clock that was set back");
    let mut markup = Markup::default();
    time(&mut markup, 1_700_000_000_000, 1_700_000_060_000);
    assert_eq!(
        markup.finish().trim_end(),
        "<time datetime=\"2023-11-14T22:13:20Z\" title=\"2023-11-14 22:13:20 UTC\">1 min ago</time>"
    );
}

#[test]
fn texts_are_cut_between_characters() {
    assert_eq!(cut("Überall", 3), "Übe…");
    assert_eq!(cut("kurz", 4), "kurz");
    assert_eq!((short("0a1b2c3d4e5f"), short("0a")), ("0a1b2c3d4e", "0a"));
}
