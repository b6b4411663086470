//! Tests of `spec::edit::between`.

use super::*;
use crate::spec::{Conv, Dense, Dropout, InputShape, StudyFile};

fn edited(before: Vec<Layer>, after: &[Layer]) -> Vec<Layer> {
    let spec = Spec::new(StudyFile::new("a", before), InputShape::MNIST).unwrap();
    let edits = edits_between(&spec, after);
    Edit::apply_all(&edits, &spec).unwrap().layers().to_vec()
}

#[test]
fn wider_and_deeper_layers_are_reached() {
    let conv = |filters| Layer::Conv(Conv::same(filters, 3));
    let dense = |units| Layer::Dense(Dense::of(units));
    let pool = Layer::MaxPool(Pool::of(2));
    let dropout = Layer::Dropout(Dropout { rate: 0.5 });
    let before = vec![conv(4), pool.clone(), dense(8)];
    for after in [
        before.clone(),
        vec![conv(6), pool.clone(), dense(8)],
        vec![conv(4), pool.clone(), dense(4)],
        vec![conv(4), pool.clone(), dense(8), dense(8)],
        vec![conv(4), pool.clone(), dropout.clone(), dense(8)],
        vec![conv(4), pool.clone(), conv(5), pool.clone(), dense(8)],
    ] {
        assert_eq!(edited(before.clone(), &after), after);
        assert_eq!(edited(after.clone(), &after), after);
    }
    let with = vec![conv(4), pool.clone(), dropout, dense(8)];
    assert_eq!(edited(with, &before), before);
}

#[test]
fn what_cannot_be_reached_ends_without_an_endless_search() {
    let before = vec![Layer::Dense(Dense::of(8))];
    assert_eq!(edited(before.clone(), &[]), before);
    let after = [Layer::GlobalAvgPool {}, Layer::Dense(Dense::of(8))];
    edited(before, &after);
}
