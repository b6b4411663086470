//! Tests of `checkpoint::manifest`.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn manifest() -> Manifest {
    Manifest {
        version: FORMAT_VERSION,
        fence: 3,
        meta: Meta {
            trial: 1,
            epoch: 2,
            step: 412,
            spec_hash: "ab".into(),
            data_hash: "cd".into(),
            best: true,
            state: json!({"losses": [0.1, 0.2], "patience": 3}),
        },
        parts: vec![part("weights.bpk"), part("optimizer.bpk")],
    }
}

fn part(name: &str) -> PartEntry {
    PartEntry { name: name.into(), bytes: 3, sha256: sha256(b"abc") }
}

/// A hash that is right over content that is not.
fn sealed(rest: &str) -> Vec<u8> {
    let rest = format!("\",{rest}");
    [OPENING, sha256(rest.as_bytes()).as_bytes(), rest.as_bytes()].concat()
}

#[test]
fn a_manifest_reads_back_as_written_and_is_json() {
    let bytes = manifest().to_bytes().unwrap();
    assert_eq!(parse_manifest(&bytes).unwrap(), manifest());
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(json["meta"]["step"], 412);
}

#[test]
fn every_flipped_bit_is_detected() {
    let bytes = manifest().to_bytes().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(parse_manifest(&flipped).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_manifest_cut_anywhere_is_refused() {
    let bytes = manifest().to_bytes().unwrap();
    assert!((0..bytes.len()).all(|cut| parse_manifest(&bytes[..cut]).is_err()));
}

#[test]
fn another_version_is_told_apart_from_damage() {
    let error = parse_manifest(&sealed("\"version\":2}")).unwrap_err();
    assert!(matches!(error, ManifestError::Version { found: 2 }));
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    for name in ["../weights", "/etc/passwd", ".hidden", "", "a/b", "manifest.json", "A"] {
        let parts = vec![part(name)];
        let error = Manifest { parts, ..manifest() }.to_bytes().unwrap_err();
        assert!(matches!(error, ManifestError::PartName { .. }), "{name}");
    }
    let twice = Manifest { parts: vec![part("a"), part("a")], ..manifest() };
    assert!(twice.to_bytes().is_err());
}

#[test]
fn a_changed_study_or_data_is_refused_with_what_differs() {
    let meta = manifest().meta;
    meta.check("ab", "cd").unwrap();
    assert_eq!(meta.check("xx", "cd").unwrap_err().what, "study");
    let error = meta.check("ab", "yy").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the data changed since the checkpoint was written (hash cd then, yy now)"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let _ = parse_manifest(&bytes);
    }

    #[test]
    fn no_sealed_json_makes_it_panic(
        at in any::<usize>(), replaced in 0_usize..40, by in "[\\[\\]{}\":,0-9a-z.e-]{0,20}",
    ) {
        let bytes = manifest().to_bytes().unwrap();
        let text = String::from_utf8(bytes[OPENING.len() + HASH_DIGITS + 2..].to_vec()).unwrap();
        let start = at % text.len();
        let end = (start + replaced).min(text.len());
        let mutated = format!("{}{by}{}", &text[..start], &text[end..]);
        let _ = parse_manifest(&sealed(&mutated));
    }
}
