//! Labelled images in memory: one byte a pixel until a batch is made.

use std::sync::Arc;

use burgeon_pixels::{CHANNELS_MAX, Normalization};

use super::DataError;
use super::idx::SIDE_MAX;
use super::pixels::Pixels;

/// Grey or colour images of one size with their labels, shared cheaply between splits.
///
/// Invariant: `pixels` holds `count × channels × height × width` bytes, `labels` holds `count`.
#[derive(Debug, Clone)]
pub struct Images {
    pixels: Pixels,
    labels: Labels,
    channels: usize,
    height: usize,
    width: usize,
}

/// The class of each image, counted from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(Arc<[u16]>);

impl Images {
    /// Joins the pixels of grey images, `[count, 1, height, width]`, and labels, `[count]`.
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
    /// As [`of_shape`](Self::of_shape).
    pub fn new(
        pixels: impl Into<Arc<[u8]>>,
        labels: impl Into<Labels>,
        height: usize,
        width: usize,
    ) -> Result<Self, DataError> {
        Self::of_shape(pixels, labels, [1, height, width])
    }

    /// Joins the pixels of images of any shape, `[count, channels, height, width]`, and labels, `[count]`. Colour
    /// images have a red, a green and a blue plane.
    ///
    /// # Errors
    /// [`DataError::Arrays`] if there are neither 1 nor 3 channels, a side is 0 or longer than [`SIDE_MAX`], there are
    /// more than 2³² − 1 images, or the number of pixels is not that of the labels × channels × height × width.
    pub fn of_shape(
        pixels: impl Into<Arc<[u8]>>,
        labels: impl Into<Labels>,
        shape: [usize; 3],
    ) -> Result<Self, DataError> {
        Self::of_pixels(Pixels::Memory(pixels.into()), labels.into(), shape)
    }

    /// Like [`of_shape`](Self::of_shape), for pixels that may be in a file.
    ///
    /// # Errors
    /// As [`of_shape`](Self::of_shape).
    pub(super) fn of_pixels(
        pixels: Pixels,
        labels: Labels,
        [channels, height, width]: [usize; 3],
    ) -> Result<Self, DataError> {
        let refuse = |problem: String| Err(DataError::Arrays { problem });
        if channels != 1 && channels != CHANNELS_MAX {
            return refuse(format!(
                "images of {channels} channels: 1 (grey) or 3 (red, green, blue) are supported"
            ));
        }
        if !(1..=SIDE_MAX).contains(&height) || !(1..=SIDE_MAX).contains(&width) {
            return refuse(format!(
                "images of {height}×{width} pixels: a side has 1 to {SIDE_MAX} pixels"
            ));
        }
        if u32::try_from(labels.len()).is_err() {
            return refuse(format!("{} labels: at most {} are supported", labels.len(), u32::MAX));
        }
        // At most 2^32 × 2^2 × 2^12 × 2^12, which fits.
        let wanted = labels.len() as u64 * (channels * height * width) as u64;
        if pixels.len() as u64 != wanted {
            let colour = if channels == 1 { "" } else { "3×" };
            return refuse(format!(
                "{} pixels for {} labels: images of {colour}{height}×{width} pixels need {wanted}",
                pixels.len(),
                labels.len()
            ));
        }
        Ok(Self { pixels, labels, channels, height, width })
    }

    /// Joins pixels and labels whose numbers are known to match.
    pub(super) fn of_counted(
        pixels: Arc<[u8]>,
        labels: impl Into<Labels>,
        [channels, height, width]: [usize; 3],
    ) -> Self {
        let (pixels, labels) = (Pixels::Memory(pixels), labels.into());
        debug_assert_eq!(pixels.len(), labels.len() * channels * height * width);
        Self { pixels, labels, channels, height, width }
    }

    /// Number of images.
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

    /// Channels of an image: 1 for grey, 3 for red, green and blue.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// `[channels, height, width]` of an image.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The pixels of one image, `[channels, height, width]`.
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
    pub fn label(&self, index: usize) -> u16 {
        self.labels[index]
    }

