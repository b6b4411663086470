//! Labelled images as they lie in memory: one byte a pixel until a batch is made.

use std::sync::Arc;

use serde::Serialize;

use super::DataError;
use super::idx::SIDE_MAX;

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
    /// ```
    /// use burgeon::data::Images;
    ///
    /// // Two images of 2 × 3 pixels, of the classes 0 and 1.
    /// let images = Images::new([0, 9, 0, 9, 0, 9, 9, 0, 9, 0, 9, 0], [0, 1], 2, 3)?;
    /// assert_eq!(images.image(1), [9, 0, 9, 0, 9, 0]);
    /// assert!(Images::new([0; 11], [0, 1], 2, 3).is_err());
    /// # Ok::<(), burgeon::data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Arrays`] if a side is 0 or longer than [`SIDE_MAX`], there are more than 2³² − 1 images, or the
    /// number of pixels is not that of the labels × height × width.
    pub fn new(
        pixels: impl Into<Arc<[u8]>>,
        labels: impl Into<Arc<[u8]>>,
        height: usize,
        width: usize,
    ) -> Result<Self, DataError> {
        let (pixels, labels) = (pixels.into(), labels.into());
        let refuse = |problem: String| Err(DataError::Arrays { problem });
        if !(1..=SIDE_MAX).contains(&height) || !(1..=SIDE_MAX).contains(&width) {
            return refuse(format!(
                "images of {height}×{width} pixels: a side has 1 to {SIDE_MAX} pixels"
            ));
        }
        if u32::try_from(labels.len()).is_err() {
            return refuse(format!("{} labels: at most {} are supported", labels.len(), u32::MAX));
        }
        // At most 2^32 × 2^12 × 2^12, which fits.
        let wanted = labels.len() as u64 * (height * width) as u64;
        if pixels.len() as u64 != wanted {
            return refuse(format!(
                "{} pixels for {} labels: images of {height}×{width} pixels need {wanted}",
                pixels.len(),
                labels.len()
            ));
        }
        Ok(Self { pixels, labels, height, width })
    }

    /// Joins what its maker has counted already.
    pub(super) fn of_counted(
        pixels: Arc<[u8]>,
        labels: Arc<[u8]>,
        height: usize,
        width: usize,
    ) -> Self {
        debug_assert_eq!(pixels.len(), labels.len() * height * width);
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
    /// The images that `indices` name, in this order.
    ///
    /// # Errors
    /// [`DataError::Arrays`] if there is no image of an index.
    pub fn new(images: Images, indices: impl Into<Arc<[u32]>>) -> Result<Self, DataError> {
        let indices = indices.into();
        match indices.iter().find(|&&index| index as usize >= images.count()) {
            None => Ok(Self { images, indices }),
            Some(index) => Err(DataError::Arrays {
                problem: format!(
                    "a subset names image {index}, but there are only {}, counted from 0",
                    images.count()
                ),
            }),
        }
    }

    /// Those of the images whose indices were just taken from them.
    pub(super) fn of_known(images: Images, indices: Vec<u32>) -> Self {
        debug_assert!(indices.iter().all(|&index| (index as usize) < images.count()));
        Self { images, indices: indices.into() }
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
    ///
    /// # Errors
    /// [`DataError::Arrays`] if there is no image of an index.
    pub fn with_indices(&self, indices: impl Into<Arc<[u32]>>) -> Result<Self, DataError> {
        Self::new(self.images.clone(), indices)
    }

    /// Every `stride`-th of these images, from the first on, at most `count` of them.
    #[must_use]
    pub fn every(&self, stride: usize, count: usize) -> Self {
        let indices = self.indices.iter().step_by(stride.max(1)).take(count).copied().collect();
        Self { images: self.images.clone(), indices }
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

impl From<Images> for Subset {
    /// All of the images.
    fn from(images: Images) -> Self {
        Self::all(images)
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
        Images::new([0, 0, 255, 255, 10, 20, 30, 40], [1, 0], 2, 2).unwrap()
    }

    #[test]
    fn a_subset_reads_through_its_indices() {
        let subset = Subset::new(two_images(), vec![1]).unwrap();
        assert_eq!(subset.image(0), [10, 20, 30, 40]);
        assert_eq!((subset.label(0), subset.len()), (0, 1));
        assert_eq!(Subset::all(two_images()).class_counts(3), [1, 1, 0]);
    }

    #[test]
    fn normalization_is_the_mean_and_spread_of_the_subset() {
        let half = Normalization::measure(&Subset::new(two_images(), vec![0]).unwrap());
        assert_eq!(half, Normalization { mean: 0.5, std: 0.5 });
        let (factor, term) = half.affine();
        assert!((255.0 * factor + term - 1.0).abs() < 1e-6);
        assert!((term + 1.0).abs() < 1e-6);
    }

    #[test]
    fn arrays_that_disagree_are_refused_with_what_would_be_right() {
        let refusal = |pixels: usize, labels: usize, height, width| {
            let made = Images::new(vec![0; pixels], vec![0; labels], height, width);
            made.unwrap_err().to_string()
        };
        assert_eq!(refusal(11, 3, 2, 2), "11 pixels for 3 labels: images of 2×2 pixels need 12");
        assert!(refusal(0, 3, 0, 2).contains("images of 0×2 pixels"));
        assert!(refusal(0, 0, usize::MAX, usize::MAX).contains("1 to 4096"));
        let error = Subset::new(two_images(), vec![0, 2]).unwrap_err().to_string();
        assert_eq!(error, "a subset names image 2, but there are only 2, counted from 0");
        assert!(Subset::all(two_images()).with_indices(vec![u32::MAX]).is_err());
    }

    #[test]
    fn images_of_one_shade_do_not_divide_by_zero() {
        let gray = Images::new([7; 4], [0], 2, 2).unwrap();
        assert_eq!(Normalization::measure(&Subset::all(gray)).std, 1.0);
    }
}
