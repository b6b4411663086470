//! Training, validation and test images: who may see what.
//!
//! Invariant: no image is in two splits, and which image is where follows from the counts and the seed alone.

use serde::{Deserialize, Serialize};

use super::DataError;
use super::images::{Images, Normalization, Subset};
use crate::sys::{Purpose, counter_seed, permutation};

/// One of the three parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// What the network learns from.
    Train,
    /// What the gate and every policy read.
    Validation,
    /// Read once, after a model is accepted.
    Test,
}

/// Images of one size and one set of classes, split in three.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What the network learns from.
    pub train: Subset,
    /// Carved out of the training file; the gate and every policy read it.
    pub validation: Subset,
    /// Read once, after a model is accepted.
    pub test: Subset,
    /// The name of each class, by label.
    pub classes: Vec<String>,
    /// Measured on `train` alone.
    pub normalization: Normalization,
}

impl Dataset {
    /// Joins splits that were made elsewhere, naming the classes by their numbers.
    pub fn new(train: Subset, validation: Subset, test: Subset, classes: usize) -> Self {
        let normalization = Normalization::measure(&train);
        let classes = (0..classes).map(|label| label.to_string()).collect();
        Self { train, validation, test, classes, normalization }
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
        [1, self.train.height(), self.train.width()]
    }
}

/// How many images each split gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitSizes {
    /// Images carved out of the training file.
    pub validation: usize,
    /// At most so many of the rest are trained on; all when `None`.
    pub train: Option<usize>,
    /// At most so many test images; all when `None`.
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
                "validation is 0, but the gate reads validation images: ask for at least 1".into(),
            );
        }
        if self.validation >= train_file_len {
            return refuse(format!(
                "validation is {}, but there are only {train_file_len} training images: ask for at most {}",
                self.validation,
                train_file_len.saturating_sub(1)
            ));
        }
        for (name, limit) in [("train", self.train), ("test", self.test)] {
            if limit == Some(0) {
                return refuse(format!(
                    "{name} is 0: ask for at least 1 image, or leave it out for all"
                ));
            }
        }
        Ok(self)
    }
}

/// Splits a training file and a test file.
///
/// The training file is shuffled by `seed`; the first `validation` images of that order are the validation split, the
/// next `train` the training split. So a limit on training images leaves the validation images as they are, and a
/// smaller training set is part of a larger one. Classes are not balanced: a random draw of some thousand images
/// already mirrors them. Within a split the images stay in the file's order.
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
    let (validation, rest) = order.split_at(sizes.validation);
    let kept = sizes.train.unwrap_or(rest.len()).min(rest.len());
    let test_order = permutation(test.count(), counter_seed(seed, 0, Purpose::TestLimit, 0, 0));
    let test_kept = sizes.test.unwrap_or(test.count()).min(test.count());
    Ok([
        in_file_order(train.clone(), &rest[..kept]),
        in_file_order(train, validation),
        in_file_order(test, &test_order[..test_kept]),
    ])
}

fn in_file_order(images: Images, chosen: &[u32]) -> Subset {
    let mut indices = chosen.to_vec();
    indices.sort_unstable();
    Subset::new(images, indices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn numbered(count: usize) -> Images {
        Images::new((0..count).map(|i| i as u8).collect(), Arc::from(vec![0; count]), 1, 1)
    }

    fn carved(validation: usize, train: Option<usize>, seed: u64) -> [Subset; 3] {
        let sizes = SplitSizes { validation, train, test: None };
        carve(numbered(100), numbered(10), sizes, seed).unwrap()
    }

    #[test]
    fn validation_and_training_images_are_disjoint_and_complete() {
        let [train, validation, test] = carved(20, None, 1);
        assert_eq!((train.len(), validation.len(), test.len()), (80, 20, 10));
        let mut all = [train.indices(), validation.indices()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_limit_on_training_images_leaves_validation_alone_and_nests() {
        let [few, same, _] = carved(20, Some(10), 1);
        let [more, validation, _] = carved(20, Some(30), 1);
        assert_eq!(same.indices(), validation.indices());
        assert_eq!(few.len(), 10);
        assert!(few.indices().iter().all(|index| more.indices().contains(index)));
    }

    #[test]
    fn the_seed_decides_which_images_validate() {
        assert_eq!(carved(20, None, 1)[1].indices(), carved(20, None, 1)[1].indices());
        assert_ne!(carved(20, None, 1)[1].indices(), carved(20, None, 2)[1].indices());
    }

    #[test]
    fn a_validation_split_that_leaves_nothing_to_train_on_is_refused() {
        let sizes = |validation| SplitSizes { validation, train: None, test: None };
        let error = carve(numbered(100), numbered(10), sizes(100), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "validation is 100, but there are only 100 training images: ask for at most 99"
        );
        assert!(carve(numbered(100), numbered(10), sizes(0), 1).is_err());
    }
}
