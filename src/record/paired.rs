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
mod tests {
    use super::*;

    fn discordant(only_first: u64, only_second: u64) -> Discordant {
        Discordant { only_first, only_second }
    }

    #[test]
    fn the_probability_is_that_of_the_exact_test() {
        // scipy.stats.binomtest(min(b, c), b + c, 0.5).pvalue
        for (only_first, only_second, p) in [
            (5, 5, 1.0),
            (0, 0, 1.0),
            (1, 0, 1.0),
            (0, 6, 0.03125),
            (8, 2, 0.109_375),
            (60, 85, 0.045_877_1),
            (100, 40, 4.143_4e-7),
        ] {
            let found = discordant(only_first, only_second).p_value();
            assert!((found - p).abs() < 1e-4 * p, "{only_first}, {only_second}: {found}, not {p}");
            assert_eq!(discordant(only_second, only_first).p_value(), found);
        }
    }

    #[test]
    fn images_are_counted_that_only_one_has_right() {
        let [first, second] = [[true, true, false, false, true], [true, false, true, false, false]];
        assert_eq!(Discordant::of(&first, &second), discordant(2, 1));
    }

    #[test]
    fn the_bounds_hold_for_whatever_classifiers_have_these_recalls() {
        // All pairs of classifiers on four images of two classes.
        let labels = [0, 0, 0, 1];
        let rights = |code: u32| -> Vec<bool> { (0..4).map(|bit| code >> bit & 1 == 1).collect() };
        let recalls = |right: &[bool]| -> Vec<ClassRecall> {
            let of = |class| labels.iter().zip(right).filter(move |(label, _)| **label == class);
            let recall = |class| ClassRecall {
                right: of(class).filter(|(_, right)| **right).count() as u64,
                images: of(class).count() as u64,
            };
            [0, 1].map(recall).to_vec()
        };
        for (one, other) in (0..16).flat_map(|one| (0..16).map(move |other| (one, other))) {
            let (one, other) = (rights(one), rights(other));
            let found = Discordant::of(&one, &other);
            let [fewest, most] = Discordant::bounds(&recalls(&one), &recalls(&other)).unwrap();
            let holds = |least: u64, found: u64, most: u64| least <= found && found <= most;
            assert!(holds(fewest.only_first, found.only_first, most.only_first));
            assert!(holds(fewest.only_second, found.only_second, most.only_second));
            let difference = |found: Discordant| found.only_first as i64 - found.only_second as i64;
            assert_eq!(difference(fewest), difference(found));
            assert_eq!(difference(most), difference(found));
        }
    }

    #[test]
    fn recalls_on_other_images_are_not_compared() {
        let of = |right, images| vec![ClassRecall { right, images }];
        assert_eq!(Discordant::bounds(&of(5, 10), &of(5, 11)), None);
        assert_eq!(Discordant::bounds(&of(0, 0), &of(0, 0)), None);
        assert_eq!(Discordant::bounds(&[], &[]), None);
        assert!(Discordant::bounds(&of(99, 10), &of(5, 10)).is_some(), "damaged, but no panic");
    }
}
