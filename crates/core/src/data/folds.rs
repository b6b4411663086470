//! Folds for cross-validation: all images that are not for testing, divided into parts of about the same size.
//!
//! Each fold has the classes in proportion, as closely as the rule that divides them allows: images of an IDX file are
//! dealt out in a random order, those of other sources go where the hash of their content says, so that adding files
//! moves no other file. A class of few images might so be missing from folds although it has enough of them, or have all
//! of them in one; then some of its images move to folds that lack it.
//!
//! Invariant: every image is in exactly one fold, no fold is empty, and images with the same pixels are in the same one.

// In a circle with splits: a data set may have folds, each of which makes another data set.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use burgeon_pixels::Normalization;

use super::images::{Images, Subset};
use super::{DataError, Dataset};
use crate::sys::{Purpose, counter_seed, permutation};

/// Images divided into folds.
#[derive(Debug, Clone)]
pub(crate) struct Folds {
    /// The images of all folds, in the order in which they are numbered for training.
    pool: Subset,
    /// The fold of each, counted from 0.
    of: Arc<[u8]>,
    count: usize,
    /// The normalization of every network, where it is inherited; otherwise each has that of its own training images.
    normalization: Option<Normalization>,
}

/// An image, as far as its fold depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbered {
    /// Its class.
    pub label: u16,
    /// The hash of its content and the study's seed.
    pub number: u64,
    /// The hash of its content.
    pub digest: [u8; 32],
}

impl Folds {
    /// Divides a pool by the content of its images, of which `numbered` has one for each.
    ///
    /// # Errors
    /// If a fold would be empty.
    pub(super) fn by_content(
        pool: Subset,
        numbered: &[Numbered],
        count: usize,
    ) -> Result<Self, DataError> {
        let fold = |number: u64| ((u128::from(number) * count as u128) >> 64) as u8;
        let mut placed: HashMap<[u8; 32], u8> =
            numbered.iter().map(|image| (image.digest, fold(image.number))).collect();
        let mut classes: BTreeMap<u16, BTreeSet<(u64, [u8; 32])>> = BTreeMap::new();
        for image in numbered {
            classes.entry(image.label).or_default().insert((image.number, image.digest));
        }
        for ranked in classes.into_values() {
            let digests: Vec<_> = ranked.into_iter().map(|(_, digest)| digest).collect();
            spread(&digests, &mut placed, count);
        }
        let of = numbered.iter().map(|image| placed[&image.digest]).collect();
        Self::new(pool, of, count)
    }

    /// Deals a pool out, class by class, in the order in which `order` has its positions.
    ///
    /// # Errors
    /// If a fold would be empty.
    pub(super) fn dealt(pool: Subset, order: &[u32], count: usize) -> Result<Self, DataError> {
        let mut classes: BTreeMap<u16, Vec<&[u8]>> = BTreeMap::new();
        let mut placed: HashMap<&[u8], u8> = HashMap::with_capacity(pool.len());
        for &position in order {
            let pixels = pool.image(position as usize);
            if placed.insert(pixels, 0).is_none() {
                classes.entry(pool.label(position as usize)).or_default().push(pixels);
            }
        }
        // Each class goes on where the one before it ended, so that folds differ by one image at most.
        for (turn, pixels) in classes.values().flatten().enumerate() {
            placed.insert(pixels, (turn % count) as u8);
        }
        for images in classes.values() {
            spread(images, &mut placed, count);
        }
        let of = (0..pool.len()).map(|position| placed[pool.image(position)]).collect();
        Self::new(pool, of, count)
    }

    fn new(pool: Subset, of: Vec<u8>, count: usize) -> Result<Self, DataError> {
        if let Some(empty) = (0..count).find(|&fold| !of.contains(&(fold as u8))) {
            return Err(DataError::Request {
                problem: format!(
                    "{} images cannot be divided into {count} folds: fold {} would have none; use fewer folds in [gate], or more images",
                    pool.len(),
                    empty + 1
                ),
            });
        }
        Ok(Self { pool, of: of.into(), count, normalization: None })
    }

