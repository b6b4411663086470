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

/// How the recalls of classes are written: `[{"right": 1, "images": 2}, …]`, and of more than 1,000 classes
/// `{"right": [1, …], "images": [2, …]}`, which takes a fifth of the room and keeps an event of 65,000 classes readable.
pub(crate) mod recalls {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ClassRecall;

    const LISTED_MAX: usize = 1_000;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Classes(Vec<ClassRecall>),
        Columns { right: Vec<u64>, images: Vec<u64> },
    }

    pub(crate) fn serialize<S: Serializer>(
        recalls: &[ClassRecall],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if recalls.len() <= LISTED_MAX {
            return recalls.serialize(serializer);
        }
        let right = recalls.iter().map(|class| class.right).collect();
        let images = recalls.iter().map(|class| class.images).collect();
        Written::Columns { right, images }.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<ClassRecall>, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Classes(recalls) => Ok(recalls),
            Written::Columns { right, images } if right.len() == images.len() => Ok(right
                .into_iter()
                .zip(images)
                .map(|(right, images)| ClassRecall { right, images })
                .collect()),
            Written::Columns { right, images } => Err(D::Error::custom(format!(
                "recalls of {} and images of {} classes",
                right.len(),
                images.len()
            ))),
        }
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

    /// Upper bound of the same interval.
    pub(crate) fn upper_bound(self, recalls: &[ClassRecall], confidence: f64) -> f64 {
        let wrong = recalls.iter().map(|recall| ClassRecall {
            right: recall.images.saturating_sub(recall.right),
            images: recall.images,
        });
        let wrong: Vec<ClassRecall> = wrong.collect();
        match self {
            Self::Accuracy | Self::BalancedAccuracy => 1.0 - self.lower_bound(&wrong, confidence),
            Self::LeastRecall => {
                let each = wrong.iter().map(|&class| 1.0 - self.lower_bound(&[class], confidence));
                each.fold(f64::NAN, f64::min)
            }
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

/// Both ends of the 95 % Wilson interval of a share of `images`.
pub(crate) fn wilson_interval(share: f64, images: u64) -> [f64; 2] {
    let bound = |share| wilson_lower_bound(share, images as usize, 0.95);
    [bound(share), 1.0 - bound(1.0 - share)]
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
mod tests;
