//! Tests of `model::classifier`.

use super::*;

#[test]
fn a_device_that_returns_less_is_an_error_and_no_shorter_answer() {
    let rows: Vec<_> = rows_of(&[0.1; 20], 2, 10).unwrap().collect();
    assert_eq!(rows, [vec![0.1; 10], vec![0.1; 10]]);
    for found in [0, 7, 19, 30] {
        let Err(error) = rows_of(&vec![0.1; found], 2, 10) else {
            panic!("{found} values are no two rows");
        };
        assert!(matches!(error, InputError::Device(_)), "{error}");
    }
}
