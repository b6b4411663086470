//! For how many epochs a trial should train, and with which schedule.

use crate::spec::{Schedule, Spec};
use crate::tune::family;
use crate::tune::forecaster::first_member;
use crate::tune::history::TrialRecord;
use crate::tune::prior::ALPHA;
use crate::tune::recommended::recommended_rate;

/// Steps that a gate takes: those of the member of the family with which a study of such data begins.
fn steps_needed(spec: &Spec, images: usize) -> f64 {
    let member = first_member(spec, images);
    (member.epochs * images.div_ceil(family::batch(images))) as f64
}

/// Epochs that a trial should have, from the start.
pub(super) fn epochs_needed(spec: &Spec, images: usize) -> usize {
    let steps = images.div_ceil(spec.train().batch_size).max(1);
    (steps_needed(spec, images) / steps as f64).ceil() as usize
}

/// Epochs that a trial should train on, as `spec`, after what it has trained already.
pub(super) fn more_epochs(parent: &TrialRecord, spec: &Spec) -> usize {
    let images = parent.images_per_epoch();
    let done = parent.curve.last().map_or(0, |last| last.epoch);
    let steps_done = parent.images_seen() as f64 / parent.spec.train().batch_size.max(1) as f64;
    let steps_needed = steps_needed(spec, images);
    let allowed = (1.0 - spec.gate().highest_floor()).max(1e-3);
    let missing = ((1.0 - parent.score()) / allowed).max(1.0);
    let steps = if steps_done < 0.3 * steps_needed {
        // So short a training says nothing about a longer one.
        steps_needed - steps_done
    } else {
        // Errors fall with a power of the steps.
        let extrapolated = steps_done * (missing.powf(1.0 / ALPHA[0]) - 1.0);
        extrapolated.min(4.0 * steps_done).max(steps_needed - steps_done)
    };
    let steps_an_epoch = images.div_ceil(spec.train().batch_size).max(1) as f64;
    let planned = spec.train().epochs.saturating_sub(done);
    ((steps / steps_an_epoch).ceil().max(1.0) as usize).saturating_sub(planned).max(1)
}

/// A schedule that ends low and its highest rate, where the study has none: what is held constant
/// is left in a jitter that costs the last percents.
pub(super) fn annealing(spec: &Spec) -> Option<(Schedule, f64)> {
    let train = spec.train();
    let is_constant = train.schedule == (Schedule::Constant {});
    let matters = spec.gate().highest_floor() > 0.96;
    let usual = recommended_rate(&train.optimizer);
    // A rate that only peaks can be higher than one that stays.
    let peak = match train.optimizer.is_adaptive() {
        false => train.learning_rate,
        true => train.learning_rate.max(3.0 * usual),
    };
    (is_constant && matters).then(|| (Schedule::one_cycle(), peak))
}
