//! Whether one of two classifiers is better than the other on the same images, or was only lucky.

use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

use super::ClassRecall;

/// Images that only one of two classifiers has right; all others say nothing about which one is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Discordant {
    /// Images that only the first has right.
    pub only_first: u64,
    /// Images that only the second has right.
    pub only_second: u64,
}

impl Discordant {
    /// Compares what two classifiers made of the same images, in the same order.
    pub fn of(first: &[bool], second: &[bool]) -> Self {
        let count = |wanted| first.iter().zip(second).filter(|pair| *pair == wanted).count() as u64;
        Self { only_first: count((&true, &false)), only_second: count((&false, &true)) }
    }

    /// The probability of a difference at least as large, if both classifiers were equally good: McNemar's test in
    /// its exact, two-sided form ("Note on the sampling error of the difference between correlated
    /// proportions", 1947). 1 if they differ in no image.
    pub fn p_value(self) -> f64 {
        let Self { only_first, only_second } = self;
        // Which of the two is right, is then a toss of a coin for each image.
        match Binomial::new(0.5, only_first + only_second) {
            Ok(tosses) if only_first + only_second > 0 => {
                (2.0 * tosses.cdf(only_first.min(only_second))).min(1.0)
            }
            _ => 1.0,
        }
    }

    /// The fewest and the most such images that two classifiers can have, of which only the recall of each class is
    /// known; `None` if these are not recalls on the same images.
    pub fn bounds(first: &[ClassRecall], second: &[ClassRecall]) -> Option<[Self; 2]> {
        let images = |recalls: &[ClassRecall]| -> Vec<u64> {
            recalls.iter().map(|recall| recall.images).collect()
        };
        if images(first) != images(second) || images(first).iter().sum::<u64>() == 0 {
            return None;
        }
        let (mut fewest, mut most) = (Self::default(), Self::default());
        for (one, other) in first.iter().zip(second) {
            let (right, others) = (one.right.min(one.images), other.right.min(other.images));
            // One has right all that the other has, or as little of it as there is room for.
            fewest.only_first += right.saturating_sub(others);
            fewest.only_second += others.saturating_sub(right);
            most.only_first += right.min(other.images - others);
            most.only_second += others.min(one.images - right);
        }
        Some([fewest, most])
    }
}

#[cfg(test)]
mod tests;
