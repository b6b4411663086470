//! Validation metrics → whether the gate is passed. Pure: no I/O, no clock.

use std::fmt;

use crate::record::{ClassRecall, EpochRecord, Measure};
use crate::spec::GateSpec;

pub(crate) use crate::record::{FloorJudgement, wilson_lower_bound};

/// The judgement of the gate on one trial. `Display` gives it as a clause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Whether the trial passes: every required minimum is reached.
    pub passes: bool,
    /// Accuracy on the validation images, 0..=1.
    pub accuracy: f64,
    /// The value compared to the threshold: the accuracy, or its lower confidence bound.
    pub judged: f64,
    /// The required accuracy, 0..=1; 0 if the gate requires none.
    pub threshold: f64,
    /// The judgements on balanced accuracy and least recall, where required.
    pub floors: [Option<FloorJudgement>; 2],
}

impl Judgement {
    /// The lower confidence bound that was compared to the threshold; `None` if the accuracy itself was.
    pub fn bound(&self) -> Option<f64> {
        (self.judged != self.accuracy && self.judged.is_finite()).then_some(self.judged)
    }

    /// The judgements on balanced accuracy and least recall, where required.
    pub fn other_floors(&self) -> impl Iterator<Item = &FloorJudgement> {
        self.floors.iter().flatten()
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let floors: Vec<FloorJudgement> = self.other_floors().copied().collect();
        f.write_str(&in_words(self.accuracy, self.bound(), self.threshold, &floors))
    }
}

/// The judgement on an accuracy as a clause, with as many digits as it takes to tell the figures apart.
/// `bound` is the lower confidence bound, if the gate judges by it; `floors` are the other required
/// minimums. The accuracy is left out if the gate does not require one.
pub(crate) fn in_words(
    accuracy: f64,
    bound: Option<f64>,
    threshold: f64,
    floors: &[FloorJudgement],
) -> String {
    let accuracy = (threshold > 0.0 || floors.is_empty())
        .then(|| accuracy_in_words(accuracy, bound, threshold));
    let floors = floors.iter().map(FloorJudgement::to_string);
    accuracy.into_iter().chain(floors).collect::<Vec<_>>().join("; ")
}

fn accuracy_in_words(accuracy: f64, bound: Option<f64>, threshold: f64) -> String {
    let judged = bound.unwrap_or(accuracy);
    if !accuracy.is_finite() || !judged.is_finite() {
        let threshold = percent(threshold, 2);
        return format!("no validation accuracy was measured; the gate is {threshold}");
    }
    let digits = (2..5).find(|&digits| percent(judged, digits) != percent(threshold, digits));
    let show = |fraction| percent(fraction, digits.unwrap_or(2));
    let passes = judged >= threshold;
    match bound {
        None => {
            let verb = if passes { "reaches" } else { "is below" };
            format!("validation accuracy {} {verb} the gate of {}", show(accuracy), show(threshold))
        }
        Some(bound) => format!(
            "validation accuracy {} has a lower confidence bound of {}, which {} the gate of {}",
            show(accuracy),
            show(bound),
            if passes { "reaches" } else { "is below" },
            show(threshold)
        ),
    }
}

fn percent(fraction: f64, digits: usize) -> String {
    format!("{:.digits$} %", fraction * 100.0)
}

/// Judges a trial by its best epoch. `images` is the number of validation images, for confidence bounds. Without an
/// epoch, without images or with NaN it does not pass.
///
/// ```
/// use burgeon::gate::judge;
/// use burgeon::record::EpochRecord;
/// use burgeon::spec::{Layer, StudyFile};
///
/// let gate = StudyFile::new("study", Vec::<Layer>::new()).gate; // 80 % accuracy by default
/// let epoch = EpochRecord { validation_accuracy: 0.75, ..EpochRecord::default() };
/// let judgement = judge(&gate, Some(&epoch), 5000);
/// assert!(!judgement.passes);
/// assert_eq!(
///     judgement.to_string(),
///     "validation accuracy 75.00 % is below the gate of 80.00 %"
/// );
/// ```
pub fn judge(gate: &GateSpec, best: Option<&EpochRecord>, images: usize) -> Judgement {
    let recalls = best.map_or(&[][..], |best| &best.recalls);
    judge_figures(gate, best.map_or(0.0, |best| best.validation_accuracy), recalls, images)
}

fn judge_figures(
    gate: &GateSpec,
    accuracy: f64,
    recalls: &[ClassRecall],
    images: usize,
) -> Judgement {
    let judged = match gate.confidence {
        Some(confidence) => wilson_lower_bound(accuracy, images, confidence),
        None => accuracy,
    };
    let floor = |measure: Measure, floor: Option<f64>| {
        let floor = floor?;
        let measured = measure.of(recalls);
        let bound = gate.confidence.map(|confidence| measure.lower_bound(recalls, confidence));
        Some(FloorJudgement { measure, measured, judged: bound.unwrap_or(measured), floor })
    };
    let floors = [
        floor(Measure::BalancedAccuracy, gate.balanced_accuracy),
        floor(Measure::LeastRecall, gate.least_recall),
    ];
    let holds = floors.iter().flatten().all(FloorJudgement::holds);
    Judgement {
        passes: images > 0 && judged >= gate.accuracy && holds,
        accuracy,
        judged,
        threshold: gate.accuracy,
        floors,
    }
}

