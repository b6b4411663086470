//! The self-test of a version: images with the probabilities that it gave when it was added, which it has to reproduce
//! before it serves.

use serde::{Deserialize, Serialize};

/// File of the self-test, in the folder of a version.
pub(crate) const SELF_TEST_FILE: &str = "self-test.json";
/// Tolerance of a probability: instruction sets sum in different orders.
const TOLERANCE: f32 = 1e-3;

/// Images with expected probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SelfTest {
    /// Version of this format.
    pub v: u32,
    /// The images.
    pub cases: Vec<Case>,
}

/// An image and its expected probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    /// Its pixels, `[channels, height, width]`, in hex.
    pub image: String,
    /// The probability of each class, by label.
    pub probabilities: Vec<f32>,
}

impl SelfTest {
    /// Stores images and the probabilities of their classes.
    pub fn new<'a>(cases: impl Iterator<Item = (&'a [u8], Vec<f32>)>) -> Self {
        let case = |(image, probabilities)| Case { image: hex::encode(image), probabilities };
        Self { v: 1, cases: cases.map(case).collect() }
    }

    /// The pixels of all images one after another; an error if they are not valid.
    pub fn images(&self, image_len: usize) -> Result<Vec<u8>, String> {
        let mut pixels = Vec::with_capacity(self.cases.len() * image_len);
        for case in &self.cases {
            let image = hex::decode(&case.image).map_err(|error| error.to_string())?;
            if image.len() != image_len {
                return Err(format!("a stored image has {} bytes, not {image_len}", image.len()));
            }
            pixels.extend(image);
        }
        Ok(pixels)
    }

    /// Compares the probabilities of all images, `[images, classes]`, with those that are expected.
    pub fn check(&self, found: &[f32]) -> Result<(), String> {
        let expected: Vec<f32> =
            self.cases.iter().flat_map(|case| case.probabilities.iter().copied()).collect();
        if expected.len() != found.len() || expected.is_empty() {
            return Err(format!("{} values instead of {}", found.len(), expected.len()));
        }
        for (place, (expected, found)) in expected.iter().zip(found).enumerate() {
            let off = (expected - found).abs();
            // NaN never matches.
            if off.is_nan() || off > TOLERANCE {
                return Err(format!(
                    "value {place} of the expected probabilities is {expected}, but is now {found}"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
