//! What a model answers on held-out images, and what these are like: what later images are compared with.

use serde::{Deserialize, Serialize};

use crate::accuracy::below;
use crate::error::{ReferenceError, SampleError};
use crate::faults::Fault;
use crate::pixels::{GRID, PixelMeasure, PixelStats};

/// The fewest images that a reference is made of.
pub const REFERENCE_MIN: usize = 50;

/// The most images that a reference keeps; of more, a random part.
pub const REFERENCE_MAX: usize = 10_000;

/// The most values that a reference or a window keeps, all columns together.
pub(crate) const VALUES_MAX: usize = 1_000_000;

/// A value of each image, whose distributions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// The probability of a class, by its label.
    Output(usize),
    /// The largest of the probabilities.
    Confidence,
    /// A measure of the pixels.
    Pixels(PixelMeasure),
}

impl Column {
    /// The columns of answers, then those of pixels.
    pub(crate) fn all(classes: usize) -> impl Iterator<Item = Self> {
        let pixels = PixelMeasure::ALL.map(Self::Pixels);
        (0..classes).map(Self::Output).chain([Self::Confidence]).chain(pixels)
    }
}

/// Number of columns with so many classes.
pub(crate) fn columns(classes: usize) -> usize {
    classes.saturating_add(1 + PixelMeasure::ALL.len())
}

/// The statistics of held-out images. It has no image and no label of one, only distributions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawReference", into = "RawReference")]
pub struct Reference {
    raw: RawReference,
}

/// A reference as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReference {
    version: u32,
    /// Number of classes.
    classes: usize,
    /// Number of images.
    images: usize,
    /// Images that were classified correctly, if they had labels.
    right: Option<usize>,
    /// Height and width of all images, if they have the same.
    size: Option<[u32; 2]>,
    /// Images by predicted class.
    predicted: Vec<u64>,
    /// Images by fault.
    faults: [u64; Fault::ALL.len()],
    /// Mean brightness on a coarse grid.
    grid: Vec<f32>,
    /// The values of each [`Column`], in ascending order.
    columns: Vec<Vec<f32>>,
}

const VERSION: u32 = 1;

impl Reference {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.raw.classes
    }

    /// Number of images that it is made of.
    pub fn images(&self) -> usize {
        self.raw.images
    }

    /// Images that were classified correctly, if they had labels.
    pub fn right(&self) -> Option<usize> {
        self.raw.right
    }

    /// The share of images that were classified correctly, if they had labels.
    pub fn accuracy(&self) -> Option<f64> {
        self.raw.right.map(|right| right as f64 / self.raw.images as f64)
    }

    /// Images by predicted class.
    pub fn predicted(&self) -> &[u64] {
        &self.raw.predicted
    }

    /// Height and width of all images, if they have the same.
    pub fn size(&self) -> Option<[u32; 2]> {
        self.raw.size
    }

    pub(crate) fn faults(&self) -> &[u64; Fault::ALL.len()] {
        &self.raw.faults
    }

    pub(crate) fn grid(&self) -> &[f32] {
        &self.raw.grid
    }

    pub(crate) fn values(&self) -> &[Vec<f32>] {
        &self.raw.columns
    }

    pub(crate) fn confidences(&self) -> &[f32] {
        &self.raw.columns[self.raw.classes]
    }

    /// The confidence below which an image counts as unsure, and the images below it: as many as are classified
    /// wrongly, but at least one of a hundred.
    pub(crate) fn unsure(&self) -> (f32, u64) {
        let wrong = self.raw.right.map_or(0, |right| self.raw.images - right);
        let confidences = self.confidences();
        let at = wrong.max(self.raw.images.div_ceil(100)).min(self.raw.images - 1);
        (confidences[at], below(confidences, confidences[at]) as u64)
    }
}

impl From<Reference> for RawReference {
    fn from(reference: Reference) -> Self {
        reference.raw
    }
}

impl TryFrom<RawReference> for Reference {
    type Error = ReferenceError;

    fn try_from(raw: RawReference) -> Result<Self, ReferenceError> {
        if raw.version != VERSION {
            return Err(ReferenceError::Version { found: raw.version, known: VERSION });
        }
        let images = raw.images;
        let wrong = |what| Err(ReferenceError::Value { what });
        if !(REFERENCE_MIN..=REFERENCE_MAX).contains(&images) {
            return wrong("`images` has to be from 50 to 10000");
        }
        if raw.classes < 2 || columns(raw.classes).saturating_mul(images) > VALUES_MAX {
            return wrong("`classes` has to be at least 2, and no more than there is room for");
        }
        if raw.right.is_some_and(|right| right > images) {
            return wrong("`right` is above `images`");
        }
        let sum = raw.predicted.iter().try_fold(0u64, |sum, count| sum.checked_add(*count));
        if raw.predicted.len() != raw.classes || sum != Some(images as u64) {
            return wrong(
                "`predicted` has to have a count for each class, which are `images` together",
            );
        }
        if raw.faults.iter().any(|count| *count > images as u64) {
            return wrong("`faults` has a count above `images`");
        }
        if raw.grid.len() != GRID * GRID || raw.grid.iter().any(|value| !value.is_finite()) {
            return wrong("`grid` has to have 49 finite numbers");
        }
        let is_column = |column: &Vec<f32>| {
            column.len() == images
                && column.iter().all(|value| value.is_finite())
                && column.is_sorted_by(|one, other| one.total_cmp(other).is_le())
        };
        if raw.columns.len() != columns(raw.classes) || !raw.columns.iter().all(is_column) {
            return wrong(
                "`columns` has to have finite numbers in ascending order, one for each image",
            );
        }
        Ok(Self { raw })
    }
}

