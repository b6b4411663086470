//! Tests of `data::images`.

use super::*;

fn two_images() -> Images {
    Images::new([0, 0, 255, 255, 10, 20, 30, 40], [1, 0], 2, 2).unwrap()
}

#[test]
fn a_subset_reads_through_its_indices() {
    let subset = Subset::new(two_images(), vec![1]).unwrap();
    assert_eq!(subset.image(0), [10, 20, 30, 40]);
    assert_eq!((subset.label(0), subset.len()), (0, 1));
    assert_eq!(Subset::all(two_images()).class_counts(3), [1, 1, 0]);
}

#[test]
fn normalization_is_the_mean_and_spread_of_the_subset() {
    let half = Subset::new(two_images(), vec![0]).unwrap().normalization();
    assert_eq!((half.mean[0], half.std[0]), (0.5, 0.5));
    let (factor, term) = half.affine(0);
    assert!((255.0 * factor + term - 1.0).abs() < 1e-6);
    assert!((term + 1.0).abs() < 1e-6);
}

#[test]
fn arrays_that_disagree_are_refused_with_what_would_be_right() {
    let refusal = |pixels: usize, labels: usize, height, width| {
        let made = Images::new(vec![0; pixels], vec![0_u8; labels], height, width);
        made.unwrap_err().to_string()
    };
    assert_eq!(refusal(11, 3, 2, 2), "11 pixels for 3 labels: images of 2×2 pixels need 12");
    assert!(refusal(0, 3, 0, 2).contains("images of 0×2 pixels"));
    assert!(refusal(0, 0, usize::MAX, usize::MAX).contains("1 to 4096"));
    let error = Subset::new(two_images(), vec![0, 2]).unwrap_err().to_string();
    assert_eq!(error, "a subset names image 2, but there are only 2, counted from 0");
    assert!(Subset::all(two_images()).with_indices(vec![u32::MAX]).is_err());
}

#[test]
fn channels_are_normalized_each_for_itself() {
    let pixels = [0, 255, 51, 51, 102, 204, 255, 0, 51, 51, 204, 102];
    let images = Images::of_shape(pixels, [0, 1], [3, 1, 2]).unwrap();
    assert_eq!((images.image_len(), images.shape()), (6, [3, 1, 2]));
    let measured = Subset::all(images.clone()).normalization();
    assert_eq!(measured.mean, [0.5, 0.2, 0.6]);
    assert_eq!(measured.std, [0.5, 1.0, 0.2]);
    let mut out = [f32::NAN; 6];
    measured.apply(images.image(1), 3, &mut out);
    for (value, expected) in out.iter().zip([1.0, -1.0, 0.0, 0.0, 1.0, -1.0]) {
        assert!((value - expected).abs() < 1e-6, "{out:?}");
    }
    assert!(Images::of_shape([0; 8], [0], [2, 2, 2]).is_err());
}

#[test]
fn images_of_one_shade_do_not_divide_by_zero() {
    let gray = Images::new([7; 4], [0], 2, 2).unwrap();
    assert_eq!(Subset::all(gray).normalization().std, [1.0; 3]);
}
