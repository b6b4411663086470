//! Small data sets, and IDX files of them.

use std::fs;
use std::path::Path;

use crate::mnist_files::NAMES;

/// An IDX file of `[count, height, width]` images, from all their pixels.
pub fn image_file(height: usize, width: usize, pixels: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 3];
    for dim in [pixels.len() / (height * width), height, width] {
        file.extend((dim as u32).to_be_bytes());
    }
    file.extend(pixels);
    file
}

/// An IDX file of labels.
pub fn label_file(labels: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 1];
    file.extend((labels.len() as u32).to_be_bytes());
    file.extend(labels);
    file
}

/// Labels that take the classes in turn.
pub fn in_turn(count: usize, classes: usize) -> Vec<u8> {
    (0..count).map(|index| (index % classes) as u8).collect()
}

/// An image of 6 × 6 pixels: a white square in the corner that the class names, and noise that makes each `index` unique.
pub fn square(class: usize, index: usize) -> [u8; 36] {
    let mut pixels = [0; 36];
    let (top, left) = (3 * (class / 2 % 2), 3 * (class % 2));
    for y in 0..3 {
        for x in 0..3 {
            pixels[(top + y) * 6 + left + x] = 250;
        }
    }
    // Where no square is bright enough for it to matter.
    for (bit, pixel) in pixels.iter_mut().take(16).enumerate() {
        *pixel ^= ((index >> bit) & 1) as u8;
    }
    pixels
}

/// Writes a data set under MNIST's names into a folder that it makes.
pub fn write_set(dir: &Path, set: &[Vec<u8>; 4]) {
    fs::create_dir_all(dir).unwrap();
    for (name, content) in NAMES.iter().zip(set) {
        fs::write(dir.join(name), content).unwrap();
    }
}
