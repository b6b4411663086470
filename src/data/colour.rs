//! Changes the brightness, contrast and saturation of training images.

use super::Normalization;
use crate::sys::CounterRng;

/// How far colours may be changed. The default leaves them unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColourJitter {
    /// Largest change of brightness as a fraction: 0.2 multiplies by 0.8 to 1.2.
    pub brightness: f32,
    /// Largest change of the distance to the image's mean brightness, as a fraction.
    pub contrast: f32,
    /// Largest change of the distance to grey, as a fraction; grey images have none.
    pub saturation: f32,
}

/// The random factors for one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ColourChange {
    brightness: f32,
    contrast: f32,
    saturation: f32,
}

/// Weights of red, green and blue in brightness (ITU-R BT.709).
const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];

impl ColourJitter {
    /// Draws a change; `None` if all are off.
    pub(super) fn draw(&self, rng: &mut CounterRng) -> Option<ColourChange> {
        (*self != Self::default()).then(|| {
            let mut factor = |reach: f32| 1.0 + rng.uniform(-reach, reach);
            ColourChange {
                brightness: factor(self.brightness),
                contrast: factor(self.contrast),
                saturation: factor(self.saturation),
            }
        })
    }
}

impl ColourChange {
    /// Changes a normalized image, `[channels, height, width]`: brightness, then contrast, then saturation; values are
    /// clipped to the range from black to white.
    pub(super) fn apply(self, image: &mut [f32], channels: usize, normalization: Normalization) {
        let plane = image.len() / channels.max(1);
        let is_colour = channels == LUMA.len();
        for (channel, values) in image.chunks_exact_mut(plane.max(1)).enumerate() {
            let (mean, std) = (normalization.mean[channel], normalization.std[channel]);
            values.iter_mut().for_each(|value| *value = (*value * std + mean) * self.brightness);
        }
        let luma = |image: &[f32], at: usize| -> f32 {
            if is_colour {
                (0..3).map(|channel| LUMA[channel] * image[channel * plane + at]).sum()
            } else {
                image[at]
            }
        };
        let middle = (0..plane).map(|at| luma(image, at)).sum::<f32>() / plane.max(1) as f32;
        image.iter_mut().for_each(|value| *value = middle + (*value - middle) * self.contrast);
        if is_colour {
            for at in 0..plane {
                let grey = luma(image, at);
                for channel in 0..3 {
                    let value = &mut image[channel * plane + at];
                    *value = grey + (*value - grey) * self.saturation;
                }
            }
        }
        for (channel, values) in image.chunks_exact_mut(plane.max(1)).enumerate() {
            let (mean, std) = (normalization.mean[channel], normalization.std[channel]);
            values.iter_mut().for_each(|value| *value = (value.clamp(0.0, 1.0) - mean) / std);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMALIZATION: Normalization =
        Normalization { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };

    /// Two colour pixels, changed; in and out as fractions of white.
    fn changed(change: ColourChange, pixels: [f32; 6], channels: usize) -> Vec<f32> {
        let plane = 6 / channels;
        let of = |at: usize| (NORMALIZATION.mean[at / plane], NORMALIZATION.std[at / plane]);
        let mut image: Vec<f32> =
            pixels.iter().enumerate().map(|(at, value)| (value - of(at).0) / of(at).1).collect();
        change.apply(&mut image, channels, NORMALIZATION);
        image.iter().enumerate().map(|(at, value)| value * of(at).1 + of(at).0).collect()
    }

    #[track_caller]
    fn assert_close(found: &[f32], expected: &[f32]) {
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?} instead of {expected:?}");
        }
    }

    const NONE: ColourChange = ColourChange { brightness: 1.0, contrast: 1.0, saturation: 1.0 };
    // Planes of red, green and blue; the first pixel is orange, the second grey.
    const PIXELS: [f32; 6] = [0.8, 0.4, 0.5, 0.4, 0.1, 0.4];

    #[test]
    fn factors_of_one_change_nothing() {
        assert_close(&changed(NONE, PIXELS, 3), &PIXELS);
        assert_close(&changed(NONE, PIXELS, 1), &PIXELS);
    }

    #[test]
    fn brightness_multiplies_and_ends_at_white() {
        let brighter = ColourChange { brightness: 1.5, ..NONE };
        assert_close(&changed(brighter, PIXELS, 3), &[1.0, 0.6, 0.75, 0.6, 0.15, 0.6]);
    }

    #[test]
    fn no_contrast_leaves_the_mean_brightness_and_no_saturation_leaves_grey() {
        let flat = changed(ColourChange { contrast: 0.0, ..NONE }, PIXELS, 3);
        let orange = 0.8 * LUMA[0] + 0.5 * LUMA[1] + 0.1 * LUMA[2];
        assert_close(&flat, &[(orange + 0.4) / 2.0; 6]);
        let grey = changed(ColourChange { saturation: 0.0, ..NONE }, PIXELS, 3);
        assert_close(&grey, &[orange, 0.4, orange, 0.4, orange, 0.4]);
        // Grey images have no saturation to change.
        assert_close(&changed(ColourChange { saturation: 0.0, ..NONE }, PIXELS, 1), &PIXELS);
    }

    #[test]
    fn every_draw_is_within_its_reach() {
        let jitter = ColourJitter { brightness: 0.2, contrast: 0.0, saturation: 0.5 };
        let draws = (0..100).filter_map(|seed| jitter.draw(&mut CounterRng::new(seed)));
        let draws: Vec<ColourChange> = draws.collect();
        assert_eq!(draws.len(), 100);
        assert!(draws.iter().all(|draw| (draw.brightness - 1.0).abs() <= 0.2));
        assert!(draws.iter().all(|draw| draw.contrast == 1.0));
        assert!(draws.iter().any(|draw| (draw.saturation - 1.0).abs() > 0.3));
        assert_eq!(ColourJitter::default().draw(&mut CounterRng::new(1)), None);
    }
}
