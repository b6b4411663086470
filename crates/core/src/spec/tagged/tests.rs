//! Tests of `spec::tagged`.

use crate::spec::StudyDocument;

#[test]
fn a_second_key_is_refused_and_named() {
    let layers = [
        "{ conv = { filters = 4, kernel = 3 }, max-pool = { size = 2 } }",
        "{ max-pool = { size = 2 }, conv = { filters = 4, kernel = 3 } }",
        "{ conv = { filters = 4, kernel = 3 }, surplus = 3 }",
    ];
    for (layer, key) in layers.into_iter().zip(["max-pool", "conv", "surplus"]) {
        let text = format!("name = \"s\"\n[model]\nlayers = [{layer}]\n");
        let error = StudyDocument::new("s.toml", text).parse().unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}` is a second key")), "{error}");
    }
    for train in ["optimizer = { sgd = {}, adam = {} }", "schedule = { constant = {}, x = 1 }"] {
        let text =
            format!("name = \"s\"\n[model]\nlayers = [\"global-avg-pool\"]\n[train]\n{train}\n");
        let error = StudyDocument::new("s.toml", text).parse().unwrap_err().to_string();
        assert!(error.contains("is a second key"), "{error}");
    }
}
