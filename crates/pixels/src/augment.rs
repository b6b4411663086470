//! Distorts training images: flips, shifts, rotations, scalings, elastic warps, colours and cutout, decided by a counter.
//!
//! Elastic distortion is that of Simard, Steinkraus and Platt, "Best practices for convolutional neural networks
//! applied to visual document analysis" (ICDAR 2003): a field of random displacements, smoothed by a Gaussian. Cutout
//! is that of DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout" (2017).

use burgeon_counter::CounterRng;

use crate::Normalization;
use crate::colour::{ColourChange, ColourJitter};
use crate::warp::{Affine, Border, Field, Gaussian, Sampler, reflected};

/// How far images may be distorted. The default leaves them unchanged.
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
    /// Whether half of the images are mirrored, left to right.
    pub flip: bool,
    /// Whether half of the images are mirrored, top to bottom.
    pub flip_vertical: bool,
    /// What fills the area outside the image.
    pub border: Border,
    /// Changes of colour.
    pub colour: ColourJitter,
    /// Side in pixels of the square that is blanked out, at a random place; 0 for none.
    pub cutout: u32,
}

/// Elastic distortion. Displacements have a deviation of about `0.16 × alpha / sigma` pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Elastic {
    /// Strength: the factor on the smoothed field.
    pub alpha: f32,
    /// Standard deviation, in pixels, of the Gaussian that smooths the field.
    pub sigma: f32,
}

/// Applies an [`Augmentation`], with what depends only on its settings precomputed.
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
    mirrored: Vec<u8>,
}

/// The random distortion of one image.
struct Draw {
    shift: [i32; 2],
    radians: f32,
    scale: f32,
    flips: [bool; 2],
    colour: Option<ColourChange>,
    /// Row and column of the centre of the blanked square.
    cutout: Option<[usize; 2]>,
}

impl Augmenter {
    /// Prepares the distortion.
    pub fn new(settings: Augmentation) -> Self {
        let gaussian = settings.elastic.map(|Elastic { alpha, sigma }| Gaussian::new(alpha, sigma));
        Self { settings, gaussian }
    }

    /// Whether images are left unchanged.
    pub fn is_identity(&self) -> bool {
        let border = self.settings.border;
        self.settings == Augmentation { border, ..Augmentation::default() }
    }

    /// Writes the distorted and normalized image.
    ///
    /// `image` and `out` have the shape `[channels, height, width]`. The same seed gives the same distortion.
    ///
    /// # Panics
    /// If the length of `image` or `out` does not match the shape.
    pub fn distort(
        &self,
        image: &[u8],
        [channels, height, width]: [usize; 3],
        seed: u64,
        normalization: Normalization,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let plane = height * width;
        assert!(
            image.len() == out.len() && image.len() == channels * plane,
            "a distorted image keeps its size"
        );
        let mut rng = CounterRng::new(seed);
        let draw = self.draw(&mut rng, [height, width]);
        let image = if draw.flips == [false, false] {
            image
        } else {
            mirror(image, [height, width], draw.flips, &mut scratch.mirrored);
            &scratch.mirrored
        };
        let border = self.settings.border;
        let planes = image.chunks_exact(plane).zip(out.chunks_exact_mut(plane)).enumerate();
        if self.only_shifts() {
            for (channel, (image, out)) in planes {
                shifted(image, width, draw.shift, border, normalization.affine(channel), out);
            }
        } else {
            let affine = Affine {
                radians: draw.radians,
                scale: draw.scale,
                shift: draw.shift.map(|pixels| pixels as f32),
            };
            let field = self.gaussian.as_ref().map(|gaussian| {
                scratch.field.draw(&mut rng, width, height, gaussian);
                &scratch.field
            });
            for (channel, (image, out)) in planes {
                let normalize = normalization.affine(channel);
                scratch.sampler.sample(image, width, affine, field, border, normalize, out);
            }
        }
        if let Some(change) = draw.colour {
            change.apply(out, channels, normalization);
        }
        if let Some(centre) = draw.cutout {
            blank(out, [height, width], centre, self.settings.cutout as usize);
        }
    }

