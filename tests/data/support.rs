//! What the tests of the data module share: small data sets written as IDX files, and the real MNIST if it is here.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// MNIST's names of the four files.
pub const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// An IDX image file.
pub fn idx_images(count: usize, height: usize, width: usize) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 3];
    for dim in [count, height, width] {
        file.extend((dim as u32).to_be_bytes());
    }
    file.extend((0..count * height * width).map(|i| (i * 31 % 251) as u8));
    file
}

/// An IDX label file that takes the classes in turn.
pub fn idx_labels(count: usize, classes: usize) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 1];
    file.extend((count as u32).to_be_bytes());
    file.extend((0..count).map(|i| (i % classes) as u8));
    file
}

/// A data set of 20 training and 10 test images, by [`NAMES`].
pub fn small_set() -> [Vec<u8>; 4] {
    [idx_images(20, 6, 5), idx_labels(20, 4), idx_images(10, 6, 5), idx_labels(10, 4)]
}

/// Writes a data set under MNIST's names.
pub fn write_set(dir: &Path, set: &[Vec<u8>; 4]) {
    for (name, content) in NAMES.iter().zip(set) {
        fs::write(dir.join(name), content).unwrap();
    }
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

/// The folder of the real MNIST, if this machine has it: `BURGEON_DATA`, or `data/`.
pub fn real_mnist() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let named = std::env::var_os("BURGEON_DATA").map(PathBuf::from);
    named.into_iter().chain([beside]).find(|dir| burgeon::unstable::data::mnist::read(dir).is_ok())
}
