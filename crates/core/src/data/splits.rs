//! Training, validation and test images.
//!
//! Invariant: no image is in two splits, and the split of an image depends only on the counts and the seed.

use super::DataError;
use super::folds::Folds;
use burgeon_pixels::Normalization;

use super::images::{Images, Subset};
use crate::record::Split;
use crate::sys::{Purpose, counter_seed, permutation};

/// Images of one size and one set of classes, in three splits.
///
/// Invariant: every split has an image, all images have one size, and every label is that of a class.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dataset {
    /// The images that the network is trained on.
    pub train: Subset,
    /// The images on which trials are judged; the gate and every policy read the results on them.
    pub validation: Subset,
    /// The images that are evaluated once, after a model is accepted.
    pub test: Subset,
    /// The name of each class, by label.
    pub classes: Vec<String>,
    /// Measured on `train` alone.
    pub normalization: Normalization,
    /// The folds for cross-validation, if the study asks for it; the first is `validation`.
    pub(crate) folds: Option<Folds>,
}

impl Dataset {
    /// Joins splits that were made elsewhere, naming the classes by their numbers.
    ///
    /// ```
    /// use burgeon::data::{Dataset, Images};
    ///
    /// // 12 images of 4 × 4 pixels: all black, or all white.
    /// let images = |count: usize| {
    ///     let labels: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
    ///     let pixels: Vec<u8> = labels.iter().flat_map(|&label| [255 * label; 16]).collect();
    ///     Images::new(pixels, labels, 4, 4)
    /// };
    /// let data = Dataset::new(images(6)?, images(4)?, images(2)?, 2)?.named(["black", "white"])?;
    /// assert_eq!(data.input_shape(), [1, 4, 4]);
    /// # Ok::<(), burgeon::data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Arrays`] if a split is empty, image sizes differ, a label is not below `classes`, or `classes` is
    /// not in 2 to 65,000.
    pub fn new(
        train: impl Into<Subset>,
        validation: impl Into<Subset>,
        test: impl Into<Subset>,
        classes: usize,
    ) -> Result<Self, DataError> {
        let (train, validation, test) = (train.into(), validation.into(), test.into());
        let refuse = |problem: String| Err(DataError::Arrays { problem });
        if !(2..=CLASSES_MAX).contains(&classes) {
            return refuse(format!("{classes} classes: a classifier needs 2 to {CLASSES_MAX}"));
        }
        for (split, images) in
            [(Split::Train, &train), (Split::Validation, &validation), (Split::Test, &test)]
        {
            let name = split.name();
            if images.is_empty() {
                return refuse(format!("there are no {name} images: at least 1 is needed"));
            }
            if images.shape() != train.shape() {
                return refuse(format!(
                    "the {name} images are {}, but the training images are {}",
                    shape_words(images.shape()),
                    shape_words(train.shape())
                ));
            }
            let labels = (0..images.len()).map(|position| images.label(position));
            if let Some((position, label)) =
                labels.enumerate().find(|(_, label)| usize::from(*label) >= classes)
            {
                return refuse(format!(
                    "{name} image {position} has the label {label}, but with {classes} classes labels are 0 to {}",
                    classes - 1
                ));
            }
        }
        let normalization = train.normalization();
        let classes = (0..classes).map(|label| label.to_string()).collect();
        Ok(Self { train, validation, test, classes, normalization, folds: None })
    }

    /// The same data set with other training images; the normalization is not changed.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn trained_on(self, train: impl Into<Subset>) -> Result<Self, DataError> {
        let Self { validation, test, classes, normalization, .. } = self;
        let data = Self::new(train, validation, test, classes.len())?;
        Ok(Self { classes, normalization, ..data })
    }

    /// Gives the classes names, by label.
    ///
    /// # Errors
    /// [`DataError::Arrays`] if there is not one name for each class, or two classes have the same.
    pub fn named<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, DataError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let refuse = |problem: String| Err(DataError::Arrays { problem });
        if names.len() != self.classes.len() {
            return refuse(format!("{} names for {} classes", names.len(), self.classes.len()));
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(name) = names.iter().find(|name| !seen.insert(*name)) {
            return refuse(format!("two classes have the name {name:?}"));
        }
        self.classes = names;
        Ok(self)
    }

    /// One of the splits.
    pub fn split(&self, split: Split) -> &Subset {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    /// `[channels, height, width]` of an image.
    pub fn input_shape(&self) -> [usize; 3] {
        self.train.shape()
    }
}

/// `28×28 pixels`, `32×32 pixels in colour`.
pub(super) fn shape_words([channels, height, width]: [usize; 3]) -> String {
    let colour = if channels == 1 { "" } else { " in colour" };
    format!("{height}×{width} pixels{colour}")
}

/// Most classes of a data set.
pub(crate) const CLASSES_MAX: usize = 65_000;

/// How many images each split gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitSizes {
    /// Images taken out of the training file for validation.
    pub validation: usize,
    /// Most training images, taken from the rest; `None` for all.
    pub train: Option<usize>,
    /// Most test images; `None` for all.
    pub test: Option<usize>,
}

impl SplitSizes {
    /// Checks the sizes against the number of images in the training file.
    ///
    /// # Errors
    /// If nothing is left to train on, or a size is 0.
    pub fn checked(self, train_file_len: usize) -> Result<Self, DataError> {
        let refuse = |problem: String| Err(DataError::Request { problem });
        if self.validation == 0 {
            return refuse(
                "validation is 0, but the gate needs validation images: use at least 1".into(),
            );
        }
        if self.validation >= train_file_len {
            return refuse(format!(
                "validation is {}, but there are only {train_file_len} training images: use at most {}",
                self.validation,
                train_file_len.saturating_sub(1)
            ));
        }
        for (name, limit) in [("train", self.train), ("test", self.test)] {
            if limit == Some(0) {
                return refuse(format!(
                    "{name} is 0: use at least 1 image, or leave it out for all"
                ));
            }
        }
        Ok(self)
    }
}

