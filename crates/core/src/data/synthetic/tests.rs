//! Tests of `data::synthetic`.

use super::*;
use sha2::{Digest, Sha256};

/// Of the first 200 training digits of seed 1. Digits that change need a new [`GENERATOR_VERSION`].
const GOLDEN_SHA256: &str = "60ab196e3e9a1b2b1f3c592bc8a64f04fbff179061d97d0d85852739f78620f3";

fn hash(images: &Images) -> String {
    Sha256::digest(images.pixels()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_same_seed_draws_the_same_digits_everywhere() {
    assert_eq!(hash(&digits(Split::Train, 200, 1, |_| {})), GOLDEN_SHA256);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let several = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let draw = || hash(&digits(Split::Test, 300, 9, |_| {}));
    assert_eq!(alone.install(draw), several.install(draw));
}

#[test]
fn splits_and_seeds_share_no_digit() {
    let first = |split, seed| digits(split, 10, seed, |_| {}).pixels().to_vec();
    assert_ne!(first(Split::Train, 1), first(Split::Test, 1));
    assert_ne!(first(Split::Train, 1), first(Split::Validation, 1));
    assert_ne!(first(Split::Train, 1), first(Split::Train, 2));
}

#[test]
fn digits_lie_in_mnists_frame() {
    let images = digits(Split::Train, 500, 3, |_| {});
    for index in 0..images.count() {
        let image = images.image(index);
        let [rows, columns] = [
            (0..SIDE).filter(|y| (0..SIDE).any(|x| image[y * SIDE + x] > 0)).count(),
            (0..SIDE).filter(|x| (0..SIDE).any(|y| image[y * SIDE + x] > 0)).count(),
        ];
        assert!((17..=20).contains(&rows.max(columns)), "digit {index} is {columns} × {rows}");
        let mass: f32 = image.iter().map(|&ink| f32::from(ink)).sum();
        let moment = |of: fn(usize) -> usize| {
            image.iter().enumerate().map(|(i, &ink)| f32::from(ink) * of(i) as f32).sum::<f32>()
                / mass
        };
        let centre = [moment(|i| i % SIDE), moment(|i| i / SIDE)];
        assert!(
            centre.iter().all(|c| (c - 14.0).abs() < 0.6),
            "digit {index} is centred at {centre:?}"
        );
    }
}

#[test]
fn digits_have_about_as_much_ink_as_mnists() {
    let images = digits(Split::Train, 2000, 4, |_| {});
    let mean = images.pixels().iter().map(|&ink| f64::from(ink)).sum::<f64>()
        / images.pixels().len() as f64;
    assert!((mean / 255.0 - 0.1307).abs() < 0.01, "{}", mean / 255.0);
}

#[test]
fn progress_ends_at_the_last_digit() {
    let mut reports = Vec::new();
    digits(Split::Train, BLOCK_LEN + 1, 1, |done| reports.push(done));
    assert_eq!(reports, [BLOCK_LEN, BLOCK_LEN + 1]);
}
