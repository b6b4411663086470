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
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_and_another_length_is_noticed() {
        for images in [0, 1, 7, 8, 9, 100] {
            let right: Vec<bool> = (0..images).map(|at| at % 3 == 0).collect();
            let packed = pack(&right);
            assert_eq!(unpack(&packed, images), Some(right));
            assert_eq!(unpack(&packed, images + 8), None);
        }
    }
}
