//! Tests of `data::framed::survey`.

use super::*;

fn size(sizes: &[(usize, usize)]) -> (usize, usize) {
    let Size { height, width } = common_size(sizes);
    (height, width)
}

#[test]
fn small_images_of_one_size_keep_it_and_others_get_a_square() {
    assert_eq!(size(&[(28, 28), (28, 28)]), (28, 28));
    assert_eq!(size(&[(40, 96), (40, 96)]), (40, 96));
    assert_eq!(size(&[(150, 150), (150, 150)]), (64, 64));
    assert_eq!(size(&[(400, 300), (500, 400), (600, 500)]), (64, 64));
    assert_eq!(size(&[(16, 20), (24, 30), (30, 48)]), (24, 24));
    assert_eq!(size(&[(2, 2), (2, 3), (3, 3)]), (8, 8));
}

#[test]
fn the_study_has_the_last_word() {
    let survey = Survey { size: common_size(&[(500, 400)]), is_colour: true };
    assert_eq!(Survey::of_note(&survey.to_note()), Some(survey.clone()));
    let frame = survey.frame(&Framing::default());
    assert_eq!(frame.shape(), [3, 64, 64]);
    let framing = Framing {
        size: Some(Size { height: 32, width: 48 }),
        channels: Some(1),
        ..Framing::default()
    };
    assert_eq!(survey.frame(&framing).shape(), [1, 32, 48]);
}
