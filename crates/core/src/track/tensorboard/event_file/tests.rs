//! Tests of `track::tensorboard::event_file`.

use super::*;

fn written(before: &[u8], records: &[&[u8]]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    std::fs::write(&path, before).unwrap();
    let mut file = EventFile::open(&path).unwrap();
    for record in records {
        file.append(record).unwrap();
    }
    std::fs::read(&path).unwrap()
}

#[test]
fn a_file_that_was_cut_anywhere_is_continued() {
    let whole = b"firstsecondthird";
    for cut in 0..=whole.len() {
        assert_eq!(written(&whole[..cut], &[b"first", b"second", b"third"]), whole);
    }
}

#[test]
fn what_differs_is_replaced() {
    assert_eq!(written(b"firstSECOND and more", &[b"first", b"second"]), b"firstsecond");
}

#[test]
fn a_failed_append_may_be_repeated() {
    // A record of which a part was written before the error.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let mut file = EventFile::open(&path).unwrap();
    file.append(b"first").unwrap();
    file.file.write_all(b"sec").unwrap();
    file.append(b"second").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"firstsecond");
}
