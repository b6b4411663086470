//! Changes the brightness, contrast and saturation of training images.

use burgeon_counter::CounterRng;

use crate::Normalization;

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
mod tests;
