//! Distorts training images: shifts, rotations, scalings and elastic warps, decided by a counter.
//!
//! Elastic distortion is that of Simard, Steinkraus and Platt, "Best practices for convolutional neural networks
//! applied to visual document analysis" (ICDAR 2003): a field of random displacements, smoothed by a Gaussian.

use super::Normalization;
use super::warp::{Affine, Field, Gaussian, Sampler};
use crate::sys::CounterRng;

/// How far images may be distorted. The default leaves them alone.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Augmentation {
    /// Largest shift in whole pixels, along each axis.
    pub shift: u32,
    /// Largest rotation in degrees, either way.
    pub rotate_degrees: f32,
    /// Largest change of size as a fraction: 0.1 scales by 0.9 to 1.1.
    pub scale: f32,
    /// Elastic distortion, if any.
    pub elastic: Option<Elastic>,
}

/// Elastic distortion. Displacements have a deviation of about `0.16 × alpha / sigma` pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Elastic {
    /// Strength: the factor on the smoothed field.
    pub alpha: f32,
    /// Standard deviation, in pixels, of the Gaussian that smooths the field.
    pub sigma: f32,
}

/// An [`Augmentation`] made ready.
#[derive(Debug, Clone)]
pub struct Augmenter {
    settings: Augmentation,
    gaussian: Option<Gaussian>,
}

/// Buffers that one thread reuses from image to image.
#[derive(Debug, Default)]
pub struct Scratch {
    sampler: Sampler,
    field: Field,
}

impl Augmenter {
    /// Prepares the distortion.
    pub fn new(settings: Augmentation) -> Self {
        let gaussian = settings.elastic.map(|Elastic { alpha, sigma }| Gaussian::new(alpha, sigma));
        Self { settings, gaussian }
    }

    /// Whether images come out as they went in.
    pub fn is_identity(&self) -> bool {
        self.settings == Augmentation::default()
    }

    /// Writes the distorted and normalised image.
    ///
    /// `image` and `out` are `[height, width]`; what comes in from outside the image is background. The same seed
    /// gives the same distortion.
    ///
    /// # Panics
    /// If `image` and `out` differ in length or are not whole rows of `width`.
    pub fn distort(
        &self,
        image: &[u8],
        width: usize,
        seed: u64,
        normalization: Normalization,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        assert!(
            image.len() == out.len() && image.len().is_multiple_of(width),
            "a distorted image keeps its size"
        );
        let mut rng = CounterRng::new(seed);
        let shift = [self.shift(&mut rng), self.shift(&mut rng)];
        if self.only_shifts() {
            shifted(image, width, shift, normalization, out);
        } else {
            let affine = self.affine(&mut rng, shift);
            let field = self.gaussian.as_ref().map(|gaussian| {
                scratch.field.draw(&mut rng, width, image.len() / width, gaussian);
                &scratch.field
            });
            scratch.sampler.sample(image, width, affine, field, normalization, out);
        }
    }

    fn only_shifts(&self) -> bool {
        self.settings.rotate_degrees == 0.0 && self.settings.scale == 0.0 && self.gaussian.is_none()
    }

    fn shift(&self, rng: &mut CounterRng) -> i32 {
        let reach = self.settings.shift;
        rng.below(2 * reach + 1) as i32 - reach as i32
    }

    fn affine(&self, rng: &mut CounterRng, shift: [i32; 2]) -> Affine {
        let reach = self.settings.rotate_degrees;
        let radians = rng.uniform(-reach, reach).to_radians();
        let scale = 1.0 + rng.uniform(-self.settings.scale, self.settings.scale);
        Affine { radians, scale, shift: shift.map(|pixels| pixels as f32) }
    }
}

