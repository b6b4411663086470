//! Tests of `serve::form`.

use super::*;

#[test]
fn fields_are_decoded_and_nonsense_is_text() {
    let fields = Fields::parse(b"a=1+2&b=%C3%BC%2f&c&=x&d=%&e=%zz&a=later&f=%ff&n=12");
    assert_eq!(fields.get("a"), Some("1 2"));
    assert_eq!(fields.get("b"), Some("ü/"));
    assert_eq!((fields.get("c"), fields.get("")), (Some(""), Some("x")));
    assert_eq!((fields.get("d"), fields.get("e")), (Some("%"), Some("%zz")));
    assert_eq!(fields.get("f"), Some("\u{fffd}"));
    assert_eq!((fields.number("n"), fields.number("a")), (Some(12), None));
    assert_eq!(Fields::parse(&b"x&".repeat(1000)).0.len(), FIELDS_MAX);
}