    /// Draws the distortion of an image, except for the elastic field, which is drawn last. Distortions that are off
    /// draw no random numbers, so that adding a further kind does not change what the others draw.
    fn draw(&self, rng: &mut CounterRng, [height, width]: [usize; 2]) -> Draw {
        let settings = &self.settings;
        let shift = [self.shift(rng), self.shift(rng)];
        let (mut radians, mut scale) = (0.0, 1.0);
        if !self.only_shifts() {
            let reach = settings.rotate_degrees;
            radians = rng.uniform(-reach, reach).to_radians();
            scale = 1.0 + rng.uniform(-settings.scale, settings.scale);
        }
        let mut coin = |is_on: bool| is_on && rng.below(2) == 1;
        let flips = [coin(settings.flip), coin(settings.flip_vertical)];
        let colour = settings.colour.draw(rng);
        let cutout = (settings.cutout > 0)
            .then(|| [height, width].map(|side| rng.below(side as u32) as usize));
        Draw { shift, radians, scale, flips, colour, cutout }
    }

    fn only_shifts(&self) -> bool {
        self.settings.rotate_degrees == 0.0 && self.settings.scale == 0.0 && self.gaussian.is_none()
    }

    fn shift(&self, rng: &mut CounterRng) -> i32 {
        let reach = self.settings.shift;
        rng.below(2 * reach + 1) as i32 - reach as i32
    }
}

/// Mirrors every plane, left to right, top to bottom, or both.
fn mirror(image: &[u8], [height, width]: [usize; 2], flips: [bool; 2], out: &mut Vec<u8>) {
    let [across, down] = flips;
    out.clear();
    for plane in image.chunks_exact(height * width) {
        for y in 0..height {
            let y = if down { height - 1 - y } else { y };
            let row = &plane[y * width..][..width];
            if across {
                out.extend(row.iter().rev());
            } else {
                out.extend_from_slice(row);
            }
        }
    }
}

/// Sets a square to the mean of the training images, which normalization makes 0.
fn blank(out: &mut [f32], [height, width]: [usize; 2], centre: [usize; 2], side: usize) {
    let span = |centre: usize, len: usize| {
        centre.saturating_sub(side / 2)..(centre + side.div_ceil(2)).min(len)
    };
    for plane in out.chunks_exact_mut(height * width) {
        for row in span(centre[0], height) {
            plane[row * width..][span(centre[1], width)].fill(0.0);
        }
    }
}

/// A shift by whole pixels needs no interpolation.
fn shifted(
    image: &[u8],
    width: usize,
    shift: [i32; 2],
    border: Border,
    (factor, term): (f32, f32),
    out: &mut [f32],
) {
    let height = image.len() / width;
    let [right, down] = shift.map(|pixels| pixels as isize);
    if border == Border::Reflect {
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            let source = &image[reflected(y as isize - down, height) * width..][..width];
            for (x, value) in row.iter_mut().enumerate() {
                let pixel = source[reflected(x as isize - right, width)];
                *value = f32::from(pixel) * factor + term;
            }
        }
        return;
    }
    out.fill(term);
    let height = height as isize;
    let copied = width.saturating_sub(right.unsigned_abs());
    let (from, to) = (right.min(0).unsigned_abs(), right.max(0) as usize);
    for y in 0..height {
        let source = y - down;
        if copied > 0 && (0..height).contains(&source) {
            let row = &image[source as usize * width + from..][..copied];
            let target = &mut out[y as usize * width + to..][..copied];
            for (value, &pixel) in target.iter_mut().zip(row) {
                *value = f32::from(pixel) * factor + term;
            }
        }
    }
}

#[cfg(test)]
mod tests;