/// Collects the images that a [`Reference`] is made of. Of more than it may keep, it keeps a random part, the same each
/// time.
#[derive(Debug)]
pub struct ReferenceBuilder {
    classes: usize,
    rows_max: usize,
    rows: Vec<Row>,
    seen: u64,
}

#[derive(Debug)]
struct Row {
    values: Vec<f32>,
    predicted: usize,
    label: Option<usize>,
    pixels: PixelStats,
}

impl ReferenceBuilder {
    /// For a model of so many classes.
    ///
    /// # Errors
    ///
    /// With fewer than two, or more than there is room for.
    pub fn new(classes: usize) -> Result<Self, ReferenceError> {
        let rows_max = (VALUES_MAX / columns(classes)).min(REFERENCE_MAX);
        if classes < 2 || rows_max < REFERENCE_MIN {
            return Err(ReferenceError::Classes { found: classes });
        }
        Ok(Self { classes, rows_max, rows: Vec::new(), seen: 0 })
    }

    /// Adds an image: the model's probability of each class, its pixels, and its label where it is known.
    ///
    /// # Errors
    ///
    /// If it has another number of probabilities, or some are no numbers.
    pub fn add(
        &mut self,
        probabilities: &[f32],
        pixels: PixelStats,
        label: Option<usize>,
    ) -> Result<(), SampleError> {
        if probabilities.iter().any(|value| !value.is_finite()) {
            return Err(SampleError::NotFinite);
        }
        let (values, predicted) = row(self.classes, probabilities, &pixels)?;
        let row = Row { values, predicted, label, pixels };
        self.seen += 1;
        if self.rows.len() < self.rows_max {
            self.rows.push(row);
        } else {
            // Vitter, "Random sampling with a reservoir" (1985).
            let place = scattered(self.seen) % self.seen;
            if let Some(kept) =
                usize::try_from(place).ok().and_then(|place| self.rows.get_mut(place))
            {
                *kept = row;
            }
        }
        Ok(())
    }

    /// The reference.
    ///
    /// # Errors
    ///
    /// With too few images.
    pub fn finish(self) -> Result<Reference, ReferenceError> {
        let images = self.rows.len();
        if images < REFERENCE_MIN {
            return Err(ReferenceError::TooFew { found: images });
        }
        let first_size = self.rows[0].pixels.size;
        let size = self.rows.iter().all(|row| row.pixels.size == first_size).then_some(first_size);
        let mut predicted = vec![0; self.classes];
        let mut faults = [0; Fault::ALL.len()];
        let mut grid = vec![0.0f64; GRID * GRID];
        let mut right = Some(0);
        for row in &self.rows {
            predicted[row.predicted] += 1;
            for fault in Fault::ALL {
                faults[fault.index()] += u64::from(fault.is_in(&row.pixels, size));
            }
            grid.iter_mut().zip(row.pixels.grid).for_each(|(sum, value)| *sum += f64::from(value));
            let is_right = row.label.map(|label| usize::from(label == row.predicted));
            right = right.zip(is_right).map(|(right, is_right)| right + is_right);
        }
        let column = |at: usize| {
            let mut values: Vec<f32> = self.rows.iter().map(|row| row.values[at]).collect();
            values.sort_unstable_by(f32::total_cmp);
            values
        };
        let raw = RawReference {
            version: VERSION,
            classes: self.classes,
            images,
            right,
            size,
            predicted,
            faults,
            grid: grid.into_iter().map(|sum| (sum / images as f64) as f32).collect(),
            columns: (0..columns(self.classes)).map(column).collect(),
        };
        Reference::try_from(raw)
    }
}

/// The values of an image's columns, and the class that is predicted.
pub(crate) fn row(
    classes: usize,
    probabilities: &[f32],
    pixels: &PixelStats,
) -> Result<(Vec<f32>, usize), SampleError> {
    if probabilities.len() != classes {
        return Err(SampleError::Classes { found: probabilities.len(), expected: classes });
    }
    // The first of equal ones, as everywhere in burgeon.
    let better =
        |best: usize, at: usize| if probabilities[at] > probabilities[best] { at } else { best };
    let predicted = (0..classes).fold(0, better);
    let values = probabilities.iter().copied().chain([probabilities[predicted]]);
    Ok((values.chain(pixels.measures()).collect(), predicted))
}

/// A number that looks random, and is the same for the same counter: SplitMix64 of Steele, Lea and Flood (2014).
fn scattered(counter: u64) -> u64 {
    let mut value = counter.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}
