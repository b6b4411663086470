//! Tests of `model::read`.

use burn::tensor::Device;

use super::*;

#[test]
fn values_come_back_in_order_and_nan_as_itself() {
    let tensor = Tensor::<2>::from_data([[1.0, f32::NAN], [3.0, 4.0]], &Device::flex());
    let values = read_values(tensor).unwrap();
    assert!(values[1].is_nan());
    assert_eq!([values[0], values[2], values[3]], [1.0, 3.0, 4.0]);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let two = Tensor::<1>::from_data([1.0, 2.0], &Device::flex());
    let error = read_scalar(two).unwrap_err();
    assert!(error.to_string().starts_with("the device did not return a result"), "{error}");
}
