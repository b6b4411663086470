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
mod tests {
    use super::*;
    use crate::record::{Ending, EpochRecord, Probe};
    use crate::spec::{InputShape, Layer, Pool, Spec, StudyFile};

    /// A trial with so many errors in each quarter of 5,000 validation images.
    fn trial(wrong: [u64; 4]) -> TrialRecord {
        let file = StudyFile::new("noise", vec![Layer::MaxPool(Pool::of(2))]);
        let by_confidence = wrong.map(|wrong| ConfidenceGroup { wrong, images: 1250 }).to_vec();
        let probe = Probe {
            images: 1,
            training_images: 1000,
            accuracy: 0.9,
            pixel_deviation: 1.0,
            layers: Vec::new(),
            missing_classes: Vec::new(),
            unnamed_classes: Vec::new(),
            mirror_cost: None,
            by_confidence,
        };
        let epoch = EpochRecord {
            epoch: 1,
            train_loss: 0.5,
            train_accuracy: 0.9,
            validation_loss: 0.5,
            validation_accuracy: 1.0 - wrong.iter().sum::<u64>() as f64 / 5000.0,
            learning_rate: 0.001,
            seconds: 1.0,
            images: 1000,
            course: Vec::new(),
            probe: Some(probe),
            recalls: Vec::new(),
            given_up: None,
        };
        TrialRecord {
            trial: 1,
            parent: None,
            edits: Vec::new(),
            spec: Spec::new(file, InputShape::MNIST).unwrap(),
            curve: vec![epoch],
            ending: Ending::Completed,
            train_seconds: 1.0,
            rates: None,
        }
    }

    #[test]
    fn errors_that_fall_on_sure_and_less_sure_images_alike_are_wrong_labels() {
        let floor = floor([&trial([225, 230, 240, 300])], 0.05).unwrap();
        assert!((floor.estimate - 0.18).abs() < 1e-9);
        // Wilson's interval of 225 of 1250 at 98 %, by Python: 0.15612 to 0.20664.
        assert!((floor.least - 0.156_12).abs() < 1e-5, "{floor:?}");
    }

    #[test]
    fn errors_that_come_with_doubt_are_those_of_hard_images() {
        assert_eq!(floor([&trial([60, 250, 500, 800])], 0.05), None);
        // Too few to matter.
        assert_eq!(floor([&trial([1, 1, 10, 40])], 0.05), None);
    }

    #[test]
    fn a_network_that_has_learned_little_says_nothing_of_labels() {
        assert_eq!(floor([&trial([600, 800, 900, 1000])], 0.05), None);
    }

    #[test]
    fn what_a_better_network_gets_right_was_no_wrong_label() {
        let (early, late) = (trial([225, 230, 240, 300]), trial([2, 30, 80, 200]));
        assert_eq!(floor([&early, &late], 0.05), None);
    }
}
