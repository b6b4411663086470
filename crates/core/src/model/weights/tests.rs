//! Tests of `model::weights`.

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};

use super::*;
use crate::model::Network;
use crate::spec::{InputShape, StudyDocument};

#[test]
fn burns_own_reader_loads_the_burnpack_file_into_a_network() {
    let compact = include_str!("../../../../../models/compact.toml");
    let residual = "[model]\nlayers = [{ conv = { filters = 2, kernel = 3 } }, { residual = { layers = [\"max-pool\", { conv = { filters = 4, kernel = 3, groups = 2 } }, \"batch-norm\"] } }]";
    for text in [compact, residual] {
        let spec = StudyDocument::new("a.toml", text).validate(InputShape::MNIST).unwrap();
        let weights = Weights::initial(&spec, 1);
        let packed = weights.to_burnpack(&spec).unwrap();
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(packed)).unwrap();
        let other = Network::new(&spec, &Weights::initial(&spec, 2), &Device::flex()).unwrap();
        assert_ne!(other.weights(&spec).unwrap(), weights);
        assert_eq!(other.load_record(record).weights(&spec).unwrap(), weights);
    }
}

fn small() -> (Spec, Weights) {
    let text = "[model]\nlayers = [{ dense = { units = 3 } }]\n";
    let spec = StudyDocument::new("small.toml", text).validate(InputShape::MNIST).unwrap();
    let weights = Weights::initial(&spec, 1);
    (spec, weights)
}

#[test]
fn an_array_that_the_network_lacks_is_refused() {
    let (spec, mut weights) = small();
    weights.insert("layers.9.weight", WeightArray::filled(vec![2], 0.0));
    let error = weights.check(&spec).unwrap_err();
    assert!(matches!(&error, WeightsError::Unexpected { name } if name == "layers.9.weight"));
    assert!(Network::new(&spec, &weights, &Device::flex()).is_err());
}

#[test]
fn an_array_with_other_values_than_its_shape_says_is_an_error_and_no_panic() {
    let (spec, mut weights) = small();
    weights.insert("head.bias", WeightArray { shape: vec![10], values: vec![0.0; 9] });
    let error = Network::new(&spec, &weights, &Device::flex()).unwrap_err();
    let message = "`head.bias` of shape [10] has 9 numbers instead of 10";
    assert_eq!(error.to_string(), message);
    let error = weights.to_safetensors(None).unwrap_err();
    assert!(error.to_string().contains("cannot be written"), "{error}");
}
