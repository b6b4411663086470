//! What an exported ONNX file says of the images that it takes.

use burgeon::data::Normalization;
use burgeon::spec::{InputShape, StudyDocument};
use burgeon::unstable::model::{Preparation, Subject, Weights, to_onnx};

fn preparation(input: InputShape) -> Preparation {
    let classes = (0..input.classes).map(|class| class.to_string()).collect();
    Preparation::grey(input, Normalization::of_all(0.13, 0.31), classes, Subject::Whole)
}

#[test]
fn the_metadata_carries_the_preparation_and_other_images_are_refused() {
    let input = InputShape { channels: 1, height: 6, width: 5, classes: 2 };
    let spec = StudyDocument::new("study.toml", "[model]\nlayers = []\n").validate(input).unwrap();
    let preparation = preparation(spec.input());
    let weights = Weights::initial(&spec, 1);
    let bytes = to_onnx(&spec, &weights, &preparation).unwrap();
    let json = serde_json::to_string(&preparation).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("burgeon.preparation") && holds(&json));
    let other = Preparation { width: 6, ..preparation };
    let error = to_onnx(&spec, &weights, &other).unwrap_err().to_string();
    assert!(error.contains("1×6×6 images of 2 classes"), "{error}");
}
