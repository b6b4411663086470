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
    /// Significance may have made it, whichever images they have right.
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
mod tests {
    use super::*;

    fn chance(first: u64, second: u64, images: u64) -> Significance {
        let recall = |right| [ClassRecall { right, images }];
        Significance::of_recalls(&recall(first), &recall(second))
    }

    #[test]
    fn a_large_difference_is_more_than_chance_and_a_small_one_may_be() {
        assert!(
            matches!(chance(800, 900, 1000), Significance::MoreThanChance { p_most } if p_most < 1e-6)
        );
        assert!(
            matches!(chance(900, 905, 1000), Significance::MayBeChance { p_least } if p_least > 0.05)
        );
        assert!(matches!(chance(900, 900, 1000), Significance::MayBeChance { p_least: 1.0 }));
    }

    #[test]
    fn in_between_it_depends_on_the_images_and_a_measurement_decides() {
        let Significance::Undecided { p_least, p_most } = chance(4_895, 4_920, 5_000) else {
            panic!("{:?}", chance(4_895, 4_920, 5_000));
        };
        assert!(p_least < 1e-4 && p_most > 0.05, "{p_least} {p_most}");
        let measured = |only_first, only_second| {
            Significance::measured(Discordant { only_first, only_second })
        };
        assert!(matches!(measured(10, 35), Significance::MoreThanChance { .. }));
        assert!(matches!(measured(75, 100), Significance::MayBeChance { .. }));
    }

    #[test]
    fn without_figures_nothing_is_said() {
        assert_eq!(Significance::of_recalls(&[], &[]), Significance::NotJudged);
    }
}
