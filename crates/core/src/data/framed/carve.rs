//! Splits images by their content: adding files moves no other file to another split, and copies of an image are always
//! in the same split.
//!
//! Each image is hashed to a number from 0 to 1 from its pixels and, for validation, the study's seed. A share of 0.2
//! takes those below 0.2; a count takes the lowest of each class, in proportion to the classes.
//!
//! A class of few images might so have none in some split. If it has three different ones, each split gets at least one
//! nevertheless: the lowest, where none is below the share; and where too many are, the highest are left to the splits
//! that follow.
//!
//! Folds for cross-validation divide the same numbers into ranges of the same length; see [`Folds`].

use std::collections::{BTreeMap, BTreeSet};

use burgeon_pixels::Frame;
use sha2::{Digest, Sha256};

use super::decode::Decoded;
use super::listing::{Given, Listing};
use crate::data::folds::{Folds, Numbered};
use crate::data::loaded::FramedSettings;
use crate::data::splits::shares;
use crate::data::{DataError, Dataset, Images, Subset};
use crate::spec::Amount;

/// The sizes of the splits, as the study sets them.
#[derive(Debug, Clone, Copy)]
pub struct Carving {
    /// Images for validation.
    pub validation: Option<Amount>,
    /// Images for testing.
    pub test: Option<Amount>,
    /// Most images to train on; with folds, most images of all of them together.
    pub train: Option<usize>,
    /// How many folds there are, instead of a validation split.
    pub folds: Option<usize>,
    /// The study's seed.
    pub seed: u64,
}

/// Images in three splits.
#[derive(Debug)]
pub struct Carved {
    /// The images.
    pub dataset: Dataset,
    validation: Option<Amount>,
    test: Option<Amount>,
}

impl Carved {
    /// The chosen values of settings that the study leaves out, for a run to record.
    pub fn settings(&self, frame: Frame) -> FramedSettings {
        FramedSettings {
            height: frame.height,
            width: frame.width,
            channels: frame.channels,
            fit: frame.fit.into(),
            validation: self.validation,
            test: self.test,
        }
    }
}

/// By default a fifth of the images is for validation and a fifth for testing, but at most this many.
const VALIDATION_MAX: usize = 5000;
const TEST_MAX: usize = 10_000;

/// A class with so many different images has some in each split.
const ENOUGH: usize = 3;

/// Splits decoded images as their source and the study say.
///
/// # Errors
/// If a split would be left without images.
pub fn carve(decoded: &Decoded, listing: &Listing, carving: Carving) -> Result<Carved, DataError> {
    let given = |given: Given| -> Vec<usize> {
        let images = decoded.images.iter().enumerate();
        let fits = images.filter(|(_, image)| listing.entries[image.entry].given == given);
        fits.map(|(at, _)| at).collect()
    };
    let [mut train, mut validation, mut test] =
        [Given::Train, Given::Validation, Given::Test].map(given);
    let splitter = Splitter { decoded, listing };
    let carves_validation = !listing.gives(Given::Validation);
    let enough = splitter.classes_with(&train, ENOUGH);
    let mut test_amount = None;
    if listing.gives(Given::Test) {
        refuse_size_of_own(listing, "test", carving.test)?;
    } else {
        let amount = carving.test.unwrap_or_else(|| Amount::fifth(train.len(), TEST_MAX));
        let kept = Kept { of: &enough, images: 1 + usize::from(carves_validation) };
        test = splitter.take_split(&mut train, amount, b"test", &kept)?;
        test_amount = Some(amount);
    }
    let mut validation_amount = None;
    let salt = [&b"validation"[..], &carving.seed.to_le_bytes()].concat();
    if carving.folds.is_some() {
        train.append(&mut validation);
        train.sort_unstable();
    } else if !carves_validation {
        refuse_size_of_own(listing, "validation", carving.validation)?;
    } else {
        let amount =
            carving.validation.unwrap_or_else(|| Amount::fifth(train.len(), VALIDATION_MAX));
        let kept = Kept { of: &enough, images: 1 };
        validation = splitter.take_split(&mut train, amount, &salt, &kept)?;
        validation_amount = Some(amount);
    }
    if let Some(most) = carving.train
        && most < train.len()
    {
        let salt = [&b"train"[..], &carving.seed.to_le_bytes()].concat();
        train = splitter.lowest(&train, most, &salt, &Kept { of: &BTreeSet::new(), images: 0 });
    }
    let mut labels = vec![0; decoded.images.len()];
    for image in &decoded.images {
        labels[image.at as usize] = listing.entries[image.entry].label;
    }
    let images = Images::of_pixels(decoded.pixels.clone(), labels.into(), decoded.shape)?;
    let subset = |indices: Vec<usize>| {
        let places = indices.into_iter().map(|index| decoded.images[index].at);
        Subset::new(images.clone(), places.collect::<Vec<u32>>())
    };
    let classes = listing.classes.len();
    let dataset = match carving.folds {
        None => Dataset::new(subset(train)?, subset(validation)?, subset(test)?, classes)?,
        Some(folds) => {
            let numbered = splitter.numbered(&train, &salt);
            let folds = Folds::by_content(subset(train)?, &numbered, folds)?;
            Dataset::of_folds(folds, subset(test)?, classes)?
        }
    };
    let dataset = dataset.named(listing.classes.clone())?;
    Ok(Carved { dataset, validation: validation_amount, test: test_amount })
}

