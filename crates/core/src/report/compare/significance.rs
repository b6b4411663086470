//! Whether a difference of accuracies is more than chance.

use serde::Serialize;

use crate::record::ClassRecall;
use crate::record::paired::Discordant;

/// Differences that chance makes more rarely than this are taken to be more than chance.
const LEVEL: f64 = 0.05;

/// Whether the difference between two models' accuracies on the same images is more than chance, by McNemar's test.
///
/// The test needs the images that only one of the two has right. A record has the recall of each class, which bounds
/// them, and with them the probability `p` of such a difference between equally good models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Significance {
    /// It is more than chance, whichever images they have right.
    MoreThanChance {
        /// `p`, or the most that it can be.
        p_most: f64,
    },
    /// Chance may have made it, whichever images they have right.
    MayBeChance {
        /// `p`, or the least that it can be.
        p_least: f64,
    },
    /// It depends on which images they have right, which the records do not tell.
    Undecided {
        /// The least that `p` can be.
        p_least: f64,
        /// The most that `p` can be.
        p_most: f64,
    },
    /// They were not judged on the same images.
    OtherImages,
    /// At least one of them was not judged, or its record lacks the recalls.
    NotJudged,
}

impl Significance {
    /// From the images that only one of the two has right.
    pub fn measured(discordant: Discordant) -> Self {
        let p = discordant.p_value();
        Self::between(p, p)
    }

    /// From the recalls of each class on the same images.
    pub fn of_recalls(first: &[ClassRecall], second: &[ClassRecall]) -> Self {
        match Discordant::bounds(first, second) {
            // Of two models that differ by the same number of images, the one that differs in more of them is
            // less remarkable.
            Some([fewest, most]) => Self::between(fewest.p_value(), most.p_value()),
            None => Self::NotJudged,
        }
    }

    fn between(p_least: f64, p_most: f64) -> Self {
        if p_most < LEVEL {
            Self::MoreThanChance { p_most }
        } else if p_least >= LEVEL {
            Self::MayBeChance { p_least }
        } else {
            Self::Undecided { p_least, p_most }
        }
    }
}

#[cfg(test)]
mod tests;
