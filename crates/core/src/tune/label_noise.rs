//! How many labels no network can give, because they do not follow from the images.
//!
//! Hard images make a network unsure, wrong labels do not: they fall on images that it is sure of as often as on
//! others. So the share of errors among the images of which it is surest bounds what wrong labels can account for, and
//! where that share is as high among the next surest, it is what they do account for. Confident disagreement as
//! evidence of wrong labels follows Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in
//! dataset labels". `docs/label-noise.md` has what was measured on data of which the wrong labels are known.

use super::history::TrialRecord;
use crate::record::ConfidenceGroup;
use crate::record::measures::wilson_lower_bound;

/// The share of validation images whose label no network is expected to give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Floor {
    /// The share of errors among the images of which networks were surest.
    pub(super) estimate: f64,
    /// What luck leaves of it at least, in 99 of 100 cases.
    pub(super) least: f64,
}

/// The next surest images may show so many times the errors of the surest, and still speak of wrong labels.
const FLAT: f64 = 1.5;
/// A network that makes more than this share of the errors of guessing may be unsure of nothing that it should doubt.
const HALF_WAY: f64 = 0.5;
/// A floor below this share of what the gate allows does not matter.
const MATTERS: f64 = 0.1;

/// The floor that trials show which have learned something; `None` where errors are those of hard images.
pub(super) fn floor<'t>(
    trials: impl IntoIterator<Item = &'t TrialRecord>,
    allowed: f64,
) -> Option<Floor> {
    let mut lowest: Option<ConfidenceGroup> = None;
    let mut is_flat = false;
    for trial in trials {
        if 1.0 - trial.accuracy() > HALF_WAY * (1.0 - trial.guess()) {
            continue;
        }
        let groups = trial.probe().map(|probe| probe.by_confidence.as_slice());
        let Some([surest, next, ..]) = groups else { continue };
        is_flat |= share(*surest) > 0.0 && share(*next) <= FLAT * share(*surest);
        // What one network shows not to be noise, is none.
        if lowest.is_none_or(|lowest| share(*surest) < share(lowest)) {
            lowest = Some(*surest);
        }
    }
    let surest = lowest.filter(|_| is_flat)?;
    // Both ends lie without 2 of 100 cases, and this one without 1.
    let least = wilson_lower_bound(share(surest), surest.images as usize, 0.98);
    let floor = Floor { estimate: share(surest), least };
    (floor.least > MATTERS * allowed).then_some(floor)
}

/// The share of wrong labels that one trial shows where its gate allows this share of errors.
#[cfg(feature = "train")]
pub fn label_floor(trial: &TrialRecord, allowed: f64) -> Option<f64> {
    floor([trial], allowed).map(|floor| floor.estimate)
}

fn share(group: ConfidenceGroup) -> f64 {
    group.wrong as f64 / group.images.max(1) as f64
}

#[cfg(test)]
mod tests;
