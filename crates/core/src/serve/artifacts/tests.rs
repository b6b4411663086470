//! Tests of `serve::artifacts`.

use super::*;

#[test]
fn names_from_outside_are_those_of_the_list_or_nothing() {
    for name in [
        "report.html",
        "best/model.onnx",
        "report/style.css",
        "report/augmented-001.png",
        "report/samples.png",
        "report/mistakes-012.png",
        "grown/keras_model.py",
    ] {
        assert!(find(name).is_some(), "{name}");
    }
    for name in [
        "",
        ".",
        "..",
        "../../burgeon.sqlite",
        "report/../events.jsonl",
        "/etc/passwd",
        "best",
        "study.toml",
        "report/augmented-#.png",
        "report/augmented-1.png",
        "report/augmented-../x.png",
        "REPORT.HTML",
        "report.html/",
        "report.html\0",
        "best//card.md",
        "report/augmented-00000000001.png",
        "grown/validation.npz",
        "grown/../log.txt",
    ] {
        assert!(find(name).is_none(), "{name}");
    }
}
