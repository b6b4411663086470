//! Examines the data before training: data that cannot be learned from is refused, and unusual data is reported.

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::folder::{Part, Paths};
use super::{DataError, Dataset, Images, Subset};
use crate::record::{DataFinding, Split, SplitCounts};

/// The result of examining a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataReport {
    /// Images of each class.
    pub counts: SplitCounts,
    /// What is unusual, the most serious first.
    pub findings: Vec<DataFinding>,
}

const SPLITS: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

impl DataReport {
    /// Examines every image and label once.
    pub fn of(data: &Dataset) -> Self {
        let classes = data.classes.len();
        let counts = SplitCounts {
            train: data.train.class_counts(classes),
            validation: data.validation.class_counts(classes),
            test: data.test.class_counts(classes),
        };
        let mut findings = counts.findings();
        if let Some(folds) = &data.folds {
            // All folds together measure every class.
            findings.retain(|finding| {
                !matches!(finding, DataFinding::NotMeasured { split: Split::Validation, .. })
            });
            let of_class = folds.pool().class_counts(classes);
            let is_few = |class: &usize| (1..folds.count()).contains(&of_class[*class]);
            let few: Vec<usize> = (0..classes).filter(is_few).collect();
            if !few.is_empty() {
                let folds = folds.count();
                findings.push(DataFinding::FewerThanFolds { folds, classes: few });
            }
        }
        let looks = SPLITS.map(|split| looks(data.split(split)));
        findings.extend(shared_images(&looks));
        findings.extend(conflicting_labels(&looks));
        findings.extend(constant_images(&looks));
        Self { counts, findings }
    }

    /// Why nothing can be learned from these images, and what would help; `None` if something can.
    pub fn refusal(&self, classes: &[String]) -> Option<String> {
        self.findings.iter().find_map(|finding| match finding {
            DataFinding::OneClass { split: Split::Train, .. } => {
                Some(format!("{}: a classifier needs at least 2 classes", finding.words(classes)))
            }
            DataFinding::NotTrained { .. } => Some(format!(
                "{}: add training images of these classes, or raise data.train if it is set",
                finding.words(classes)
            )),
            _ => None,
        })
    }
}

