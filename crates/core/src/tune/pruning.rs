//! Prunes trials: ends them early once they can no longer pass their gate.

use crate::record::{EpochRecord, SoFar};
use crate::spec::{Policy, Schedule, Spec};

/// Nothing is decided before this many steps.
const STEPS_LEAST: usize = 100;
/// Curves are not extrapolated before this many steps, as early gains are not typical.
const STEPS_TO_EXTRAPOLATE: usize = 400;

/// Why a trial cannot pass its gate, as a clause; `None` while it may. A trial is given up if it still
/// guesses after half an epoch, or if even an optimistic extrapolation stays below the gate.
pub fn reason_to_prune(spec: &Spec, so_far: &SoFar) -> Option<String> {
    if so_far.steps < STEPS_LEAST {
        return None;
    }
    // Of the rungs of `asha`, the lower ones need not pass the gate: the best trials train on from there.
    let is_on_a_rung = spec.tune().policy == Policy::Asha;
    let extrapolated = || (!is_on_a_rung).then(|| extrapolates_below_gate(spec, so_far)).flatten();
    still_guesses(spec, so_far).or_else(extrapolated)
}

fn still_guesses(spec: &Spec, so_far: &SoFar) -> Option<String> {
    if is_rising(spec, so_far.curve.len()) || 10 * so_far.curve.len() + 5 < spec.train().epochs {
        return None;
    }
    let classes = spec.input().classes as f64;
    let (loss, accuracy) = match (so_far.course, so_far.curve) {
        ([], [only]) => (only.train_loss, only.train_accuracy),
        ([_, _, _, .., last], []) => (*last, so_far.accuracy),
        _ => return None,
    };
    let guess = classes.ln();
    // A tenth of the way from guessing to perfect; with many classes, even that would be a lot.
    let barely = (1.0 / classes + 0.1 * (1.0 - 1.0 / classes)).min(1.6 / classes);
    (accuracy < barely && loss > 0.97 * guess).then(|| {
        format!(
            "still guessing: {:.1} % of training images classified correctly at a loss of {loss:.2} (guessing: {guess:.2})",
            accuracy * 100.0
        )
    })
}

/// Why even an optimistic extrapolation to the last epoch misses the gate; `None` if it does not.
fn extrapolates_below_gate(spec: &Spec, so_far: &SoFar) -> Option<String> {
    let curve = so_far.curve;
    let last = curve.last()?;
    let planned = spec.train().epochs;
    let is_early = so_far.steps < STEPS_TO_EXTRAPOLATE || 3 * last.epoch < planned;
    if is_early || curve.len() < 2 || !so_far.course.is_empty() || is_rising(spec, last.epoch) {
        return None;
    }
    let best = best_of(curve);
    let (course, reach) = match spec.train().schedule {
        Schedule::Constant {} => constant_rate(curve, planned),
        Schedule::Cosine { .. } | Schedule::OneCycle { .. } => falling_rate(curve, planned),
    };
    let gate = spec.gate().accuracy;
    (reach < gate).then(|| {
        format!(
            "{:.1} % after {} of {planned} epochs; {course}, so it can reach at most {:.1} %, below the gate of {} %",
            best * 100.0,
            last.epoch,
            reach * 100.0,
            // A strict one is not rounded to 100 %.
            (gate * 1e6).round() / 1e4
        )
    })
}

fn best_of(epochs: &[EpochRecord]) -> f64 {
    epochs.iter().map(|epoch| epoch.validation_accuracy).fold(0.0, f64::max)
}

/// At a constant rate a straight line continues the curve; real curves stay below it.
fn constant_rate(curve: &[EpochRecord], planned: usize) -> (String, f64) {
    // Over several epochs, so that a single bad one does not decide.
    let window = (curve.len() / 3).max(1);
    let (before, recent) = curve.split_at(curve.len() - window);
    let gain = ((best_of(recent) - best_of(before)) / window as f64).max(0.0);
    let last = curve.last().map_or(0, |last| last.epoch);
    let left = planned.saturating_sub(last) as f64;
    let best = best_of(curve);
    let reach = best + 1.5 * gain * left + 0.15 * (1.0 - best);
    (format!("the latest epochs gained {:.2} points each", gain * 100.0), reach)
}

/// A falling rate removes many errors at the end, however flat the curve is until then.
fn falling_rate(curve: &[EpochRecord], planned: usize) -> (String, f64) {
    let last = curve.last().map_or(0, |last| last.epoch);
    let left = RemainingErrors::after(last, planned).map_or(0.0, |left| left.least);
    let error = 1.0 - best_of(curve);
    let course = format!(
        "at least {:.0} % of its errors will remain at the end of its schedule",
        left * 100.0
    );
    (course, 1.0 - left * error)
}

/// The errors that remain at the end of a falling learning rate, as a share of those of the best epoch so far: the
/// median and the first percentile over many trainings.
#[derive(Debug, Clone, Copy)]
pub(super) struct RemainingErrors {
    pub(super) median: f64,
    pub(super) least: f64,
}

impl RemainingErrors {
    /// After `epochs` of the planned epochs; `None` while it is too early to tell.
    pub(super) fn after(epochs: usize, planned: usize) -> Option<Self> {
        let tenth = (10 * epochs / planned.max(1)).min(9);
        let (median, least) = *REMAINING_AT_END.get(tenth.checked_sub(3)?)?;
        Some(Self { median, least })
    }

    /// Standard deviation of the logarithm: the first percentile lies 2.33 of them below the median.
    pub(super) fn deviation(self) -> f64 {
        (self.median / self.least).ln() / 2.33
    }
}

/// Median and least share by tenth of the cycle, from the fourth on, from `docs/growth-prior.md`; each least share is at
/// most that of the next tenth.
const REMAINING_AT_END: [(f64, f64); 7] =
    [(0.70, 0.07), (0.72, 0.07), (0.80, 0.07), (0.87, 0.5), (0.92, 0.5), (0.99, 0.5), (1.0, 0.67)];

/// Whether the learning rate is still rising, so that accuracy may yet rise.
fn is_rising(spec: &Spec, epoch: usize) -> bool {
    let progress = epoch as f64 / spec.train().epochs.max(1) as f64;
    let peak_at = match spec.train().schedule {
        Schedule::OneCycle { peak_at, .. } => peak_at,
        Schedule::Constant {} | Schedule::Cosine { .. } => 0.0,
    };
    let peak = spec.train().warm_up.max(peak_at);
    peak > 0.0 && progress < peak + 0.1
}

#[cfg(test)]
mod tests;
