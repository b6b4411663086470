//! Measures of a classifier on labelled images, and their confidence bounds.

use serde::{Deserialize, Serialize};
use statrs::function::erf::erf_inv;

/// Correctly classified images of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassRecall {
    /// Images classified correctly.
    pub right: u64,
    /// Images of the class.
    pub images: u64,
}

impl ClassRecall {
    /// Share of images classified correctly, 0..=1; `None` for a class without images.
    pub fn share(self) -> Option<f64> {
        (self.images > 0).then(|| self.right as f64 / self.images as f64)
    }
}

/// A measure that a gate can require a minimum of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Share of all images classified correctly.
    Accuracy,
    /// Mean of the recalls of all classes.
    BalancedAccuracy,
    /// The lowest recall of any class.
    LeastRecall,
}

impl Measure {
    /// The measure over these classes, 0..=1; classes without images do not count. NaN if there are no
    /// images.
    pub fn of(self, recalls: &[ClassRecall]) -> f64 {
        let shares = || recalls.iter().filter_map(|recall| recall.share());
        match self {
            Self::Accuracy => {
                let (right, images) = sums(recalls);
                right as f64 / images as f64
            }
            Self::BalancedAccuracy => shares().sum::<f64>() / shares().count() as f64,
            Self::LeastRecall => shares().fold(f64::NAN, f64::min),
        }
    }

    /// Lower bound of the measure's confidence interval, at a confidence in (0, 1); NaN if there are no
    /// images.
    ///
    /// For the accuracy, Wilson's bound; for the least recall, the lowest Wilson bound of any class; for
    /// the balanced accuracy, those bounds combined by squaring and adding (MOVER: Zou and
    /// Donner, "Construction of confidence limits about effect measures", 2008).
    pub fn lower_bound(self, recalls: &[ClassRecall], confidence: f64) -> f64 {
        let bounds = || {
            recalls.iter().filter_map(|recall| {
                let share = recall.share()?;
                Some((share, wilson_lower_bound(share, recall.images as usize, confidence)))
            })
        };
        match self {
            Self::Accuracy => {
                let images = sums(recalls).1 as usize;
                wilson_lower_bound(self.of(recalls), images, confidence)
            }
            Self::BalancedAccuracy => {
                let squares: f64 = bounds().map(|(share, bound)| (share - bound).powi(2)).sum();
                (self.of(recalls) - squares.sqrt() / bounds().count() as f64).max(0.0)
            }
            Self::LeastRecall => bounds().map(|(_, bound)| bound).fold(f64::NAN, f64::min),
        }
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced accuracy",
            Self::LeastRecall => "least recall",
        }
    }
}

fn sums(recalls: &[ClassRecall]) -> (u64, u64) {
    recalls
        .iter()
        .fold((0, 0), |(right, images), class| (right + class.right, images + class.images))
}

/// Lower bound of the two-sided Wilson score interval (Wilson 1927) of a share of `images`, at a
/// confidence in (0, 1); 0 for no images.
pub fn wilson_lower_bound(share: f64, images: usize, confidence: f64) -> f64 {
    if images == 0 {
        return 0.0;
    }
    let n = images as f64;
    // The standard normal quantile at p is √2·erf⁻¹(2p − 1), here with p = (1 + confidence) / 2.
    let z = std::f64::consts::SQRT_2 * erf_inv(confidence);
    let z2 = z * z;
    let centre = share + z2 / (2.0 * n);
    let spread = z * ((share * (1.0 - share) + z2 / (4.0 * n)) / n).sqrt();
    ((centre - spread) / (1.0 + z2 / n)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recalls(of: &[(u64, u64)]) -> Vec<ClassRecall> {
        of.iter().map(|&(right, images)| ClassRecall { right, images }).collect()
    }

    #[test]
    fn every_class_counts_the_same_in_balanced_accuracy() {
        let recalls = recalls(&[(99, 99), (0, 1), (0, 0)]);
        assert_eq!(Measure::Accuracy.of(&recalls), 0.99);
        assert_eq!(Measure::BalancedAccuracy.of(&recalls), 0.5);
        assert_eq!(Measure::LeastRecall.of(&recalls), 0.0);
    }

    #[test]
    fn nothing_is_measured_without_images() {
        for measure in [Measure::Accuracy, Measure::BalancedAccuracy, Measure::LeastRecall] {
            assert!(measure.of(&[]).is_nan() && measure.of(&recalls(&[(0, 0)])).is_nan());
        }
    }

    #[test]
    fn bounds_of_few_images_are_far_below() {
        let recalls = recalls(&[(9, 10), (9, 10)]);
        let bound = |measure: Measure| measure.lower_bound(&recalls, 0.95);
        // statsmodels: proportion_confint(9, 10, method="wilson") is 0.5958; (18, 20) is 0.6990.
        assert!((bound(Measure::LeastRecall) - 0.595_849_7).abs() < 1e-6);
        assert!(
            (bound(Measure::Accuracy) - 0.698_966_3).abs() < 1e-6,
            "{}",
            bound(Measure::Accuracy)
        );
        // 0.9 − √2 · (0.9 − 0.595850) / 2
        assert!((bound(Measure::BalancedAccuracy) - 0.684_933_4).abs() < 1e-6);
    }

    #[test]
    fn the_bound_is_that_of_the_normal_quantile_to_many_digits() {
        // scipy.stats.norm.ppf(0.5 + c / 2); at a share of 1 the bound is 1 / (1 + z² / n).
        for (confidence, z) in [
            (0.5, 0.674_489_750_196_081_7),
            (0.9, 1.644_853_626_951_472_2),
            (0.99, 2.575_829_303_548_900_4),
            (0.999_999, 4.891_638_475_699_24),
        ] {
            let bound = wilson_lower_bound(1.0, 100, confidence);
            assert!((bound - 1.0 / (1.0 + z * z / 100.0)).abs() < 1e-9, "{confidence}: {bound}");
        }
    }

    #[test]
    fn the_wilson_bound_matches_published_values() {
        // statsmodels.stats.proportion.proportion_confint(count, n, method="wilson")
        assert!((wilson_lower_bound(0.9, 10, 0.95) - 0.595_849_7).abs() < 1e-6);
        assert!((wilson_lower_bound(0.8, 5000, 0.95) - 0.788_684_3).abs() < 1e-6);
    }
}
