//! Tests of `model::inherit`.

use super::*;
use crate::spec::{Conv, Dense, Pool};

fn names(names: &str) -> Vec<String> {
    names.split(' ').map(str::to_owned).collect()
}

fn spec(layers: Vec<Layer>, classes: usize) -> Spec {
    let input = InputShape { channels: 1, height: 12, width: 12, classes };
    Spec::new(StudyFile::new("a", layers), input).unwrap()
}

fn layers(units: usize) -> Vec<Layer> {
    vec![Layer::Conv(Conv::same(3, 3)), Layer::MaxPool(Pool::of(2)), Layer::Dense(Dense::of(units))]
}

#[test]
fn classes_are_matched_by_name_whatever_their_order() {
    let classes = ClassMatch::of(&names("cat dog owl"), &names("owl ant cat"));
    assert_eq!(classes.indices, [Some(2), None, Some(0)]);
    assert_eq!((classes.kept(), classes.fresh(), classes.dropped), (vec![0, 2], vec![1], vec![1]));
    let twice = ClassMatch::of(&names("a a b"), &names("a a a"));
    assert_eq!(twice.indices, [Some(0), Some(1), None]);
    assert_eq!(twice.dropped, [2]);
    let numbers = ClassMatch::of(&names("0 1 2"), &names("0 1 2 3"));
    assert_eq!(numbers.indices, [Some(0), Some(1), Some(2), None]);
}

#[test]
fn rows_of_known_classes_are_kept_bit_for_bit_and_new_ones_are_fresh() {
    let (model, study) = (spec(layers(5), 3), spec(layers(5), 4));
    let learned = Weights::initial(&model, 9);
    let classes = ClassMatch::of(&names("a b c"), &names("c x a y"));
    let (weights, edits) = inherited_weights(&model, &learned, &study, &classes, 1).unwrap();
    assert!(edits.is_empty());
    let fresh = Weights::initial(&study, 1);
    let column = |weights: &Weights, at: usize| -> Vec<f32> {
        let array = weights.get("head.weight").unwrap();
        array.values.iter().skip(at).step_by(array.shape[1]).copied().collect()
    };
    assert_eq!(column(&weights, 0), column(&learned, 2));
    assert_eq!(column(&weights, 2), column(&learned, 0));
    for new in [1, 3] {
        assert_eq!(column(&weights, new), column(&fresh, new));
    }
    for name in ["layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"] {
        assert_eq!(weights.get(name).unwrap(), learned.get(name).unwrap());
    }
}

#[test]
fn wider_layers_take_the_weights_over_and_others_are_refused() {
    let (model, study) = (spec(layers(5), 3), spec(layers(8), 3));
    let learned = Weights::initial(&model, 9);
    let same = ClassMatch::of(&names("a b c"), &names("a b c"));
    let (weights, edits) = inherited_weights(&model, &learned, &study, &same, 1).unwrap();
    assert_eq!(edits, [Edit::Widen { layer: 2, width: 8 }]);
    weights.check(&study).unwrap();
    let other = spec(vec![Layer::GlobalAvgPool {}, Layer::Dense(Dense::of(5))], 3);
    let error = inherited_weights(&model, &learned, &other, &same, 1).unwrap_err();
    assert!(matches!(error, InheritError::OtherLayers(_)), "{error}");
    let damaged = Weights::default();
    let error = inherited_weights(&model, &damaged, &study, &same, 1).unwrap_err();
    assert!(matches!(error, InheritError::Weights(_)), "{error}");
}
