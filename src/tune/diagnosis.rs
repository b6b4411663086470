//! What the curves of a trial say about why it fails.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::history::{TrialEnding, TrialRecord};
use crate::spec::Optimizer;

/// What is wrong with a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diagnosis {
    /// Nothing: the gate is open.
    Healthy,
    /// Numbers overflowed.
    Diverged,
    /// Steps are so long that nothing is learned, or what was learned is lost again.
    LearningRateTooHigh,
    /// Learning goes on steadily, but far too slowly.
    LearningRateTooLow,
    /// Nothing is learned although the learning rate is usual.
    Stalled,
    /// Accuracy was still rising when the epochs ran out.
    StillImproving,
    /// The network is too small for what it is shown: it fails on training images too.
    Underfit,
    /// The network does well on training images only.
    Overfit,
}

/// A diagnosis with the figures behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub diagnosis: Diagnosis,
    /// The figures that say so, in words.
    pub evidence: String,
}

/// A learning rate that works for most small networks, by optimizer.
pub(super) fn usual_rate(optimizer: &Optimizer) -> f64 {
    match optimizer {
        Optimizer::Sgd(sgd) => 0.1 * (1.0 - sgd.momentum).max(0.01),
        Optimizer::Adam(_) | Optimizer::AdamW(_) => 0.001,
    }
}

/// A network with fewer parameters that learns nothing is too small rather than stalled: a plain
/// softmax classifier of MNIST has 7,850.
const TINY: usize = 1000;

/// Reads a trial's curve. `gate_open` is the gate's word on it.
pub fn diagnose(trial: &TrialRecord, gate_open: bool) -> Finding {
    let rate = trial.spec.train().learning_rate;
    let times_usual = rate / usual_rate(&trial.spec.train().optimizer);
    let finding = |diagnosis, evidence: String| Finding { diagnosis, evidence };
    let (Some(best), Some(last)) = (trial.best(), trial.curve.last()) else {
        return finding(
            Diagnosis::Diverged,
            format!(
                "the loss was no longer a number before the first epoch ended, at a learning rate of {rate}"
            ),
        );
    };
    if gate_open {
        return finding(
            Diagnosis::Healthy,
            format!("validation accuracy is {}", Percent(best.validation_accuracy)),
        );
    }
    if trial.ending == TrialEnding::Diverged {
        return finding(
            Diagnosis::Diverged,
            format!(
                "the loss was no longer a number in epoch {}, at a learning rate of {rate}",
                last.epoch
            ),
        );
    }
    let classes = trial.spec.input().classes as f64;
    let at_chance = best.train_accuracy < 2.0 / classes && best.validation_accuracy < 2.0 / classes;
    let lost_ground = best.validation_accuracy - last.validation_accuracy;
    if times_usual >= 5.0 && (at_chance || lost_ground > 0.05 || last.train_loss > classes.ln()) {
        return finding(
            Diagnosis::LearningRateTooHigh,
            format!(
                "the learning rate of {rate} is {times_usual:.0} times the usual one, and training images are named right {} of the time at a loss of {:.2} (guessing: {:.2})",
                Percent(last.train_accuracy),
                last.train_loss,
                classes.ln()
            ),
        );
    }
    let falling = is_falling(trial);
    if times_usual <= 0.2 && (at_chance || falling) {
        return finding(
            Diagnosis::LearningRateTooLow,
            format!(
                "the loss still falls, now {:.2}, but the learning rate of {rate} is {:.0} times below the usual one",
                last.validation_loss,
                1.0 / times_usual
            ),
        );
    }
    let parameters = trial.spec.table().parameters();
    if at_chance && parameters >= TINY {
        return finding(
            Diagnosis::Stalled,
            format!(
                "training images are named right {} of the time, which is guessing, at a usual learning rate",
                Percent(best.train_accuracy)
            ),
        );
    }
    let gap = last.train_accuracy - last.validation_accuracy;
    if gap > 0.03 {
        return finding(
            Diagnosis::Overfit,
            format!(
                "{} on training images, but {} on validation images",
                Percent(last.train_accuracy),
                Percent(last.validation_accuracy)
            ),
        );
    }
    let gate = trial.spec.gate().accuracy;
    if falling && gain_per_epoch(trial) > (gate - best.validation_accuracy) / 4.0 {
        return finding(
            Diagnosis::StillImproving,
            format!(
                "accuracy reached {} and the last epoch still gained {}",
                Percent(best.validation_accuracy),
                Percent(gain_per_epoch(trial))
            ),
        );
    }
    finding(
        Diagnosis::Underfit,
        format!(
            "only {} on training images and {} on validation images with {} parameters",
            Percent(last.train_accuracy),
            Percent(last.validation_accuracy),
            parameters
        ),
    )
}

/// Whether the validation loss was still falling when the trial ended. Within a single epoch, the
/// mean loss over its batches stands for the loss before it.
fn is_falling(trial: &TrialRecord) -> bool {
    match trial.curve.as_slice() {
        [] => false,
        [only] => only.validation_loss < 0.98 * only.train_loss,
        [.., before, last] => last.validation_loss < 0.98 * before.validation_loss,
    }
}

/// What another epoch can be expected to gain at most: what the last one did.
fn gain_per_epoch(trial: &TrialRecord) -> f64 {
    match trial.curve.as_slice() {
        [] => 0.0,
        [only] => (only.validation_accuracy - only.train_accuracy).max(0.0),
        [.., before, last] => (last.validation_accuracy - before.validation_accuracy).max(0.0),
    }
}

/// A fraction in people's words.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.1} %", self.0 * 100.0)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Diverged => "diverged",
            Self::LearningRateTooHigh => "learning rate too high",
            Self::LearningRateTooLow => "learning rate too low",
            Self::Stalled => "stalled",
            Self::StillImproving => "still improving",
            Self::Underfit => "underfit",
            Self::Overfit => "overfit",
        })
    }
}
