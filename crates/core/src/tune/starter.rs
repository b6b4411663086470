//! The starting study for a data set without a study file.
//!
//! It is a cheap member of the [plain family](super::family), sized by the images. It only starts the study: its result
//! says how hard the data is, and growth continues from there.

use super::family::{FIRST_COMPUTE, Member};
use super::variety::Variety;
use crate::gate::unsure_interval;
use crate::record::SplitCounts;
use crate::spec::{DataSpec, GateSpec, InputShape, StudyFile};

/// Ratio of the largest to the smallest class above which the gate requires balanced accuracy.
const BALANCED_MAX: usize = 2;

/// The study to start from.
///
/// `counts` are the images of each class.
pub fn starting_study(
    name: &str,
    data: DataSpec,
    input: InputShape,
    counts: &[usize],
) -> StudyFile {
    let images: usize = counts.iter().sum();
    let member = Member::of(images, FIRST_COMPUTE);
    let variety = Variety::first(input, member.epochs);
    let mut study = member.study(name, input, images, variety);
    study.data = data;
    let present = counts.iter().filter(|&&count| count > 0);
    let (least, most) = (present.clone().min(), present.max());
    if let (Some(&least), Some(&most)) = (least, most)
        && most > BALANCED_MAX * least
    {
        let floor = study.gate.accuracy;
        study.gate = GateSpec { accuracy: 0.0, balanced_accuracy: Some(floor), ..study.gate };
    }
    study
}

/// Folds of a study of few images.
const FOLDS: usize = 5;

/// How many folds to judge by, of data from which a fifth is set aside for validation: five if so few images would leave
/// more than 5 points to chance on each side of the gate. At a gate of 80 % that is so with fewer than 245 validation
/// images, about 1,200 images besides those for testing. `None` if there are more, or if a class has fewer images than
/// folds.
pub fn folds_for(gate: &GateSpec, counts: &SplitCounts) -> Option<usize> {
    let images: usize = counts.validation.iter().sum();
    let of_class = counts.train.iter().zip(&counts.validation).map(|(train, held)| train + held);
    let is_enough = of_class.filter(|&images| images > 0).all(|images| images >= FOLDS);
    (is_enough && unsure_interval(gate, images).is_some()).then_some(FOLDS)
}

#[cfg(test)]
mod tests;
