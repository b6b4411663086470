//! `--set KEY=VALUE`, one a line: refused with words, or a study that is the same again when it is
//! written out.
#![no_main]

use burgeon::spec::{InputShape, Override, StudyDocument};
use libfuzzer_sys::fuzz_target;

const LENET: &str = include_str!("../../models/lenet.toml");

fuzz_target!(|text: &str| {
    let parsed: Result<Vec<Override>, _> = text.lines().map(str::parse).collect();
    let overrides = match parsed {
        Ok(overrides) => overrides,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let document = StudyDocument::new("lenet.toml", LENET).with_overrides(overrides);
    match document.validate(InputShape::MNIST) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(spec) => {
            let written = StudyDocument::new("written.toml", spec.file().to_toml());
            let again = written.validate(InputShape::MNIST);
            assert_eq!(again.unwrap_or_else(|error| panic!("{error}\n{text}")), spec);
        }
    }
});
