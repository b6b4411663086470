//! Faults of the input that have a name of their own: these are mended where the images come from.

use serde::{Deserialize, Serialize};

use crate::pixels::PixelStats;

/// What is wrong with images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// All pixels are the same.
    Blank,
    /// Dark where the reference is light, and light where it is dark. Told of a window as a whole.
    Inverted,
    /// Pixels above white: from 0 to 255, say, instead of from 0 to 1.
    AboveRange,
    /// Pixels below black: normalized before they came, say.
    BelowRange,
    /// No pixel above 1/255 of white: divided by 255 once too often, say.
    DividedTwice,
    /// Pixels that are no numbers.
    NotFinite,
    /// Another height or width than all images of the reference.
    OtherSize,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Blank,
        Self::Inverted,
        Self::AboveRange,
        Self::BelowRange,
        Self::DividedTwice,
        Self::NotFinite,
        Self::OtherSize,
    ];

    /// The fault in words, as what images are.
    pub fn words(self) -> &'static str {
        match self {
            Self::Blank => "blank: all pixels are the same",
            Self::Inverted => {
                "inverted: dark where the model was accepted on light, and light where on dark"
            }
            Self::AboveRange => {
                "above the range: pixels are above 1, as if they were from 0 to 255"
            }
            Self::BelowRange => {
                "below the range: pixels are below 0, as if they had been normalized before"
            }
            Self::DividedTwice => {
                "almost black: no pixel is above 1/255, as if they had been divided by 255 twice"
            }
            Self::NotFinite => "not numbers: pixels are NaN or infinite",
            Self::OtherSize => "of another size than the images that the model was accepted on",
        }
    }

    pub(crate) fn index(self) -> usize {
        Self::ALL.iter().position(|fault| *fault == self).unwrap_or(0)
    }

    /// Whether a single image has it; `size` is that of all images of the reference, if they have one.
    pub(crate) fn is_in(self, pixels: &PixelStats, size: Option<[u32; 2]>) -> bool {
        match self {
            Self::Inverted => false,
            Self::NotFinite => !pixels.is_finite,
            Self::Blank => pixels.is_finite && pixels.maximum - pixels.minimum <= BLANK_SPREAD,
            Self::AboveRange => pixels.maximum > 1.0 + RANGE_SLACK,
            Self::BelowRange => pixels.minimum < -RANGE_SLACK,
            Self::DividedTwice => {
                pixels.maximum > 0.0 && pixels.minimum >= 0.0 && pixels.maximum <= DIVIDED_MAX
            }
            Self::OtherSize => size.is_some_and(|size| size != pixels.size),
        }
    }
}

/// The largest difference of pixels of a blank image: less than one step of 255.
const BLANK_SPREAD: f32 = 0.5 / 255.0;

/// How far pixels may be out of range: interpolation overshoots a little.
const RANGE_SLACK: f32 = 0.1;

/// White, divided by 255 once more, with room for rounding.
const DIVIDED_MAX: f32 = 1.001 / 255.0;

/// Most negative correlation of two mean images that are not the inverse of each other.
const INVERTED_CORRELATION: f64 = -0.5;

/// The least distance of brightness that only inversion explains, where inversion explains all but [`LIKE_MAX`] of it.
const UNLIKE_MIN: f64 = 0.5;

/// The largest distance of measures that are taken to be the same.
const LIKE_MAX: f64 = 0.2;

/// How the measures of a window's pixels differ from the reference's, as distances.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Distances {
    /// Of the brightness.
    pub brightness: f64,
    /// Of the brightness, were the window's images inverted.
    pub inverse_brightness: f64,
    /// Of contrast and sharpness, which inversion leaves as they are.
    pub others: [f64; 2],
}

/// Whether a window is inverted: its brightness is nearer to the reference's when inverted, and either its mean image is
/// the reverse of the reference's, or inversion alone explains a large difference.
pub(crate) fn is_inverted(reference: &[f32], window: &[f32], distances: Distances) -> bool {
    let Distances { brightness, inverse_brightness, others } = distances;
    let explains = brightness >= UNLIKE_MIN
        && inverse_brightness <= LIKE_MAX
        && others.iter().all(|distance| *distance <= LIKE_MAX);
    inverse_brightness < brightness
        && (explains || correlation(reference, window) <= INVERTED_CORRELATION)
}

/// Pearson's correlation; 0 if one of the two does not vary.
fn correlation(first: &[f32], second: &[f32]) -> f64 {
    let mean = |values: &[f32]| {
        values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len().max(1) as f64
    };
    let (first_mean, second_mean) = (mean(first), mean(second));
    let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
    for (&x, &y) in first.iter().zip(second) {
        let (x, y) = (f64::from(x) - first_mean, f64::from(y) - second_mean);
        both += x * y;
        one += x * x;
        other += y * y;
    }
    if one <= 0.0 || other <= 0.0 { 0.0 } else { both / (one * other).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(values: &[f32]) -> Vec<Fault> {
        let pixels = PixelStats::of_values(values, [1, 2, 2]).unwrap();
        Fault::ALL.into_iter().filter(|fault| fault.is_in(&pixels, Some([2, 2]))).collect()
    }

    #[test]
    fn each_fault_of_an_image_has_its_name() {
        assert_eq!(faults(&[0.0, 0.2, 1.0, 0.4]), []);
        assert_eq!(faults(&[0.3, 0.3, 0.3, 0.3]), [Fault::Blank]);
        assert_eq!(faults(&[0.0, 20.0, 255.0, 3.0]), [Fault::AboveRange]);
        assert_eq!(faults(&[-0.42, 0.2, 0.9, 0.0]), [Fault::BelowRange]);
        assert_eq!(faults(&[-0.42, 2.8, 0.9, 0.0]), [Fault::AboveRange, Fault::BelowRange]);
        assert_eq!(faults(&[0.0, 1.0 / 255.0, 0.5 / 255.0, 0.0]), [Fault::DividedTwice]);
        assert_eq!(faults(&[0.0, f32::NAN, 1.0, 0.5]), [Fault::NotFinite]);
        let pixels = PixelStats::of_values(&[0.0, 1.0, 0.0, 1.0], [1, 2, 2]).unwrap();
        assert!(Fault::OtherSize.is_in(&pixels.clone().with_size(56, 56), Some([2, 2])));
        assert!(!Fault::OtherSize.is_in(&pixels.with_size(56, 56), None));
    }

    #[test]
    fn an_inverted_mean_image_is_told_from_another_one() {
        let reference = [0.0, 0.1, 0.5, 0.1];
        let inverse = reference.map(|value| 1.0 - value);
        let is = |window: &[f32], brightness, inverse_brightness, other| {
            let others = [other; 2];
            is_inverted(&reference, window, Distances { brightness, inverse_brightness, others })
        };
        assert!(is(&inverse, 0.9, 0.3, 0.5));
        assert!(!is(&inverse, 0.1, 0.9, 0.5), "its brightness says otherwise");
        assert!(!is(&reference, 0.9, 0.3, 0.5));
        assert!(!is(&[0.5; 4], 0.9, 0.3, 0.0), "a flat image has no reverse");
        assert!(is(&[0.5; 4], 0.9, 0.1, 0.0), "but inversion alone explains it");
        assert!(!is(&[0.5; 4], 0.9, 0.1, 0.5), "not if the contrast differs");
    }
}
