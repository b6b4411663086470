//! IDX files of all kinds of soundness.

use std::fs;
use std::path::{Path, PathBuf};

use super::{gzipped, sha256, some_images};
use crate::small_sets::{in_turn, label_file};
use burgeon::data::DataError;
use burgeon::unstable::data::idx::{Checks, read_images, read_labels};
use burgeon::unstable::sys::CounterRng;
use tempfile::TempDir;

fn written(dir: &TempDir, content: &[u8]) -> PathBuf {
    let path = dir.path().join("images-idx3-ubyte");
    fs::write(&path, content).unwrap();
    path
}

fn refusal(content: &[u8]) -> String {
    let dir = TempDir::new().unwrap();
    let path = written(&dir, content);
    let error = read_images(&path, Checks::default()).unwrap_err().chain();
    error.replace(&path.display().to_string(), "FILE")
}

#[test]
fn plain_and_gzipped_files_read_alike() {
    let dir = TempDir::new().unwrap();
    let content = some_images(7, 4, 3);
    for stored in [content.clone(), gzipped(&content)] {
        let images = read_images(&written(&dir, &stored), Checks::default()).unwrap();
        assert_eq!((images.count, images.height, images.width), (7, 4, 3));
        assert_eq!(&*images.pixels, &content[16..]);
        assert_eq!(
            (images.file.bytes, images.file.sha256),
            (content.len() as u64, sha256(&content))
        );
    }
    let labels =
        read_labels(&written(&dir, &label_file(&in_turn(5, 3))), Checks::default()).unwrap();
    assert_eq!(&*labels.labels, [0, 1, 2, 0, 1]);
}

#[test]
fn the_expected_hash_is_that_of_the_inflated_content() {
    let dir = TempDir::new().unwrap();
    let content = some_images(7, 4, 3);
    let right = sha256(&content);
    let path = written(&dir, &gzipped(&content));
    assert!(read_images(&path, Checks { sha256: Some(&right), ..Checks::default() }).is_ok());
    let wrong = right.replace('a', "b");
    let error =
        read_images(&path, Checks { sha256: Some(&wrong), ..Checks::default() }).unwrap_err();
    assert!(
        matches!(&error, DataError::WrongContent { actual, .. } if *actual == right),
        "{error}"
    );
}

#[test]
fn each_flaw_is_told_with_what_would_be_right() {
    let good = some_images(7, 4, 3);
    let with = |at: usize, bytes: [u8; 4]| {
        let mut file = good.clone();
        file[at..at + 4].copy_from_slice(&bytes);
        file
    };
    let cases: [(Vec<u8>, &str); 10] = [
        (Vec::new(), "FILE: ends within the IDX header"),
        (good[..10].to_vec(), "FILE: ends within the IDX header"),
        (
            label_file(&in_turn(5, 3)),
            "FILE: starts with the bytes 00000801, but an IDX image file starts with 00000803 (or 00000804, in colour)",
        ),
        (
            b"<!DOCTYPE html>".to_vec(),
            "FILE: starts with the bytes 3c21444f, but an IDX image file starts with 00000803 (or 00000804, in colour)",
        ),
        (with(4, [0; 4]), "FILE: its header declares 0 items; at least 1 is needed"),
        (
            with(8, [0; 4]),
            "FILE: its header declares images 0 pixels wide or high; 1 to 4096 are supported",
        ),
        (
            with(8, [0, 1, 0, 0]),
            "FILE: its header declares images 65536 pixels wide or high; 1 to 4096 are supported",
        ),
        (
            with(4, [0, 0, 0, 8]),
            "FILE: its header declares 112 bytes, but the file is too short to hold them",
        ),
        (
            with(4, [0xff; 4]),
            "FILE: its header declares 51539607556 bytes, more than the limit of 4294967296",
        ),
        (
            [&good[..], &[0]].concat(),
            "FILE: continues after the 100 bytes that its header declares",
        ),
    ];
    for (content, expected) in cases {
        assert_eq!(refusal(&content), expected);
    }
}

#[test]
fn gzip_damage_is_told_apart() {
    let packed = gzipped(&some_images(50, 8, 8));
    let cut = refusal(&packed[..packed.len() - 12]);
    assert!(cut.starts_with("FILE: ends before") || cut.starts_with("FILE: ends within"), "{cut}");
    let mut flipped = packed.clone();
    let checksum = flipped.len() - 6;
    flipped[checksum] ^= 1;
    assert!(
        refusal(&flipped).starts_with("FILE: its gzip stream is corrupt"),
        "{}",
        refusal(&flipped)
    );
}

#[test]
fn a_tiny_archive_cannot_claim_gigabytes() {
    let mut bomb = some_images(1, 4096, 1);
    bomb[4..8].copy_from_slice(&200_000_u32.to_be_bytes());
    assert!(
        refusal(&gzipped(&bomb)).contains("declares 819200016 bytes, but the file is too short")
    );
}

#[test]
fn what_is_no_file_is_refused() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("nowhere");
    let error = read_images(&missing, Checks::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}", missing.display()));
    assert!(read_images(dir.path(), Checks::default()).is_err());
}

/// Two hundred damaged files, half of them gzipped: cut, flipped, overwritten, lengthened. Each is read or refused
/// with its name, and what is read keeps the header's promise.
#[test]
fn two_hundred_damaged_files_are_read_or_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let mut refused = 0;
    for case in 0..200 {
        let mut rng = CounterRng::new(case);
        let mut content = some_images(6, 5, 4);
        if case % 4 < 2 {
            damage(&mut content, &mut rng);
        }
        let mut stored = if case % 2 == 0 { content } else { gzipped(&content) };
        if case % 4 >= 2 {
            damage(&mut stored, &mut rng);
        }
        refused += u32::from(refused_by_name(&written(&dir, &stored), case));
    }
    assert!(refused > 100, "only {refused} of 200 were found damaged");
}

fn damage(file: &mut Vec<u8>, rng: &mut CounterRng) {
    for _ in 0..=rng.below(3) {
        let at = rng.below(file.len() as u32) as usize;
        match rng.below(5) {
            0 => file.truncate(at.max(1)),
            1 => file[at] ^= 1 << rng.below(8),
            2 => file[at % 16] = rng.next_u32() as u8,
            3 => file.insert(at, rng.next_u32() as u8),
            _ => file.extend_from_within(at..),
        }
        if file.is_empty() {
            file.push(0);
        }
    }
}

fn refused_by_name(path: &Path, case: u64) -> bool {
    let name = path.display().to_string();
    if let Err(error) = read_labels(path, Checks::default()) {
        assert!(error.to_string().contains(&name), "case {case}: {error}");
    }
    match read_images(path, Checks::default()) {
        Ok(images) => {
            assert_eq!(
                images.pixels.len(),
                images.count * images.height * images.width,
                "case {case}"
            );
            false
        }
        Err(error) => {
            assert!(error.to_string().contains(&name), "case {case}: {error}");
            true
        }
    }
}
