//! The starting study for a data set without a study file.
//!
//! It is a cheap member of the [plain family](super::family), sized by the images. It only starts the study: its result
//! says how hard the data is, and growth continues from there.

use super::family::Member;
use super::variety::Variety;
use crate::spec::{DataSpec, GateSpec, InputShape, StudyFile};

/// Compute of the member, as a multiple of that of the smallest sensible one.
const COMPUTE: f64 = 4.0;

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
    let member = Member::of(images, COMPUTE);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    fn study(input: InputShape, counts: &[usize]) -> StudyFile {
        let study = starting_study("photos", DataSpec::default(), input, counts);
        // Every shape has a network that fits.
        Spec::new(study.clone(), input).unwrap();
        study
    }

    #[test]
    fn every_size_has_a_network_that_fits_it() {
        for (channels, height, width) in [
            (1, 28, 28),
            (3, 32, 32),
            (3, 64, 64),
            (1, 1, 1),
            (3, 8, 200),
            (3, 300, 300),
            (1, 9, 5),
        ] {
            let input = InputShape { channels, height, width, classes: 3 };
            let study = study(input, &[500, 400, 300]);
            let convs = study.model.layers.iter().filter(|layer| layer.kind() == "conv").count();
            assert!((2..=6).contains(&convs), "{height}×{width}: {convs}");
        }
        let pools = |side| {
            let input = InputShape { channels: 3, height: side, width: side, classes: 2 };
            let study = study(input, &[500, 500]);
            study.model.layers.iter().filter(|layer| layer.kind() == "max-pool").count()
        };
        assert_eq!([16, 28, 32, 64].map(pools), [1, 2, 2, 3]);
    }

    #[test]
    fn few_images_are_seen_more_often() {
        let input = InputShape { channels: 1, height: 28, width: 28, classes: 2 };
        let epochs = |each| study(input, &[each, each]).train.epochs;
        assert!(epochs(27_500) < epochs(4000) && epochs(4000) < epochs(400), "{}", epochs(4000));
        let few = study(input, &[100, 100]).train;
        assert_eq!(few.batch_size, 16);
        // As many steps as it takes to learn anything.
        assert!(few.epochs * 200 / 16 > 500, "{}", few.epochs);
    }

    #[test]
    fn unbalanced_classes_are_held_to_balanced_accuracy() {
        let input = InputShape { channels: 3, height: 64, width: 64, classes: 2 };
        let gate = study(input, &[137, 594]).gate;
        assert_eq!((gate.accuracy, gate.balanced_accuracy), (0.0, Some(0.8)));
        let gate = study(input, &[400, 594]).gate;
        assert_eq!((gate.accuracy, gate.balanced_accuracy), (0.8, None));
    }
}