    /// All pixels, `[count, channels, height, width]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All labels, `[count]`.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }
}

impl std::ops::Deref for Labels {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        &self.0
    }
}

impl From<&[u8]> for Labels {
    fn from(labels: &[u8]) -> Self {
        Self(labels.iter().map(|&label| u16::from(label)).collect())
    }
}

impl<const N: usize> From<[u8; N]> for Labels {
    fn from(labels: [u8; N]) -> Self {
        labels[..].into()
    }
}

impl From<Vec<u8>> for Labels {
    fn from(labels: Vec<u8>) -> Self {
        labels[..].into()
    }
}

impl From<Vec<u16>> for Labels {
    fn from(labels: Vec<u16>) -> Self {
        Self(labels.into())
    }
}

/// A selection of [`Images`] in a fixed order, without copying them.
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
    /// [`DataError::Arrays`] if an index is out of range.
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

    /// The images at indices that are known to be in range.
    pub(super) fn of_known(images: Images, indices: Vec<u32>) -> Self {
        debug_assert!(indices.iter().all(|&index| (index as usize) < images.count()));
        Self { images, indices: indices.into() }
    }

    /// All of the images.
    pub fn all(images: Images) -> Self {
        let count = images.count() as u32;
        Self { images, indices: (0..count).collect() }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no images.
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

    /// `[channels, height, width]` of an image.
    pub fn shape(&self) -> [usize; 3] {
        self.images.shape()
    }

    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.images.image_len()
    }

    /// The pixels of the image at `position` of this subset, `[channels, height, width]`.
    ///
    /// # Panics
    /// If `position` is not below [`len`](Self::len).
    pub fn image(&self, position: usize) -> &[u8] {
        self.images.image(self.indices[position] as usize)
    }

    /// Prefetches the pixels of the image at `position`, if they are likely not to be in memory.
    pub(super) fn will_need(&self, position: usize) {
        let len = self.image_len();
        self.images.pixels.will_need(self.indices[position] as usize * len, len);
    }

    /// All positions in the order of their pixels, for passes over images that do not fit into memory.
    pub(super) fn positions_in_file_order(&self) -> Vec<u32> {
        let mut positions: Vec<u32> = (0..self.len() as u32).collect();
        positions.sort_by_key(|&position| self.indices[position as usize]);
        positions
    }

    /// The class of the image at `position`.
    ///
    /// # Panics
    /// If `position` is not below [`len`](Self::len).
    pub fn label(&self, position: usize) -> u16 {
        self.images.label(self.indices[position] as usize)
    }

    /// Another selection of the same underlying images.
    ///
    /// # Errors
    /// [`DataError::Arrays`] if an index is out of range.
    pub fn with_indices(&self, indices: impl Into<Arc<[u32]>>) -> Result<Self, DataError> {
        Self::new(self.images.clone(), indices)
    }

    /// Another selection, by indices that are known to be in range.
    pub(super) fn select(&self, indices: Vec<u32>) -> Self {
        Self::of_known(self.images.clone(), indices)
    }

    /// Whether both are selections of the same images.
    pub(super) fn is_of_same_images(&self, other: &Self) -> bool {
        let same = |a: *const u8, b: *const u8| std::ptr::eq(a, b);
        same(self.images.pixels.as_ptr(), other.images.pixels.as_ptr())
            && self.images.pixels.len() == other.images.pixels.len()
            && std::ptr::eq(self.images.labels.as_ptr(), other.images.labels.as_ptr())
            && self.shape() == other.shape()
    }

    /// The indices of these images in the underlying set.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The normalization that gives each channel of these images a mean of 0 and a standard deviation of 1; a constant
    /// channel gets a mean of 0 alone.
    pub fn normalization(&self) -> Normalization {
        let positions = self.positions_in_file_order().into_iter();
        let images = positions.map(|position| self.image(position as usize));
        Normalization::measure(images, self.height() * self.width())
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

#[cfg(test)]
mod tests;
