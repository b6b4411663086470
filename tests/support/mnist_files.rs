//! MNIST's files, where they are here.

use std::path::{Path, PathBuf};

/// MNIST's names of the four files.
pub const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The folder of the real MNIST, if this machine has it: `BURGEON_DATA`, or `data/`.
pub fn real_mnist() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let named = std::env::var_os("BURGEON_DATA").map(PathBuf::from);
    named.into_iter().chain([beside]).find(|dir| burgeon::unstable::data::mnist::read(dir).is_ok())
}