    /// How many folds there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Images of each fold.
    #[cfg(feature = "cli")]
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.count];
        self.of.iter().for_each(|&fold| sizes[usize::from(fold)] += 1);
        sizes
    }

    /// The images of all folds.
    pub(crate) fn pool(&self) -> &Subset {
        &self.pool
    }

    /// The images outside of a fold, counted from 1, and those in it.
    fn split(&self, fold: u32) -> [Subset; 2] {
        let indices = |is_in: bool| -> Vec<u32> {
            let images = self.pool.indices().iter().zip(&*self.of);
            let images = images.filter(|(_, of)| (u32::from(**of) + 1 == fold) == is_in);
            images.map(|(index, _)| *index).collect()
        };
        [indices(false), indices(true)].map(|indices| self.pool.select(indices))
    }
}

/// Moves images of a class that are too close together: until every fold has one or, of fewer images than folds, each
/// is in another fold. The only image of a class does not validate the trial itself, so that its class can be learned.
fn spread<T: Copy + Eq + Hash>(images: &[T], placed: &mut HashMap<T, u8>, count: usize) {
    let mut of_fold: Vec<Vec<T>> = vec![Vec::new(); count];
    for &image in images {
        of_fold[usize::from(placed[&image])].push(image);
    }
    if let ([only], [first, ..]) = (images, &of_fold[..])
        && !first.is_empty()
    {
        placed.insert(*only, 1);
        return;
    }
    let wanted = images.len().min(count);
    while of_fold.iter().filter(|fold| !fold.is_empty()).count() < wanted {
        let most = of_fold.iter().map(Vec::len).max().unwrap_or(0);
        let Some(from) = of_fold.iter().position(|fold| fold.len() == most) else { return };
        let next = (1..count).map(|step| (from + step) % count);
        let Some(to) = next.into_iter().find(|&fold| of_fold[fold].is_empty()) else { return };
        let Some(image) = of_fold[from].pop() else { return };
        placed.insert(image, to as u8);
        of_fold[to].push(image);
    }
}

impl Dataset {
    /// The images of folds, of which the first is the validation split.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn of_folds(
        folds: Folds,
        test: impl Into<Subset>,
        classes: usize,
    ) -> Result<Self, DataError> {
        let [train, validation] = folds.split(1);
        let data = Self::new(train, validation, test, classes)?;
        Ok(Self { folds: Some(folds), ..data })
    }

    /// The same images, those of the training and the validation split divided into folds.
    ///
    /// # Errors
    /// If there are fewer different images than folds.
    pub(crate) fn folded(self, count: usize, seed: u64) -> Result<Self, DataError> {
        let pool = joined(&self.train, &self.validation)?;
        let order = permutation(pool.len(), counter_seed(seed, 0, Purpose::ValidationSplit, 0, 0));
        let data =
            Self::of_folds(Folds::dealt(pool, &order, count)?, self.test, self.classes.len())?;
        Ok(Self { classes: self.classes, ..data })
    }

    /// Gives the images this normalization, those of all folds too.
    pub(crate) fn normalize(&mut self, normalization: Normalization) {
        self.normalization = normalization;
        if let Some(folds) = &mut self.folds {
            folds.normalization = Some(normalization);
        }
    }

    /// The images for the network of a fold, counted from 1: that fold as the validation split, the others to train
    /// on, and the normalization of these. `None` if there is no such fold.
    pub(crate) fn fold(&self, fold: u32) -> Option<Self> {
        let folds = self.folds.as_ref().filter(|folds| (1..=folds.count as u32).contains(&fold))?;
        let [train, validation] = folds.split(fold);
        let normalization = folds.normalization;
        Some(Self {
            normalization: normalization.unwrap_or_else(|| train.normalization()),
            train,
            validation,
            test: self.test.clone(),
            classes: self.classes.clone(),
            folds: None,
        })
    }
}

/// The images of two subsets, of which the pixels are copied if they are not of one set.
fn joined(first: &Subset, second: &Subset) -> Result<Subset, DataError> {
    let indices = [first.indices(), second.indices()].concat();
    if first.is_of_same_images(second) {
        return Ok(first.select(indices));
    }
    let images = || {
        let of = |subset: &'_ Subset| (0..subset.len()).collect::<Vec<_>>();
        let first = of(first).into_iter().map(|position| (first, position));
        first.chain(of(second).into_iter().map(|position| (second, position)))
    };
    let mut pixels = Vec::with_capacity((first.len() + second.len()) * first.image_len());
    images().for_each(|(subset, position)| pixels.extend_from_slice(subset.image(position)));
    let labels: Vec<u16> = images().map(|(subset, position)| subset.label(position)).collect();
    Ok(Subset::all(Images::of_shape(pixels, labels, first.shape())?))
}

#[cfg(test)]
mod tests;
