//! Data and studies that the benches share.

use std::sync::Arc;

use burgeon::spec::{Amount, InputShape, Spec, StudyDocument};
use burgeon::unstable::data::{DataRequest, Dataset, Images, Subset, load};

const LENET: &str = include_str!("../../models/lenet.toml");

/// Built-in digits: so many to train on, and 1000 each to validate and test.
pub fn digits(count: usize) -> Dataset {
    let set_aside = Some(Amount::Count(1000));
    let request = DataRequest {
        validation: set_aside,
        test: set_aside,
        train: Some(count),
        ..DataRequest::synthetic(42)
    };
    load(&request, &mut |_| {})
        .map(|loaded| loaded.dataset)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// LeNet-5 for one epoch.
pub fn lenet(batch_size: usize) -> Spec {
    let sets = [format!("train.batch-size={batch_size}"), "train.epochs=1".into()];
    let sets = sets.iter().map(|set| set.parse().unwrap_or_else(|error| panic!("{error}")));
    StudyDocument::new("lenet.toml", LENET)
        .with_overrides(sets.collect())
        .validate(InputShape::MNIST)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A validation split that takes no time.
pub fn one_image(data: &Dataset) -> Subset {
    let image: Arc<[u8]> = data.validation.image(0).into();
    let label = vec![data.validation.label(0)];
    let images = Images::new(image, label, data.validation.height(), data.validation.width());
    images.map(Subset::all).unwrap_or_else(|error| panic!("{error}"))
}
