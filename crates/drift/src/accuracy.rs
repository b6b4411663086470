//! What the accuracy may be by now, told without labels.

use serde::{Deserialize, Serialize};

/// An estimate of the accuracy of images without labels.
///
/// It assumes that the model's confidence means the same as on the reference, which is what many changes break:
/// a model that is wrong and sure of it is not noticed. It is shown, and decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccuracyEstimate {
    /// The accuracy on the reference, as a fraction.
    pub reference: f64,
    /// Average thresholded confidence: the share of images whose confidence is at least the threshold that the
    /// reference's accuracy corresponds to (Garg and others, "Leveraging unlabeled data to predict out-of-distribution
    /// performance", 2022).
    pub thresholded_confidence: f64,
    /// The reference's accuracy less the difference of mean confidences (Guillory and others, "Predicting with
    /// confidence on unseen distributions", 2021).
    pub difference_of_confidences: f64,
}

impl AccuracyEstimate {
    /// From confidences in ascending order, `right` images of the reference being classified correctly.
    ///
    /// `None` without images, and if one has no confidence that is a number.
    pub(crate) fn of(reference: &[f32], right: usize, window: &[f32]) -> Option<Self> {
        if reference.is_empty() || window.is_empty() {
            return None;
        }
        let accuracy = right as f64 / reference.len() as f64;
        // As many images of the reference are below it as are classified wrongly.
        let wrong = reference.len().saturating_sub(right);
        let kept = match reference.get(wrong) {
            Some(&threshold) => window.len() - below(window, threshold),
            None => 0,
        };
        let difference = mean(reference) - mean(window);
        if !difference.is_finite() {
            return None;
        }
        Some(Self {
            reference: accuracy,
            thresholded_confidence: kept as f64 / window.len() as f64,
            difference_of_confidences: (accuracy - difference).clamp(0.0, 1.0),
        })
    }
}

/// How many of the values in ascending order are below a threshold.
pub(crate) fn below(values: &[f32], threshold: f32) -> usize {
    values.partition_point(|value| value.total_cmp(&threshold).is_lt())
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_itself_has_its_own_accuracy() {
        let confidences: Vec<f32> = (0..100).map(|index| index as f32 / 100.0).collect();
        let found = AccuracyEstimate::of(&confidences, 90, &confidences).unwrap();
        assert_eq!((found.reference, found.thresholded_confidence), (0.9, 0.9));
        assert!((found.difference_of_confidences - 0.9).abs() < 1e-12);
    }

    #[test]
    fn less_confidence_is_less_accuracy() {
        let reference: Vec<f32> = (0..100).map(|index| 0.5 + index as f32 / 200.0).collect();
        let window: Vec<f32> = reference.iter().map(|value| value - 0.1).collect();
        let found = AccuracyEstimate::of(&reference, 90, &window).unwrap();
        assert!((found.thresholded_confidence - 0.7).abs() < 0.02, "{found:?}");
        assert!((found.difference_of_confidences - 0.8).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn extremes_are_no_panic() {
        assert_eq!(AccuracyEstimate::of(&[], 0, &[0.5]), None);
        assert_eq!(AccuracyEstimate::of(&[0.5, 0.6], 1, &[0.5, f32::NAN]), None);
        let none_right = AccuracyEstimate::of(&[0.5, 0.6], 0, &[0.9]).unwrap();
        assert_eq!(none_right.thresholded_confidence, 0.0);
        let all_right = AccuracyEstimate::of(&[0.5, 0.6], 2, &[0.4, 0.9]).unwrap();
        assert_eq!(all_right.thresholded_confidence, 0.5);
    }
}
