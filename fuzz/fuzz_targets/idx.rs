//! IDX files, whatever they say about themselves.
#![no_main]

use std::path::Path;

use burgeon::unstable::data::idx::{Checks, parse_images, parse_labels};
use libfuzzer_sys::fuzz_target;

const CHECKS: Checks<'_> = Checks { sha256: None, bytes_max: 1 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("fuzzed");
    if let Ok(images) = parse_images(path, bytes, CHECKS) {
        assert_eq!(images.pixels.len(), images.count * images.height * images.width);
        assert!(images.file.bytes <= CHECKS.bytes_max);
    }
    if let Ok(labels) = parse_labels(path, bytes, CHECKS) {
        assert_eq!(labels.labels.len() as u64 + 8, labels.file.bytes);
    }
});
