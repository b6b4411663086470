//! Study files: refused with words, or the same study again when written out.
#![no_main]

use burgeon::spec::{InputShape, StudyDocument};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let document = StudyDocument::new("fuzzed.toml", text);
    match document.validate(InputShape::MNIST) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(spec) => {
            let written = spec.file().to_toml();
            let again = StudyDocument::new("written.toml", written).validate(InputShape::MNIST);
            let again = again.unwrap_or_else(|error| panic!("{error}\n{}", spec.file().to_toml()));
            assert_eq!(again, spec);
            assert_eq!(again.hash(), spec.hash());
        }
    }
});