/// A shift by whole pixels needs no interpolation.
fn shifted(
    image: &[u8],
    width: usize,
    shift: [i32; 2],
    normalization: Normalization,
    out: &mut [f32],
) {
    let (factor, term) = normalization.affine();
    out.fill(term);
    let height = (image.len() / width) as i32;
    let [right, down] = shift.map(|pixels| pixels as isize);
    let copied = width.saturating_sub(right.unsigned_abs());
    let (from, to) = (right.min(0).unsigned_abs(), right.max(0) as usize);
    for y in 0..height as isize {
        let source = y - down;
        if copied > 0 && (0..height as isize).contains(&source) {
            let row = &image[source as usize * width + from..][..copied];
            let target = &mut out[y as usize * width + to..][..copied];
            for (value, &pixel) in target.iter_mut().zip(row) {
                *value = f32::from(pixel) * factor + term;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Normalization = Normalization { mean: 0.0, std: 1.0 };

    /// A bright blob in the middle of a dark image of 21 × 17.
    fn blob() -> Vec<u8> {
        let mut image = vec![0; 21 * 17];
        for y in 8..13 {
            image[y * 17 + 6..][..5].fill(255);
        }
        image
    }

    fn distorted(settings: Augmentation, seed: u64) -> Vec<f32> {
        let mut out = vec![f32::NAN; 21 * 17];
        Augmenter::new(settings).distort(
            &blob(),
            17,
            seed,
            PLAIN,
            &mut Scratch::default(),
            &mut out,
        );
        out
    }

    fn centre(image: &[f32]) -> [f32; 2] {
        let mass: f32 = image.iter().sum();
        let along = |coordinate: fn(usize) -> usize| {
            image.iter().enumerate().map(|(i, v)| v * coordinate(i) as f32).sum::<f32>() / mass
        };
        [along(|i| i % 17), along(|i| i / 17)]
    }

    #[test]
    fn a_shift_moves_by_whole_pixels_within_its_reach() {
        let settings = Augmentation { shift: 3, ..Default::default() };
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let [x, y] = centre(&distorted(settings, seed));
            let moved = [x - 8.0, y - 10.0].map(|pixels| pixels.round() as i32);
            assert!(
                (x - 8.0 - moved[0] as f32).abs() < 1e-3 && moved.iter().all(|m| m.abs() <= 3),
                "{x} {y}"
            );
            seen.insert(moved);
        }
        assert!(seen.len() > 35, "only {} of 49 shifts occur", seen.len());
    }

    #[test]
    fn a_shift_beyond_the_image_leaves_background() {
        let image = [255; 4];
        let mut out = [f32::NAN; 4];
        shifted(&image, 2, [5, 0], Normalization { mean: 0.5, std: 0.5 }, &mut out);
        assert_eq!(out, [-1.0; 4]);
    }

    #[test]
    fn a_warp_that_does_nothing_is_the_image() {
        let mut out = vec![f32::NAN; 21 * 17];
        let affine = Affine { radians: 0.0, scale: 1.0, shift: [0.0; 2] };
        Sampler::default().sample(&blob(), 17, affine, None, PLAIN, &mut out);
        for (value, pixel) in out.iter().zip(blob()) {
            assert!((value - f32::from(pixel) / 255.0).abs() < 1e-5);
        }
    }

    #[test]
    fn scaling_changes_the_mass_and_keeps_the_centre() {
        let settings = Augmentation { scale: 0.3, ..Default::default() };
        let masses: Vec<f32> = (0..50)
            .map(|seed| {
                let image = distorted(settings, seed);
                let [x, y] = centre(&image);
                assert!((x - 8.0).abs() < 0.05 && (y - 10.0).abs() < 0.05, "{x} {y}");
                image.iter().sum()
            })
            .collect();
        let (least, most) =
            masses.iter().fold((f32::MAX, 0.0_f32), |(a, b), &m| (a.min(m), b.max(m)));
        assert!(least < 25.0 * 0.7 && most > 25.0 * 1.3, "{least} {most}");
    }

    #[test]
    fn elastic_distortion_bends_but_keeps_values_in_range() {
        let settings = Augmentation {
            elastic: Some(Elastic { alpha: 34.0, sigma: 4.0 }),
            ..Default::default()
        };
        let (a, b) = (distorted(settings, 1), distorted(settings, 2));
        assert_ne!(a, b);
        assert_eq!(a, distorted(settings, 1));
        assert!(a.iter().all(|value| (0.0..=1.0 + 1e-5).contains(value)));
    }
}
