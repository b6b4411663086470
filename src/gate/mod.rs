//! Validation metrics → whether the gate opens. Pure: no I/O, no clock.

use statrs::function::erf::erf_inv;

use crate::spec::GateSpec;

/// What the gate says of one trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Whether the trial passes.
    pub opens: bool,
    /// Accuracy on the validation images, 0..=1.
    pub accuracy: f64,
    /// What was held against the threshold: the accuracy, or the lower bound of its interval.
    pub judged: f64,
    /// What had to be reached.
    pub threshold: f64,
}

impl Judgement {
    /// The lower confidence bound that was held against the threshold; `None` where the accuracy
    /// itself was.
    pub fn bound(&self) -> Option<f64> {
        (self.judged != self.accuracy && self.judged.is_finite()).then_some(self.judged)
    }
}

/// Judges an accuracy on so many validation images. No images never pass, nor does NaN.
pub fn judge(gate: &GateSpec, accuracy: f64, images: usize) -> Judgement {
    let judged = match gate.confidence {
        Some(confidence) => wilson_lower_bound(accuracy, images, confidence),
        None => accuracy,
    };
    Judgement {
        opens: images > 0 && judged >= gate.accuracy,
        accuracy,
        judged,
        threshold: gate.accuracy,
    }
}

/// Lower end of the two-sided Wilson score interval (Wilson 1927) for a share among
/// `images` at a confidence in (0, 1); 0 for no images.
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

    fn gate(accuracy: f64, confidence: Option<f64>) -> GateSpec {
        GateSpec { accuracy, confidence }
    }

    #[test]
    fn the_gate_opens_at_its_threshold_and_not_below() {
        assert!(judge(&gate(0.8, None), 0.8, 1000).opens);
        assert!(!judge(&gate(0.8, None), 0.799, 1000).opens);
    }

    #[test]
    fn no_images_never_pass() {
        assert!(!judge(&gate(0.0, None), 0.0, 0).opens);
    }

    #[test]
    fn with_a_confidence_luck_on_few_images_does_not_pass() {
        assert!(judge(&gate(0.8, None), 0.9, 10).opens);
        assert!(!judge(&gate(0.8, Some(0.95)), 0.9, 10).opens);
        assert!(judge(&gate(0.8, Some(0.95)), 0.9, 10_000).opens);
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
