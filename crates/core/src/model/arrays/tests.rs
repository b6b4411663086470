//! Tests of `model::arrays`.

use std::collections::BTreeSet;

use super::*;
use crate::spec::{InputShape, StudyDocument};

fn spec(layers: &str) -> Spec {
    let text = format!("[model]\nlayers = [{layers}]\n");
    StudyDocument::new("arrays.toml", text).validate(InputShape::MNIST).unwrap()
}

#[test]
fn layers_outside_blocks_keep_the_names_and_numbers_that_old_runs_have() {
    let layers =
        "{ conv = { filters = 2, kernel = 3 } }, \"batch-norm\", { dense = { units = 3 } }";
    let spec = spec(layers);
    let found: Vec<_> =
        expected_arrays(&spec).into_iter().map(|array| (array.name, array.parameter)).collect();
    let expected = [
        ("layers.0.weight", Some(16)),
        ("layers.0.bias", Some(17)),
        ("layers.1.gamma", Some(32)),
        ("layers.1.beta", Some(33)),
        ("layers.1.running-mean", None),
        ("layers.1.running-variance", None),
        ("layers.2.weight", Some(48)),
        ("layers.2.bias", Some(49)),
        ("head.weight", Some(64)),
        ("head.bias", Some(65)),
    ];
    let expected = expected.map(|(name, parameter)| (name.to_owned(), parameter));
    assert_eq!(found, expected);
}

#[test]
fn parts_of_blocks_have_names_and_numbers_of_their_own() {
    let block = |inner: &str| {
        format!(
            "{{ residual = {{ layers = [{{ conv = {{ filters = 4, kernel = 3 }} }}, \"batch-norm\"{inner}] }} }}"
        )
    };
    let nested = block(&format!(", {}", block("")));
    let spec = spec(&format!("{nested}, {nested}"));
    let arrays = expected_arrays(&spec);
    let names: BTreeSet<&str> = arrays.iter().map(|array| array.name.as_str()).collect();
    assert_eq!(names.len(), arrays.len());
    for name in [
        "layers.0.residual.0.weight",
        "layers.0.residual.2.residual.1.gamma",
        "layers.0.projection.weight",
        "layers.0.projection.running-variance",
        "layers.1.residual.2.residual.0.bias",
    ] {
        assert!(names.contains(name), "{name} of {names:?}");
    }
    // The second block receives the four channels that it returns.
    assert!(!names.contains("layers.1.projection.weight"));
    let numbers: BTreeSet<u64> = arrays.iter().filter_map(|array| array.parameter).collect();
    let trained = arrays.iter().filter(|array| array.parameter.is_some()).count();
    assert_eq!(numbers.len(), trained);
    let total: usize = arrays
        .iter()
        .filter(|array| array.parameter.is_some())
        .map(|array| array.shape.iter().product::<usize>())
        .sum();
    assert_eq!(total, spec.table().parameters(), "the layer table counts the same");
}
