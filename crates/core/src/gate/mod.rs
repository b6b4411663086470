//! Validation metrics → whether the gate is passed. Pure: no I/O, no clock.

use std::fmt;

use crate::record::{Basis, ClassRecall, CrossValidation, EpochRecord, Measure, wilson_interval};
use crate::spec::GateSpec;

pub(crate) use crate::record::{FloorJudgement, wilson_lower_bound};

/// The judgement of the gate on one trial. `Display` gives it as a clause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// Whether the trial passes: every required minimum is reached.
    pub passes: bool,
    /// Accuracy on the validation images, or, with [`GateSpec::folds`], on those of all measured folds, 0..=1.
    pub accuracy: f64,
    /// The value compared to the threshold: the accuracy, or its lower confidence bound.
    pub judged: f64,
    /// The required accuracy, 0..=1; 0 if the gate requires none.
    pub threshold: f64,
    /// The judgements on balanced accuracy and least recall, where required.
    pub floors: [Option<FloorJudgement>; 2],
    /// The images that it is about.
    #[doc(hidden)]
    pub basis: Basis,
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
        f.write_str(&in_words(self.basis, self.accuracy, self.bound(), self.threshold, &floors))
    }
}

/// The judgement on an accuracy as a clause, with as many digits as it takes to tell the figures apart.
/// `bound` is the lower confidence bound, if the gate judges by it; `floors` are the other required
/// minimums. The accuracy is left out if the gate does not require one.
pub(crate) fn in_words(
    basis: Basis,
    accuracy: f64,
    bound: Option<f64>,
    threshold: f64,
    floors: &[FloorJudgement],
) -> String {
    let accuracy = (threshold > 0.0 || floors.is_empty())
        .then(|| accuracy_in_words(basis, accuracy, bound, threshold));
    let floors = floors.iter().map(|floor| match basis {
        Basis::Folds { measured: 1.., .. } => format!("cross-validated {floor}"),
        _ => floor.to_string(),
    });
    accuracy.into_iter().chain(floors).chain(basis.note()).collect::<Vec<_>>().join("; ")
}

fn accuracy_in_words(basis: Basis, accuracy: f64, bound: Option<f64>, threshold: f64) -> String {
    let judged = bound.unwrap_or(accuracy);
    let name = basis.name();
    if !accuracy.is_finite() || !judged.is_finite() {
        let threshold = percent(threshold, 2);
        return format!("no {name} was measured; the gate is {threshold}");
    }
    let digits = (2..5).find(|&digits| percent(judged, digits) != percent(threshold, digits));
    let show = |fraction| percent(fraction, digits.unwrap_or(2));
    let passes = judged >= threshold;
    match bound {
        None => {
            let verb = if passes { "reaches" } else { "is below" };
            format!("{name} {} {verb} the gate of {}", show(accuracy), show(threshold))
        }
        Some(bound) => format!(
            "{name} {} has a lower confidence bound of {}, which {} the gate of {}",
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

/// Judges a trial by the folds that were measured of it; it does not pass before all were.
pub(crate) fn judge_folds(gate: &GateSpec, folds: &CrossValidation) -> Judgement {
    let judgement = judge_figures(gate, folds.accuracy(), &folds.recalls, folds.images as usize);
    judgement.on(Basis::of(folds))
}

impl Judgement {
    /// The same figures, of these images.
    pub(crate) fn on(self, basis: Basis) -> Self {
        Self { passes: self.passes && basis.is_whole(), basis, ..self }
    }
}

/// Confidence at which a trial whose folds are being measured is out of reach of its gate.
const SURE: f64 = 0.99;

/// Whether the images of the folds that were measured so far leave it open whether the gate is passed: not if the
/// upper end of the interval of a required figure, at a confidence of 99 %, is below its minimum.
pub(crate) fn is_within_reach(gate: &GateSpec, folds: &CrossValidation) -> bool {
    let (images, wrong) = (folds.images as usize, 1.0 - folds.accuracy());
    let accuracy = 1.0 - wilson_lower_bound(wrong, images, SURE);
    let of_classes = [
        (Measure::BalancedAccuracy, gate.balanced_accuracy),
        (Measure::LeastRecall, gate.least_recall),
    ];
    let is_out = |(measure, floor): (Measure, Option<f64>)| {
        floor.is_some_and(|floor| measure.upper_bound(&folds.recalls, SURE) < floor)
    };
    accuracy >= gate.accuracy && !of_classes.into_iter().any(is_out)
}

/// Most points by which chance may move a judged figure, half the width of its interval, without a warning.
const POINTS_MAX: f64 = 0.05;

/// Why a judgement on so few images says little, as a sentence: at the gate, the 95 % Wilson interval reaches more than
/// 5 points to each side. `None` if it does not, or if the gate is made for few images.
pub(crate) fn few_images(gate: &GateSpec, images: usize) -> Option<String> {
    if gate.folds.is_some() || gate.confidence.is_some() {
        return None;
    }
    let [low, high] = unsure_interval(gate, images)?.map(|bound| bound * 100.0);
    Some(format!(
        "{images} validation images say little: an accuracy of {:.1} % measured on them may stand for anything from {low:.1} % to {high:.1} % (95 % interval); `folds = 5` in [gate] judges by cross-validation over all images but the test images, and `confidence = 0.95` by the lower end of the interval",
        gate.highest_floor() * 100.0
    ))
}

/// The 95 % Wilson interval of a figure that just reaches the gate on so many images, if it is wider than 5 points to
/// each side.
pub(crate) fn unsure_interval(gate: &GateSpec, images: usize) -> Option<[f64; 2]> {
    let [low, high] = wilson_interval(gate.highest_floor(), images as u64);
    (images > 0 && (high - low) / 2.0 > POINTS_MAX).then_some([low, high])
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
        basis: Basis::Validation,
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
mod tests;
