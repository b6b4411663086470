//! Tests of `report::markup`.

use super::*;

#[test]
fn text_and_attributes_cannot_leave_their_place() {
    let mut markup = Markup::default();
    let hostile = "\"'><script>\u{0}&\u{1b}[1m\u{202e}";
    markup.element("a", &[("title", &hostile)], |inside| inside.text(hostile));
    let safe = "&quot;&#39;&gt;&lt;script&gt;\u{fffd}&amp;\u{fffd}[1m\u{fffd}";
    assert_eq!(markup.finish(), format!("<a title=\"{safe}\">{safe}</a>\n"));
}
