//! Tests of `spec::keep`.

use super::*;
use crate::spec::StudyDocument;

fn kept(value: &str) -> Result<Keep, crate::spec::SpecError> {
    let text = format!("[model]\nlayers = []\n[tune]\nkeep = {value}\n");
    StudyDocument::new("s.toml", text).parse().map(|file| file.tune.keep)
}

#[test]
fn a_name_or_a_number_says_what_is_kept() {
    assert_eq!(kept("\"needed\"").unwrap(), Keep::Needed);
    assert_eq!(kept("\"all\"").unwrap(), Keep::All);
    assert_eq!(kept("12").unwrap(), Keep::Newest(12));
    for wrong in ["-1", "\"some\"", "1.5", "true", "5000000000"] {
        let error = kept(wrong).unwrap_err().to_string();
        assert!(error.contains("\"needed\", \"all\", or a number of trials"), "{error}");
    }
}
