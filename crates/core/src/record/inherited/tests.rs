//! Tests of `record::inherited`.

use super::*;

#[test]
fn kept_new_and_dropped_classes_are_counted_and_named() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut inherited = InheritedModel {
        from: "runs/a-0001".into(),
        sha256: "ab".into(),
        weights_hash: "cd".into(),
        edits: Vec::new(),
        kept: names(&["a", "b"]),
        new: names(&["c"]),
        dropped: names(&["d", "e", "f", "g", "h", "i"]),
    };
    let words = "2 classes kept, 1 new (c), 6 dropped (d, e, f, g, h, …)";
    assert_eq!(inherited.classes_words(), words);
    inherited.dropped.clear();
    assert_eq!(inherited.classes_words(), "2 classes kept, 1 new (c), no dropped ones");
    inherited.new.clear();
    assert_eq!(inherited.classes_words(), "2 classes kept, all of them");
}

#[test]
fn figures_without_images_say_so() {
    let none = Forgetting { classes: 0, images: 0, before: f64::NAN, after: f64::NAN };
    assert!(none.words().contains("none is of a class"), "{}", none.words());
    let some = Forgetting { classes: 3, images: 90, before: 0.95, after: 0.9 };
    assert!(some.words().contains("95.00 % correct before, 90.00 % now (90 images of 3"));
}