impl SplitCounts {
    /// Images of each class in a split, by label.
    pub fn of(&self, split: Split) -> &[usize] {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    fn findings(&self) -> Vec<DataFinding> {
        let mut findings = Vec::new();
        let classes = 0..self.train.len();
        let which = |fits: &dyn Fn(usize) -> bool| -> Vec<usize> {
            classes.clone().filter(|&class| fits(class)).collect()
        };
        for split in SPLITS {
            if let [class] = which(&|class| self.of(split)[class] > 0)[..] {
                findings.push(DataFinding::OneClass { split, class });
            }
        }
        let measured = [Split::Validation, Split::Test];
        for split in measured {
            let classes = which(&|class| self.of(split)[class] > 0 && self.train[class] == 0);
            if !classes.is_empty() {
                findings.push(DataFinding::NotTrained { split, classes });
            }
        }
        for split in measured {
            let classes = which(&|class| self.of(split)[class] == 0 && self.train[class] > 0);
            if !classes.is_empty() {
                findings.push(DataFinding::NotMeasured { split, classes });
            }
        }
        let classes = which(&|class| SPLITS.iter().all(|&split| self.of(split)[class] == 0));
        if !classes.is_empty() {
            findings.push(DataFinding::NoImages { classes });
        }
        findings.extend(SPLITS.iter().filter_map(|&split| self.majority(split)));
        findings
    }

    /// A majority class: one whose share is at least halfway between one half and one half plus an even share, that is 75 %
    /// with two classes and 55 % with ten.
    fn majority(&self, split: Split) -> Option<DataFinding> {
        let counts = self.of(split);
        let present = counts.iter().filter(|&&count| count > 0).count();
        let (class, share) = majority(counts)?;
        let is_far = present > 1 && share >= 0.5 + 0.5 / present as f64;
        is_far.then_some(DataFinding::Majority { split, class, share })
    }
}

/// The class with the most images, the smallest label among equal ones, and its share of all images, 0..=1; `None`
/// without images.
fn majority(counts: &[usize]) -> Option<(usize, f64)> {
    let most = *counts.iter().max()?;
    let class = counts.iter().position(|&count| count == most)?;
    let all: usize = counts.iter().sum();
    (all > 0).then(|| (class, most as f64 / all as f64))
}

/// The facts about one image.
#[derive(Clone, Copy)]
struct Look {
    /// The first half of the SHA-256 of its pixels.
    content: u128,
    label: u16,
    is_constant: bool,
}

fn looks(images: &Subset) -> Vec<Look> {
    let look = |position| {
        let pixels: &[u8] = images.image(position);
        let digest = Sha256::digest(pixels);
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Look {
            content: u128::from_be_bytes(half),
            label: images.label(position),
            is_constant: pixels.iter().all(|&pixel| pixel == pixels[0]),
        }
    };
    // The order does not matter: they are only sorted or counted.
    let positions = images.positions_in_file_order();
    positions.into_par_iter().map(|position| look(position as usize)).collect()
}

fn shared_images(looks: &[Vec<Look>; 3]) -> Vec<DataFinding> {
    let contents = |at: usize| -> Vec<u128> {
        let mut contents: Vec<u128> = looks[at].iter().map(|look| look.content).collect();
        contents.par_sort_unstable();
        contents
    };
    let sorted = [contents(0), contents(1)];
    let pairs = [(1, 0), (2, 0), (2, 1)];
    let found = pairs.map(|(at, other)| {
        let is_in_other = |look: &&Look| sorted[other].binary_search(&look.content).is_ok();
        let images = looks[at].iter().filter(is_in_other).count();
        (images > 0).then_some(DataFinding::SharedImages {
            split: SPLITS[at],
            other: SPLITS[other],
            images,
        })
    });
    found.into_iter().flatten().collect()
}

fn conflicting_labels(looks: &[Vec<Look>; 3]) -> Option<DataFinding> {
    let all = looks.iter().flatten().map(|look| (look.content, look.label));
    let mut all: Vec<(u128, u16)> = all.collect();
    all.par_sort_unstable();
    let same = all.chunk_by(|a, b| a.0 == b.0);
    let conflicting = same.filter(|same| same[0].1 != same[same.len() - 1].1);
    let images = conflicting.map(<[_]>::len).sum();
    (images > 0).then_some(DataFinding::ConflictingLabels { images })
}

fn constant_images(looks: &[Vec<Look>; 3]) -> Vec<DataFinding> {
    let found = SPLITS.iter().zip(looks).filter_map(|(&split, looks)| {
        let images = looks.iter().filter(|look| look.is_constant).count();
        (images > 0).then_some(DataFinding::ConstantImages { split, images })
    });
    found.collect()
}

/// The number of classes according to the training labels, from 0 to the largest; the test labels must be among them.
///
/// # Errors
/// If all training labels are the same, or a test label is larger than all of them.
pub(super) fn seen_classes(
    paths: &Paths,
    train: &Images,
    test: &Images,
) -> Result<usize, DataError> {
    let labels = |part: Part| -> &Path {
        let at = Part::ALL.iter().position(|&found| found == part);
        at.map_or(Path::new(""), |at| &paths[at])
    };
    let seen: BTreeSet<u16> = train.labels().iter().copied().collect();
    let largest = match (seen.first(), seen.last()) {
        (Some(first), Some(last)) if first != last => *last,
        (first, _) => {
            let only = first.copied().unwrap_or_default();
            return Err(DataError::malformed(
                labels(Part::TrainLabels),
                format!("every label is {only}; a classifier needs at least 2 classes"),
            ));
        }
    };
    match test.labels().iter().position(|&label| label > largest) {
        None => Ok(usize::from(largest) + 1),
        Some(position) => Err(DataError::malformed(
            labels(Part::TestLabels),
            format!(
                "the label of image {position} is {}, but the training labels are 0 to {largest}",
                test.label(position)
            ),
        )),
    }
}

#[cfg(test)]
mod tests;
