//! Labelled images as they lie in memory: one byte a pixel until a batch is made.

use std::sync::Arc;

use serde::Serialize;

/// Grayscale images with their labels, shared cheaply between splits.
///
/// Invariant: `pixels` holds `count × 1 × height × width` bytes, `labels` holds `count`.
#[derive(Debug, Clone)]
pub struct Images {
    pixels: Arc<[u8]>,
    labels: Arc<[u8]>,
    height: usize,
    width: usize,
}

impl Images {
    /// Joins pixels `[count, 1, height, width]` and labels `[count]`.
    ///
    /// # Panics
    /// If the lengths disagree; readers check their files before they come here.
    pub fn new(pixels: Arc<[u8]>, labels: Arc<[u8]>, height: usize, width: usize) -> Self {
        assert!(height > 0 && width > 0, "an image has at least one pixel");
        assert_eq!(pixels.len(), labels.len() * height * width, "pixels and labels disagree");
        Self { pixels, labels, height, width }
    }

    /// How many images there are.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// Rows of an image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of an image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Channels of an image: always 1, as IDX image files are grayscale.
    pub fn channels(&self) -> usize {
        1
    }

    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.height * self.width
    }

    /// The pixels of one image, `[height, width]`, 0 for background.
    ///
    /// # Panics
    /// If `index` is not below [`count`](Self::count).
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.image_len();
        &self.pixels[index * len..][..len]
    }

    /// The class of one image.
    ///
    /// # Panics
    /// If `index` is not below [`count`](Self::count).
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }

    /// All pixels, `[count, 1, height, width]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All labels, `[count]`.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

/// Some of a set of [`Images`], in a fixed order, without a copy.
///
/// Invariant: every index is below `images.count()`.
#[derive(Debug, Clone)]
pub struct Subset {
    images: Images,
    indices: Arc<[u32]>,
}

impl Subset {
    /// The images that `indices` name.
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn new(images: Images, indices: impl Into<Arc<[u32]>>) -> Self {
        let indices = indices.into();
        assert!(
            indices.iter().all(|&index| (index as usize) < images.count()),
            "a subset names an image that is not there"
        );
        Self { images, indices }
    }

    /// All of the images.
    pub fn all(images: Images) -> Self {
        let count = images.count() as u32;
        Self { images, indices: (0..count).collect() }
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Rows of an image.
    pub fn height(&self) -> usize {
        self.images.height
    }

    /// Columns of an image.
    pub fn width(&self) -> usize {
        self.images.width
    }

    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.images.image_len()
    }

    /// The pixels of the image at `position` of this subset, `[height, width]`.
    ///
    /// # Panics
    /// If `position` is not below [`len`](Self::len).
    pub fn image(&self, position: usize) -> &[u8] {
        self.images.image(self.indices[position] as usize)
    }

    /// The class of the image at `position`.
    ///
    /// # Panics
    /// If `position` is not below [`len`](Self::len).
    pub fn label(&self, position: usize) -> u8 {
        self.images.label(self.indices[position] as usize)
    }

    /// Other images of the same underlying set.
    pub fn with_indices(&self, indices: impl Into<Arc<[u32]>>) -> Self {
        Self::new(self.images.clone(), indices)
    }

    /// Which images of the underlying set these are.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// How many images each class has, for `classes` classes.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &index in &*self.indices {
            if let Some(count) = counts.get_mut(usize::from(self.images.labels[index as usize])) {
                *count += 1;
            }
        }
        counts
    }
}

/// What takes pixels from `0..=255` to the network's input: `(pixel / 255 − mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, serde::Deserialize)]
pub struct Normalization {
    /// Mean of the training pixels, as a fraction of 255.
    pub mean: f32,
    /// Standard deviation of the training pixels, as a fraction of 255; never 0.
    pub std: f32,
}

impl Normalization {
    /// Measures the pixels of a subset. Images of one shade have no spread; they get `std` 1.
    pub fn measure(subset: &Subset) -> Self {
        let (mut sum, mut squares) = (0_u64, 0_u64);
        for position in 0..subset.len() {
            let (s, q) = sums(subset.image(position));
            sum += s;
            squares += q;
        }
        let pixels = (subset.len() * subset.image_len()).max(1) as f64;
        let mean = sum as f64 / pixels;
        let variance = (squares as f64 / pixels - mean * mean).max(0.0);
        let std = if variance > 0.0 { variance.sqrt() / 255.0 } else { 1.0 };
        Self { mean: (mean / 255.0) as f32, std: std as f32 }
    }

    /// The factor and the term of the same map in one step: `pixel × factor + term`.
    pub fn affine(self) -> (f32, f32) {
        (1.0 / (255.0 * self.std), -self.mean / self.std)
    }
}

fn sums(pixels: &[u8]) -> (u64, u64) {
    // 32-bit partial sums vectorise; a chunk of 2^15 pixels cannot overflow them.
    pixels.chunks(1 << 15).fold((0, 0), |(sum, squares), chunk| {
        let (mut s, mut q) = (0_u32, 0_u32);
        for &pixel in chunk {
            let pixel = u32::from(pixel);
            s += pixel;
            q += pixel * pixel;
        }
        (sum + u64::from(s), squares + u64::from(q))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_images() -> Images {
        Images::new(Arc::from([0, 0, 255, 255, 10, 20, 30, 40]), Arc::from([1, 0]), 2, 2)
    }

    #[test]
    fn a_subset_reads_through_its_indices() {
        let subset = Subset::new(two_images(), vec![1]);
        assert_eq!(subset.image(0), [10, 20, 30, 40]);
        assert_eq!((subset.label(0), subset.len()), (0, 1));
        assert_eq!(Subset::all(two_images()).class_counts(3), [1, 1, 0]);
    }

    #[test]
    fn normalization_is_the_mean_and_spread_of_the_subset() {
        let half = Normalization::measure(&Subset::new(two_images(), vec![0]));
        assert_eq!(half, Normalization { mean: 0.5, std: 0.5 });
        let (factor, term) = half.affine();
        assert!((255.0 * factor + term - 1.0).abs() < 1e-6);
        assert!((term + 1.0).abs() < 1e-6);
    }

    #[test]
    fn images_of_one_shade_do_not_divide_by_zero() {
        let gray = Images::new(Arc::from([7; 4]), Arc::from([0]), 2, 2);
        assert_eq!(Normalization::measure(&Subset::all(gray)).std, 1.0);
    }
}
