//! The map from bytes to the numbers that a network reads.

/// Most channels of an image: red, green and blue.
pub const CHANNELS_MAX: usize = 3;

/// The map from pixels in `0..=255` to the network's input: `(pixel / 255 − mean) / std`, for each channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Mean of each channel over the training images, as a fraction of 255; grey images use only the first.
    pub mean: [f32; CHANNELS_MAX],
    /// Standard deviation of each channel over the training images, as a fraction of 255; never 0.
    pub std: [f32; CHANNELS_MAX],
}

impl Normalization {
    /// The same for every channel.
    pub const fn of_all(mean: f32, std: f32) -> Self {
        Self { mean: [mean; CHANNELS_MAX], std: [std; CHANNELS_MAX] }
    }

    /// Measures images, each `[channels, height, width]` with planes of `plane` pixels. A constant channel gets a `std`
    /// of 1.
    pub fn measure<'a>(images: impl Iterator<Item = &'a [u8]>, plane: usize) -> Self {
        let plane = plane.max(1);
        let mut totals = [Sums::default(); CHANNELS_MAX];
        let mut count = 0;
        for image in images {
            count += 1;
            for (sums, plane) in totals.iter_mut().zip(image.chunks_exact(plane)) {
                sums.add(plane);
            }
        }
        let pixels = (count * plane).max(1) as f64;
        let mut measured = Self::of_all(0.0, 1.0);
        for (channel, Sums { sum, squares }) in totals.into_iter().enumerate() {
            let mean = sum as f64 / pixels;
            let variance = (squares as f64 / pixels - mean * mean).max(0.0);
            measured.mean[channel] = (mean / 255.0) as f32;
            if variance > 0.0 {
                measured.std[channel] = (variance.sqrt() / 255.0) as f32;
            }
        }
        measured
    }

    /// The factor and the term of the same map as `pixel × factor + term`.
    ///
    /// # Panics
    /// If `channel` is not below 3.
    pub fn affine(&self, channel: usize) -> (f32, f32) {
        let (mean, std) = (self.mean[channel], self.std[channel]);
        (1.0 / (255.0 * std), -mean / std)
    }

    /// Writes the network's input for an image; both are `[channels, height, width]`.
    // Within a caller that is compiled for size, its loop would not be vectorized.
    #[inline(never)]
    pub fn apply(&self, image: &[u8], channels: usize, out: &mut [f32]) {
        let plane = (image.len() / channels.max(1)).max(1);
        let planes = image.chunks_exact(plane).zip(out.chunks_exact_mut(plane));
        for (channel, (pixels, values)) in planes.enumerate() {
            let (factor, term) = self.affine(channel);
            for (value, &pixel) in values.iter_mut().zip(pixels) {
                *value = f32::from(pixel) * factor + term;
            }
        }
    }
}

/// Sums of integers, which do not depend on the order.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    sum: u64,
    squares: u64,
}

impl Sums {
    #[inline(never)]
    fn add(&mut self, pixels: &[u8]) {
        // 32-bit partial sums vectorize; a chunk of 2^15 pixels cannot overflow them.
        for chunk in pixels.chunks(1 << 15) {
            let (mut sum, mut squares) = (0_u32, 0_u32);
            for &pixel in chunk {
                let pixel = u32::from(pixel);
                sum += pixel;
                squares += pixel * pixel;
            }
            self.sum += u64::from(sum);
            self.squares += u64::from(squares);
        }
    }
}
