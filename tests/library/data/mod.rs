//! The data module from outside: files, servers and pictures of all kinds of soundness.

mod fetch;
mod idx;
mod image_file;
mod ink;
mod load;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::small_sets::{image_file, in_turn, label_file};

/// An IDX file of images that show nothing.
pub fn some_images(count: usize, height: usize, width: usize) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count * height * width).map(|at| (at * 31 % 251) as u8).collect();
    image_file(height, width, &pixels)
}

/// A data set of 20 training and 10 test images of 6 × 5 pixels in 4 classes, by [`NAMES`].
pub fn small_set() -> [Vec<u8>; 4] {
    let labels = |count| label_file(&in_turn(count, 4));
    [some_images(20, 6, 5), labels(20), some_images(10, 6, 5), labels(10)]
}

/// Compressed with gzip.
pub fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// SHA-256 in hex.
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
