//! Tests of `spec::model`.

use super::super::{InputShape, StudyDocument, StudyFile};

fn refusal(model: &str) -> String {
    let text = format!("[model]\n{model}\n");
    StudyDocument::new("a.toml", text).validate(InputShape::MNIST).unwrap_err().to_string()
}

#[test]
fn layers_may_be_missing_only_where_a_model_has_them() {
    assert!(refusal("").starts_with("a.toml:1:"), "{}", refusal(""));
    assert!(refusal("").contains("missing key `layers`"), "{}", refusal(""));
    let study = StudyDocument::new("a.toml", "[model]\nfrom = \"runs/a-0001\"\n").parse();
    let model = study.unwrap().model;
    assert_eq!(model.from, Some("runs/a-0001".into()));
    assert!(model.layers.is_empty());
}

#[test]
fn keys_about_a_model_that_is_not_there_are_refused() {
    let message = refusal("layers = []\nmeasure-forgetting = true");
    assert!(message.starts_with("a.toml:3:22: `model.measure-forgetting`"), "{message}");
    let hash = "0".repeat(64);
    assert!(refusal(&format!("layers = []\nfrom-sha256 = \"{hash}\"")).contains("from-sha256"));
    assert!(refusal("from = \"\"").contains("is empty"));
    assert!(refusal("from = \"a\"\nfrom-sha256 = \"12\"").contains("64 hexadecimal digits"));
    assert!(refusal("form = \"a\"\nlayers = []").contains("did you mean `from`?"));
}

#[test]
fn the_hash_sees_the_content_of_the_model_and_not_its_path() {
    let hash = |from: Option<&str>, sha256: Option<&str>| {
        let mut file = StudyFile::new("a", Vec::new());
        file.model.from = from.map(Into::into);
        file.model.from_sha256 = sha256.map(Into::into);
        super::super::Spec::new(file, InputShape::MNIST).unwrap().hash()
    };
    let (one, other) = ("1".repeat(64), "2".repeat(64));
    assert_eq!(hash(Some("a"), Some(&one)), hash(Some("b"), Some(&one)));
    assert_ne!(hash(Some("a"), Some(&one)), hash(Some("a"), Some(&other)));
    assert_eq!(hash(Some("a"), None), hash(None, None));
}

#[cfg(feature = "train")]
#[test]
fn what_is_written_out_is_read_back_equal() {
    let mut file = StudyFile::new("a", Vec::new());
    file.model.from = Some("/runs/a \"b\"".into());
    file.model.from_sha256 = Some("1".repeat(64));
    file.model.measure_forgetting = true;
    let text = file.to_toml();
    assert_eq!(StudyDocument::new("a.toml", text).parse().unwrap(), file);
    let bare = StudyFile { model: file.model.without_origin(), ..StudyFile::new("a", Vec::new()) };
    assert_eq!(bare, StudyFile::new("a", Vec::new()));
}
