//! Validation metrics → whether the gate opens. Pure: no I/O, no clock.

use crate::record::{ClassRecall, EpochRecord, Measure};
use crate::spec::GateSpec;

pub use crate::record::{FloorJudgement, wilson_lower_bound};

/// What the gate says of one trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Whether the trial passes: every floor is reached.
    pub opens: bool,
    /// Accuracy on the validation images, 0..=1.
    pub accuracy: f64,
    /// What was held against the threshold: the accuracy, or the lower bound of its interval.
    pub judged: f64,
    /// What accuracy had to be reached; 0 where none had.
    pub threshold: f64,
    /// The floors beside the accuracy's.
    pub floors: [Option<FloorJudgement>; 2],
}

impl Judgement {
    /// The lower confidence bound that was held against the threshold; `None` where the accuracy
    /// itself was.
    pub fn bound(&self) -> Option<f64> {
        (self.judged != self.accuracy && self.judged.is_finite()).then_some(self.judged)
    }

    /// The floors beside the accuracy's.
    pub fn other_floors(&self) -> impl Iterator<Item = &FloorJudgement> {
        self.floors.iter().flatten()
    }
}

/// Judges a trial's best epoch on so many validation images. No epoch and no images never pass, nor does NaN.
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
        opens: images > 0 && judged >= gate.accuracy && holds,
        accuracy,
        judged,
        threshold: gate.accuracy,
        floors,
    }
}

/// Whether a model that names the same class for every image would pass, and which class that is: the one with the
/// most of the validation images, which are given by class.
pub fn passing_constant_answer(gate: &GateSpec, counts: &[usize]) -> Option<usize> {
    let most = *counts.iter().max()?;
    let class = counts.iter().position(|&count| count == most)?;
    let recalls = counts.iter().enumerate().map(|(at, &images)| {
        let images = images as u64;
        ClassRecall { right: if at == class { images } else { 0 }, images }
    });
    let recalls: Vec<ClassRecall> = recalls.collect();
    let accuracy = Measure::Accuracy.of(&recalls);
    judge_figures(gate, accuracy, &recalls, counts.iter().sum()).opens.then_some(class)
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
    fn all_floors_must_be_reached() {
        let recalls = [(95, 100), (6, 10)].map(|(right, images)| ClassRecall { right, images });
        let opens = |gate: GateSpec| {
            judge_figures(&gate, Measure::Accuracy.of(&recalls), &recalls, 110).opens
        };
        let gate = gate(0.9, None);
        assert!(opens(GateSpec { least_recall: Some(0.6), balanced_accuracy: Some(0.77), ..gate }));
        assert!(!opens(GateSpec { least_recall: Some(0.61), ..gate }));
        assert!(!opens(GateSpec { balanced_accuracy: Some(0.78), ..gate }));
        assert!(!opens(GateSpec { accuracy: 0.92, least_recall: Some(0.6), ..gate }));
        // Six of ten may be luck.
        assert!(!opens(GateSpec {
            accuracy: 0.0,
            least_recall: Some(0.6),
            confidence: Some(0.95),
            ..gate
        }));
    }

    #[test]
    fn a_floor_that_was_not_measured_is_not_reached() {
        let gate = GateSpec { least_recall: Some(0.0), ..gate(0.0, None) };
        assert!(!judge(&gate, 1.0, 100).opens);
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
}
