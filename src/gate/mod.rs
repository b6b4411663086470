//! Validation metrics → whether the gate opens. Pure: no I/O, no clock.

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
    let z = normal_quantile(0.5 + confidence / 2.0);
    let z2 = z * z;
    let centre = share + z2 / (2.0 * n);
    let spread = z * ((share * (1.0 - share) + z2 / (4.0 * n)) / n).sqrt();
    ((centre - spread) / (1.0 + z2 / n)).max(0.0)
}

/// Quantile of the standard normal distribution by bisection on its distribution function;
/// exact to 1e-12 for `p` in (0, 1).
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        // Φ(x) = erfc(−x/√2) / 2
        if 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
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
    fn the_wilson_bound_matches_published_values() {
        // statsmodels.stats.proportion.proportion_confint(count, n, method="wilson")
        assert!((wilson_lower_bound(0.9, 10, 0.95) - 0.595_849_7).abs() < 1e-6);
        assert!((wilson_lower_bound(0.8, 5000, 0.95) - 0.788_684_3).abs() < 1e-6);
    }
}
