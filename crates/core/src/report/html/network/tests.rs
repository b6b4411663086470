//! Tests of `report::html::network`.

use super::super::super::network::tests::grown;
use super::*;

#[test]
fn changed_layers_are_marked_and_bars_are_as_long_as_their_share() {
    let mut page = Markup::default();
    table(&mut page, &grown());
    let page = page.finish();
    assert_eq!(page.matches("<tr class=\"changed\">").count(), 3, "{page}");
    assert!(page.contains("trial 1") && page.contains("trial 2"), "{page}");
    assert!(page.contains("<rect width=\"80.0\""), "the largest layer: {page}");
    assert!(page.contains(">16×14×14<"), "{page}");
}