/// Refuses a size for a split that the source itself provides, which is used as it is.
fn refuse_size_of_own(
    listing: &Listing,
    split: &str,
    amount: Option<Amount>,
) -> Result<(), DataError> {
    match amount {
        None => Ok(()),
        Some(_) => Err(DataError::Request {
            problem: format!(
                "{} has its own {split} images, which are used as they are: remove `{split}` from [data]",
                listing.root.display()
            ),
        }),
    }
}

/// What a split leaves to those that are filled after it.
struct Kept<'a> {
    /// The classes with [`ENOUGH`] images, by label.
    of: &'a BTreeSet<u16>,
    /// Different images of each of them.
    images: usize,
}

/// Images of a class by their number and digest.
type Copies = BTreeMap<(u64, [u8; 32]), Vec<usize>>;

struct Splitter<'a> {
    decoded: &'a Decoded,
    listing: &'a Listing,
}

impl Splitter<'_> {
    /// Takes images out of `from`; both keep their order.
    fn take_split(
        &self,
        from: &mut Vec<usize>,
        amount: Amount,
        salt: &[u8],
        kept: &Kept<'_>,
    ) -> Result<Vec<usize>, DataError> {
        let name = if salt.starts_with(b"test") { "test" } else { "validation" };
        if from.len() < 2 || matches!(amount, Amount::Count(count) if count >= from.len()) {
            return Err(DataError::Request {
                problem: format!(
                    "data.{name} asks for {} images, but there are only {}, and some are needed to train on",
                    amount.of(from.len()),
                    from.len()
                ),
            });
        }
        let taken = match amount {
            Amount::Count(count) => self.lowest(from, count, salt, kept),
            Amount::Share(share) => self.below(from, share, salt, kept),
        };
        // Both are in order.
        from.retain(|at| taken.binary_search(at).is_err());
        Ok(taken)
    }

    /// The images of each class, those with the lowest numbers first, copies of an image together.
    fn ranked(&self, from: &[usize], salt: &[u8]) -> BTreeMap<u16, Vec<(u64, Vec<usize>)>> {
        let mut classes: BTreeMap<u16, Copies> = BTreeMap::new();
        for &at in from {
            let image = self.decoded.images[at];
            let label = self.listing.entries[image.entry].label;
            let number = number(&image.digest, salt);
            let copies = classes.entry(label).or_default();
            copies.entry((number, image.digest)).or_default().push(at);
        }
        let ranks = |copies: Copies| {
            copies.into_iter().map(|((number, _), images)| (number, images)).collect()
        };
        classes.into_iter().map(|(label, copies)| (label, ranks(copies))).collect()
    }

    /// What the folds of images depend on.
    fn numbered(&self, images: &[usize], salt: &[u8]) -> Vec<Numbered> {
        let numbered = images.iter().map(|&at| {
            let image = self.decoded.images[at];
            let label = self.listing.entries[image.entry].label;
            Numbered { label, number: number(&image.digest, salt), digest: image.digest }
        });
        numbered.collect()
    }

    /// The classes with at least so many different images.
    fn classes_with(&self, from: &[usize], least: usize) -> BTreeSet<u16> {
        let ranked = self.ranked(from, b"").into_iter();
        ranked.filter(|(_, images)| images.len() >= least).map(|(label, _)| label).collect()
    }

    /// The images whose number is below a share. Of a class with enough different images, at least one is taken and at
    /// least as many are left as are to be kept.
    fn below(&self, from: &[usize], share: f64, salt: &[u8], kept: &Kept<'_>) -> Vec<usize> {
        let limit = (share * 2.0_f64.powi(64)) as u64;
        let mut taken = Vec::new();
        for (label, ranked) in self.ranked(from, salt) {
            let different = ranked.len();
            let below = ranked.iter().filter(|(number, _)| *number < limit).count();
            let count = match kept.of.contains(&label) {
                // A count of images for the split before may have left fewer.
                true => below.max(1).min(different.saturating_sub(kept.images)),
                false => below.min(different - 1),
            };
            taken.extend(ranked.into_iter().take(count).flat_map(|(_, images)| images));
        }
        taken.sort_unstable();
        taken
    }

    /// About `wanted` images, with classes in proportion; copies of an image are taken together. Of a class with enough
    /// different images, at least one is taken and at least as many are left as are to be kept.
    fn lowest(&self, from: &[usize], wanted: usize, salt: &[u8], kept: &Kept<'_>) -> Vec<usize> {
        let ranked = self.ranked(from, salt);
        let mut counts = vec![0; self.listing.classes.len()];
        for (&label, images) in &ranked {
            counts[usize::from(label)] = images.iter().map(|(_, copies)| copies.len()).sum();
        }
        let shares = shares(&counts, wanted);
        let mut taken = Vec::with_capacity(wanted);
        for (label, images) in ranked {
            let start = taken.len();
            let (mut share, mut most) = (shares[usize::from(label)], images.len());
            if kept.of.contains(&label) {
                (share, most) = (share.max(1), most.saturating_sub(kept.images));
            }
            for (_, copies) in images.into_iter().take(most) {
                if taken.len() - start >= share {
                    break;
                }
                taken.extend(copies);
            }
        }
        taken.sort_unstable();
        taken
    }
}

/// The hash of an image and a salt, as a uniform 64-bit number.
fn number(digest: &[u8; 32], salt: &[u8]) -> u64 {
    let hash = Sha256::new().chain_update(salt).chain_update(digest).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(first)
}
