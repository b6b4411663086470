//! Validation metrics → whether the gate opens. Pure: no I/O, no clock.

use std::fmt;

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

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&in_words(self.accuracy, self.bound(), self.threshold))
    }
}

/// What the gate says of an accuracy, as a sentence without its full stop, with as many digits as
/// it takes to tell the figures apart. `bound` is the lower confidence bound, where the gate judges
/// by it.
pub fn in_words(accuracy: f64, bound: Option<f64>, threshold: f64) -> String {
    let judged = bound.unwrap_or(accuracy);
    if !accuracy.is_finite() || !judged.is_finite() {
        let threshold = percent(threshold, 2);
        return format!("no validation accuracy was measured; the gate asks for {threshold}");
    }
    let digits = (2..5).find(|&digits| percent(judged, digits) != percent(threshold, digits));
    let show = |fraction| percent(fraction, digits.unwrap_or(2));
    let opens = judged >= threshold;
    match bound {
        None => {
            let verb = if opens { "reaches" } else { "is below" };
            format!("validation accuracy {} {verb} the gate of {}", show(accuracy), show(threshold))
        }
        Some(bound) => format!(
            "validation accuracy {} has a lower confidence bound of {}, which {} the gate of {}",
            show(accuracy),
            show(bound),
            if opens { "reaches" } else { "is below" },
            show(threshold)
        ),
    }
}

fn percent(fraction: f64, digits: usize) -> String {
    format!("{:.digits$} %", fraction * 100.0)
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
    fn a_judgement_by_a_bound_names_accuracy_bound_and_gate() {
        let judged = judge(&gate(0.8, Some(0.95)), 0.81, 400);
        assert!(!judged.opens && judged.bound().is_some());
        assert_eq!(
            judged.to_string(),
            "validation accuracy 81.00 % has a lower confidence bound of 76.87 %, which is below the gate of 80.00 %"
        );
        let judged = judge(&gate(0.8, None), 0.13, 400);
        assert_eq!(judged.to_string(), "validation accuracy 13.00 % is below the gate of 80.00 %");
        let close = judge(&gate(0.97, None), 0.969_96, 400);
        assert_eq!(close.to_string(), "validation accuracy 96.996 % is below the gate of 97.000 %");
        let none = judge(&gate(0.97, None), f64::NAN, 400);
        assert!(none.to_string().starts_with("no validation accuracy was measured"), "{none}");
    }

    #[test]
    fn the_wilson_bound_matches_published_values() {
        // statsmodels.stats.proportion.proportion_confint(count, n, method="wilson")
        assert!((wilson_lower_bound(0.9, 10, 0.95) - 0.595_849_7).abs() < 1e-6);
        assert!((wilson_lower_bound(0.8, 5000, 0.95) - 0.788_684_3).abs() < 1e-6);
    }
}
