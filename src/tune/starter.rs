//! The study that a data set starts from when nobody wrote one.
//!
//! The network is of a plain family, sized by the images: 3×3 convolutions of 24, 48, 64, … filters with batch-norm,
//! each but the last followed by a 2×2 max-pool until at most 8 pixels a side are left, then dropout and a dense layer
//! of 96, trained along one cycle. It is where a study begins, not where it ends: growth takes it from there.

use crate::spec::{
    Augment, BatchNorm, Border, Conv, DataSpec, Dense, Dropout, GateSpec, InputShape, Layer,
    Optimizer, Pool, Schedule, StudyFile,
};

/// Filters of the convolutions, in order.
const FILTERS: [usize; 6] = [24, 48, 64, 96, 128, 128];

/// Pixels a side that are left for the dense layer, at most.
const LAST_SIDE: usize = 8;

/// Images that are seen in all epochs together, unless there are so many that four epochs see more.
const IMAGES_SEEN: usize = 64_000;

/// Photos show more that has to be learned than drawings.
const COLOUR_FACTOR: usize = 3;

/// How many times as many images as the smallest class the largest may have before the gate counts every class the
/// same.
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
    let is_colour = input.channels > 1;
    let mut study = StudyFile::new(name, layers(input));
    study.data = data;
    let seen = if is_colour { IMAGES_SEEN * COLOUR_FACTOR } else { IMAGES_SEEN };
    study.train.epochs = seen.div_ceil(images.max(1)).clamp(4, 60);
    study.train.batch_size = if images < 2000 { 32 } else { 64 };
    study.train.optimizer = Optimizer::Adam(Default::default());
    study.train.learning_rate = 0.003;
    study.train.schedule = Schedule::one_cycle();
    let side = input.height.min(input.width) as u32;
    study.train.augment = Augment { shift: (side / 14).max(1), ..Augment::default() };
    if is_colour {
        // What a photo shows is the same in a mirror; letters and digits, which are not, are rarely in colour.
        study.train.augment.flip = true;
        study.train.augment.border = Border::Reflect;
    }
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

fn layers(input: InputShape) -> Vec<Layer> {
    let mut side = input.height.min(input.width);
    let mut layers = Vec::new();
    let kernel = if side < 3 { 1 } else { 3 };
    let mut filters = FILTERS.into_iter().peekable();
    while let Some(width) = filters.next() {
        layers.push(Layer::Conv(Conv {
            activation: crate::spec::Activation::None,
            ..Conv::same(width, kernel)
        }));
        let activation = crate::spec::Activation::Relu;
        layers.push(Layer::BatchNorm(BatchNorm { activation, ..BatchNorm::default() }));
        if side <= LAST_SIDE {
            break;
        }
        layers.push(Layer::MaxPool(Pool::of(2)));
        side /= 2;
        if filters.peek().is_none() {
            break;
        }
    }
    layers.push(Layer::Dropout(Dropout { rate: 0.3 }));
    layers.push(Layer::Dense(Dense::of(96)));
    layers
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
            assert!((1..=6).contains(&convs), "{height}×{width}: {convs}");
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
        assert_eq!(study(input, &[27_500, 27_500]).train.epochs, 4);
        assert_eq!(study(input, &[4000, 4000]).train.epochs, 8);
        let few = study(input, &[100, 100]).train;
        assert_eq!((few.epochs, few.batch_size), (60, 32));
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
