//! Tests of `registry::self_test`.

use super::*;

#[test]
fn answers_have_to_be_those_that_were_stored() {
    let test = SelfTest::new([(&[1_u8, 2][..], vec![0.25, 0.75])].into_iter());
    assert_eq!(test.images(2).unwrap(), [1, 2]);
    assert!(test.images(3).is_err());
    assert!(test.check(&[0.2501, 0.7499]).is_ok());
    for wrong in [&[0.26, 0.74][..], &[0.25], &[f32::NAN, 0.75], &[]] {
        assert!(test.check(wrong).is_err());
    }
    assert!(SelfTest { v: 1, cases: Vec::new() }.check(&[]).is_err(), "nothing was tested");
}
