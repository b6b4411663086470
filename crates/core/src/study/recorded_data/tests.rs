//! Tests of `study::recorded_data`.

use super::*;

fn origin(files: &[(&str, &str)]) -> DataOrigin {
    DataOrigin {
        origin: "IDX files in /data".into(),
        dir: Some("/data".into()),
        fallback: None,
        split: Some(SPLIT_VERSION),
        sha256: files.iter().map(|(name, hash)| ((*name).into(), (*hash).into())).collect(),
    }
}

#[test]
fn the_file_that_changed_is_named_with_both_hashes() {
    let then = origin(&[("train-images-idx3-ubyte", "aa"), ("train-labels-idx1-ubyte", "bb")]);
    let now = origin(&[("train-images-idx3-ubyte", "aa"), ("train-labels-idx1-ubyte", "cc")]);
    assert_eq!(differences(&then, &now), ["train-labels: sha256 bb recorded, cc now"]);
}

#[test]
fn the_same_content_elsewhere_or_compressed_is_the_same_data() {
    let then = origin(&[("train-labels-idx1-ubyte", "bb")]);
    let mut now = origin(&[("letters-train-labels-idx1-ubyte.gz", "bb")]);
    now.origin = "IDX files in /elsewhere".into();
    assert_eq!(differences(&then, &now), Vec::<String>::new());
}

#[test]
fn another_source_is_named() {
    let mut drawn = origin(&[]);
    drawn.origin = "built-in digits".into();
    let then = origin(&[("train-labels-idx1-ubyte", "bb")]);
    assert_eq!(differences(&then, &drawn), ["IDX files in /data recorded, built-in digits now"]);
}
