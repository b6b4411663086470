//! Tests of `report::chart::paint`.

use super::*;

#[test]
fn the_last_look_that_says_so_counts() {
    let fill = |classes| {
        let found = presentation("text", classes);
        found.into_iter().filter(|(name, _)| *name == "fill").collect::<Vec<_>>()
    };
    assert_eq!(fill("tick end"), [("fill", "currentColor")]);
    assert_eq!(fill("value middle main"), [("fill", ACCENT)]);
    assert_eq!(presentation("rect", "other"), []);
}
