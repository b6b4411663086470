//! The file that says which held-out images a version classifies correctly.

/// A bit for each image, starting at the lowest bit of the first byte.
pub(super) fn pack(right: &[bool]) -> Vec<u8> {
    let byte = |bits: &[bool]| {
        bits.iter().enumerate().fold(0, |byte, (at, &bit)| byte | u8::from(bit) << at)
    };
    right.chunks(8).map(byte).collect()
}

/// The bits of a number of images; `None` if the file has another length.
pub(super) fn unpack(bytes: &[u8], images: usize) -> Option<Vec<bool>> {
    (bytes.len() == images.div_ceil(8))
        .then(|| (0..images).map(|at| bytes[at / 8] >> (at % 8) & 1 == 1).collect())
}

#[cfg(test)]
mod tests;