/// Version of the rule by which [`carve`] splits images. It is recorded with a run, so that a run that began with other
/// splits is not continued. Version 1 (burgeon 0.1.0) chose validation images without regard to their classes.
pub const SPLIT_VERSION: u32 = 2;

/// Splits a training file and a test file.
///
/// The validation split is stratified: each class contributes in proportion, rounded by largest remainders, and keeps at
/// least one image to train on while another class can contribute instead. Which images of a class are chosen depends on
/// `seed`. The rest is ordered so that every prefix has the classes in proportion, and its first `train` images are the
/// training split. So a limit on training images does not change the validation images, and a smaller training split is
/// part of a larger one. Within a split, images keep the file's order.
///
/// # Errors
/// If the training file has too few images for the validation split and one training image, or a limit is 0.
pub fn carve(
    train: Images,
    test: Images,
    sizes: SplitSizes,
    seed: u64,
) -> Result<[Subset; 3], DataError> {
    let sizes = sizes.checked(train.count())?;
    let order = permutation(train.count(), counter_seed(seed, 0, Purpose::ValidationSplit, 0, 0));
    let (validation, rest) = stratified(&order, train.labels(), sizes.validation);
    let kept = sizes.train.unwrap_or(rest.len()).min(rest.len());
    let test_order = permutation(test.count(), counter_seed(seed, 0, Purpose::TestLimit, 0, 0));
    let test_kept = sizes.test.unwrap_or(test.count()).min(test.count());
    Ok([
        in_file_order(train.clone(), &rest[..kept]),
        in_file_order(train, &validation),
        in_file_order(test, &test_order[..test_kept]),
    ])
}

/// Divides a training file into folds, and takes the test images.
///
/// The limit on training images is one on those of all folds together; those of a smaller limit are among those of a
/// larger one, as in [`carve`].
///
/// # Errors
/// If the training file has too few images for the folds, or a limit is 0.
pub fn carve_folds(
    train: Images,
    test: Images,
    sizes: SplitSizes,
    folds: usize,
    seed: u64,
) -> Result<(Folds, Subset), DataError> {
    let sizes = sizes.checked(train.count())?;
    let order = permutation(train.count(), counter_seed(seed, 0, Purpose::ValidationSplit, 0, 0));
    let (_, ranked) = stratified(&order, train.labels(), 0);
    let kept = sizes.train.unwrap_or(ranked.len()).min(ranked.len());
    let pool = in_file_order(train, &ranked[..kept]);
    let dealt: Vec<u32> = order
        .iter()
        .filter_map(|index| pool.indices().binary_search(index).ok())
        .map(|position| position as u32)
        .collect();
    let test_order = permutation(test.count(), counter_seed(seed, 0, Purpose::TestLimit, 0, 0));
    let test_kept = sizes.test.unwrap_or(test.count()).min(test.count());
    let test = in_file_order(test, &test_order[..test_kept]);
    Ok((Folds::dealt(pool, &dealt, folds)?, test))
}

/// The first images of each class in `order`, `wanted` in all, and the others in an order in which every prefix has the
/// classes in proportion.
fn stratified(order: &[u32], labels: &[u16], wanted: usize) -> (Vec<u32>, Vec<u32>) {
    let label = |index: u32| usize::from(labels[index as usize]);
    let classes = labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    let mut counts = vec![0; classes];
    for &index in order {
        counts[label(index)] += 1;
    }
    let shares = shares(&counts, wanted);
    let mut seen = vec![0; classes];
    let mut validation = Vec::with_capacity(wanted);
    let mut rest = Vec::with_capacity(order.len() - wanted);
    for &index in order {
        let class = label(index);
        if seen[class] < shares[class] {
            validation.push(index);
        } else {
            let (rank, left) = (seen[class] - shares[class], counts[class] - shares[class]);
            rest.push(((rank as f64 + 0.5) / left as f64, index));
        }
        seen[class] += 1;
    }
    // A stable sort: images of equal rank keep their random order.
    rest.sort_by(|a, b| a.0.total_cmp(&b.0));
    (validation, rest.into_iter().map(|(_, index)| index).collect())
}

/// How many of `wanted` images each class contributes: in proportion to its size, rounded by largest remainders, smaller
/// labels first among equal ones. No class gives its last image while another one can give more.
pub(super) fn shares(counts: &[usize], wanted: usize) -> Vec<usize> {
    let total: usize = counts.iter().sum::<usize>().max(1);
    // Whole numbers below 2^32 each.
    let exact = |class: usize| counts[class] as u64 * wanted as u64;
    let mut given: Vec<usize> = (0..counts.len())
        .map(|class| ((exact(class) / total as u64) as usize).min(counts[class].saturating_sub(1)))
        .collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(exact(class) % total as u64));
    let mut missing = wanted.saturating_sub(given.iter().sum());
    for spare in [1, 0] {
        let mut gave = true;
        while missing > 0 && gave {
            gave = false;
            for &class in &by_remainder {
                if missing > 0 && given[class] + spare < counts[class] {
                    given[class] += 1;
                    missing -= 1;
                    gave = true;
                }
            }
        }
    }
    given
}

fn in_file_order(images: Images, chosen: &[u32]) -> Subset {
    let mut indices = chosen.to_vec();
    indices.sort_unstable();
    Subset::of_known(images, indices)
}

#[cfg(test)]
mod tests;
