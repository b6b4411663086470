//! Checkpoint manifests: as they are, and sealed with a right hash so that the content is reached.
#![no_main]

use burgeon::unstable::checkpoint::parse_manifest;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_manifest(bytes);

    // The hash covers everything after its own digits.
    let opening = b"{\"sha256\":\"".as_slice();
    let rest = bytes.strip_prefix(opening).and_then(|rest| rest.get(64..)).unwrap_or(bytes);
    let hash: String = Sha256::digest(rest).iter().map(|byte| format!("{byte:02x}")).collect();
    let sealed = [opening, hash.as_bytes(), rest].concat();
    if let Ok(manifest) = parse_manifest(&sealed) {
        let written = manifest.to_bytes().expect("what was read can be written");
        let again = parse_manifest(&written).expect("what was written can be read");
        assert_eq!(again, manifest);
    }
});
