//! Batches of images: gathered by number from bytes, and brought to mean zero and deviation one on the way.

use super::executor::{Executor, Kernel};
use super::simd::Simd;
use super::threads::DisjointMut;

/// How bytes become the numbers that a network is trained on: `(byte / 255 - mean) / deviation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    /// Bytes of an image.
    pub image_len: usize,
    /// The mean of the training images' pixels, as fractions of white.
    pub mean: f32,
    /// Their standard deviation, as a fraction of white; not zero.
    pub deviation: f32,
}

impl Normalize {
    /// Sets `batch`, `[numbers, image_len]`, to the images of `images` with these `numbers`.
    ///
    /// # Panics
    /// `batch` has another length, or a number is beyond the images.
    pub fn gather(&self, executor: &Executor, images: &[u8], numbers: &[u32], batch: &mut [f32]) {
        assert_eq!(
            batch.len(),
            numbers.len() * self.image_len,
            "batch of {} images",
            numbers.len()
        );
        let kernel = Gather { normalize: self, images, numbers, batch: DisjointMut::new(batch) };
        executor.run(numbers.len().div_ceil(kernel.images_per_chunk()), &kernel);
    }
}

struct Gather<'a> {
    normalize: &'a Normalize,
    images: &'a [u8],
    numbers: &'a [u32],
    batch: DisjointMut<'a, f32>,
}

impl Gather<'_> {
    fn images_per_chunk(&self) -> usize {
        const PIXELS_WORTH_A_CHUNK: usize = 1 << 14;
        (PIXELS_WORTH_A_CHUNK / self.normalize.image_len.max(1)).max(1)
    }
}

impl Kernel for Gather<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let Normalize { image_len, mean, deviation } = *self.normalize;
        let (scale, shift) = (s.splat(1.0 / (255.0 * deviation)), s.splat(-mean / deviation));
        let first = chunk * self.images_per_chunk();
        let last = self.numbers.len().min(first + self.images_per_chunk());
        for at in first..last {
            let start = self.numbers[at] as usize * image_len;
            let image = &self.images[start..start + image_len];
            // SAFETY: each place of the batch belongs to one chunk.
            let out = unsafe { self.batch.range(at * image_len..(at + 1) * image_len) };
            let whole = image_len - image_len % S::LANES;
            for pixel in (0..whole).step_by(S::LANES) {
                // SAFETY: a vector from here ends inside the image.
                unsafe { s.store(out, pixel, s.fma(s.load_u8(image, pixel), scale, shift)) };
            }
            let mut rest = [0; 16];
            let lanes = image_len - whole;
            rest[..lanes].copy_from_slice(&image[whole..]);
            // SAFETY: the rest is shorter than a vector, and the buffer as long as the longest.
            unsafe { s.store_partial(out, whole, lanes, s.fma(s.load_u8(&rest, 0), scale, shift)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Cpu;

    #[test]
    fn images_are_gathered_in_order_and_normalized() {
        for image_len in [1, 16, 49, 784] {
            let images: Vec<u8> = (0..image_len * 40).map(|i| (i * 31 % 256) as u8).collect();
            let numbers: Vec<u32> = (0..70).map(|i| i * 7 % 40).collect();
            let normalize = Normalize { image_len, mean: 0.13, deviation: 0.31 };
            let pixel =
                |at: usize| images[numbers[at / image_len] as usize * image_len + at % image_len];
            for cpu in Cpu::available() {
                let gathered = |threads| {
                    let mut batch = vec![f32::NAN; numbers.len() * image_len];
                    normalize.gather(&Executor::new(cpu, threads), &images, &numbers, &mut batch);
                    batch
                };
                let batch = gathered(1);
                assert_eq!(batch, gathered(3));
                for (at, found) in batch.iter().enumerate() {
                    let expected = (f32::from(pixel(at)) / 255.0 - 0.13) / 0.31;
                    assert!(
                        (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                        "{found} for {expected}"
                    );
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "range end index 20 out of range")]
    fn a_number_beyond_the_images_is_refused() {
        let normalize = Normalize { image_len: 10, mean: 0.0, deviation: 1.0 };
        normalize.gather(&Executor::new(Cpu::PORTABLE, 1), &[0; 10], &[1], &mut [0.0; 10]);
    }
}