/// The most frequent class, if a model that predicts it for every image would pass the gate. `counts` holds the
/// number of validation images of each class.
#[doc(hidden)]
pub fn passing_constant_answer(gate: &GateSpec, counts: &[usize]) -> Option<usize> {
    let most = *counts.iter().max()?;
    let class = counts.iter().position(|&count| count == most)?;
    let recalls = counts.iter().enumerate().map(|(at, &images)| {
        let images = images as u64;
        ClassRecall { right: if at == class { images } else { 0 }, images }
    });
    let recalls: Vec<ClassRecall> = recalls.collect();
    let accuracy = Measure::Accuracy.of(&recalls);
    judge_figures(gate, accuracy, &recalls, counts.iter().sum()).passes.then_some(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(accuracy: f64, confidence: Option<f64>) -> GateSpec {
        GateSpec { accuracy, confidence, ..GateSpec::default() }
    }

    fn judge(gate: &GateSpec, accuracy: f64, images: usize) -> Judgement {
        judge_figures(gate, accuracy, &[], images)
    }

    #[test]
    fn the_gate_opens_at_its_threshold_and_not_below() {
        assert!(judge(&gate(0.8, None), 0.8, 1000).passes);
        assert!(!judge(&gate(0.8, None), 0.799, 1000).passes);
    }

    #[test]
    fn no_images_never_pass() {
        assert!(!judge(&gate(0.0, None), 0.0, 0).passes);
    }

    #[test]
    fn with_a_confidence_luck_on_few_images_does_not_pass() {
        assert!(judge(&gate(0.8, None), 0.9, 10).passes);
        assert!(!judge(&gate(0.8, Some(0.95)), 0.9, 10).passes);
        assert!(judge(&gate(0.8, Some(0.95)), 0.9, 10_000).passes);
    }

    #[test]
    fn all_floors_must_be_reached() {
        let recalls = [(95, 100), (6, 10)].map(|(right, images)| ClassRecall { right, images });
        let passes = |gate: GateSpec| {
            judge_figures(&gate, Measure::Accuracy.of(&recalls), &recalls, 110).passes
        };
        let gate = gate(0.9, None);
        assert!(passes(GateSpec {
            least_recall: Some(0.6),
            balanced_accuracy: Some(0.77),
            ..gate
        }));
        assert!(!passes(GateSpec { least_recall: Some(0.61), ..gate }));
        assert!(!passes(GateSpec { balanced_accuracy: Some(0.78), ..gate }));
        assert!(!passes(GateSpec { accuracy: 0.92, least_recall: Some(0.6), ..gate }));
        // Six of ten may be luck.
        assert!(!passes(GateSpec {
            accuracy: 0.0,
            least_recall: Some(0.6),
            confidence: Some(0.95),
            ..gate
        }));
    }

    #[test]
    fn a_floor_that_was_not_measured_is_not_reached() {
        let gate = GateSpec { least_recall: Some(0.0), ..gate(0.0, None) };
        assert!(!judge(&gate, 1.0, 100).passes);
    }

    #[test]
    fn a_gate_that_a_constant_answer_passes_is_found() {
        let counts = [10, 980, 10];
        assert_eq!(passing_constant_answer(&gate(0.98, None), &counts), Some(1));
        assert_eq!(passing_constant_answer(&gate(0.981, None), &counts), None);
        // The bound of 98 % of 1000 images is lower.
        assert_eq!(passing_constant_answer(&gate(0.98, Some(0.95)), &counts), None);
        assert_eq!(passing_constant_answer(&gate(0.96, Some(0.95)), &counts), Some(1));
        let with = |least_recall, balanced_accuracy| GateSpec {
            least_recall,
            balanced_accuracy,
            ..gate(0.9, None)
        };
        assert_eq!(passing_constant_answer(&with(Some(0.01), None), &counts), None);
        assert_eq!(passing_constant_answer(&with(Some(0.0), None), &counts), Some(1));
        assert_eq!(passing_constant_answer(&with(None, Some(0.33)), &counts), Some(1));
        assert_eq!(passing_constant_answer(&with(None, Some(0.34)), &counts), None);
        assert_eq!(passing_constant_answer(&gate(0.8, None), &[]), None);
    }

    #[test]
    fn a_judgement_by_a_bound_names_accuracy_bound_and_gate() {
        let judged_at = |threshold, confidence, accuracy| {
            judge_figures(&gate(threshold, confidence), accuracy, &[], 400)
        };
        let judged = judged_at(0.8, Some(0.95), 0.81);
        assert!(!judged.passes && judged.bound().is_some());
        assert_eq!(
            judged.to_string(),
            "validation accuracy 81.00 % has a lower confidence bound of 76.87 %, which is below the gate of 80.00 %"
        );
        let judged = judged_at(0.8, None, 0.13);
        assert_eq!(judged.to_string(), "validation accuracy 13.00 % is below the gate of 80.00 %");
        let close = judged_at(0.97, None, 0.969_96);
        assert_eq!(close.to_string(), "validation accuracy 96.996 % is below the gate of 97.000 %");
        let none = judged_at(0.97, None, f64::NAN);
        assert!(none.to_string().starts_with("no validation accuracy was measured"), "{none}");
    }
}
