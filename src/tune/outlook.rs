//! Whether a running trial can still come to something.

use crate::spec::{Schedule, Spec};
use crate::train::{EpochRecord, SoFar};

/// Fewer steps than this say nothing yet.
const STEPS_LEAST: usize = 100;

/// Why a trial cannot reach its gate, where that is clear already: it still guesses after half an
/// epoch, or its curve leads nowhere near. Every estimate leans to the trial's favour.
pub fn hopeless(spec: &Spec, so_far: &SoFar) -> Option<String> {
    if so_far.steps < STEPS_LEAST {
        return None;
    }
    guessing(spec, so_far).or_else(|| leads_nowhere(spec, so_far.curve))
}

fn guessing(spec: &Spec, so_far: &SoFar) -> Option<String> {
    let classes = spec.input().classes as f64;
    let (loss, accuracy) = match (so_far.course, so_far.curve) {
        ([], [only]) => (only.train_loss, only.train_accuracy),
        ([_, _, _, .., last], []) => (*last, so_far.accuracy),
        _ => return None,
    };
    let guess = classes.ln();
    (accuracy < 1.6 / classes && loss > 0.97 * guess).then(|| {
        format!(
            "still guessing: {:.1} % of training images named right at a loss of {loss:.2} (guessing: {guess:.2})",
            accuracy * 100.0
        )
    })
}

fn leads_nowhere(spec: &Spec, curve: &[EpochRecord]) -> Option<String> {
    let [.., before, last] = curve else {
        return None;
    };
    let best = curve.iter().map(|epoch| epoch.validation_accuracy).fold(0.0, f64::max);
    let gain = (last.validation_accuracy - before.validation_accuracy).max(0.0);
    let left = spec.train().epochs.saturating_sub(last.epoch) as f64;
    // A falling rate lifts accuracy at the end, by a third of the errors or so.
    let settling = match spec.train().schedule {
        Schedule::Constant {} => 0.1,
        Schedule::Cosine { .. } | Schedule::OneCycle { .. } => 0.45,
    };
    let reach = best + 1.5 * gain * left + settling * (1.0 - best);
    let gate = spec.gate().accuracy;
    (reach < gate).then(|| {
        format!(
            "{:.1} % after {} epochs, the last of which gained {:.2} %: at best {:.1} % by the end, of {:.1} %",
            best * 100.0,
            last.epoch,
            gain * 100.0,
            reach * 100.0,
            gate * 100.0
        )
    })
}
