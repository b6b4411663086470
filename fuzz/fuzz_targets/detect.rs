//! Source files and notebooks of a stranger's checkout: whatever they hold, they are read, followed to a
//! study, or refused.
#![no_main]

use burgeon::unstable::detect::{fuzz_notebook, fuzz_python, text_study};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzz_notebook(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        fuzz_python(text);
        if let Some(study) = text_study(text) {
            assert!(!study.layers.is_empty(), "a study has a layer");
        }
    }
});
