//! Tests of `track::confusion`.

use super::*;

fn figures(classes: usize, confusion: Vec<(usize, usize, u64)>) -> SplitFigures {
    SplitFigures {
        images: 10,
        accuracy: 0.5,
        interval: [0.2, 0.8],
        loss: 1.0,
        calibration_error: 0.1,
        classes,
        confusion,
        mistakes: Vec::new(),
    }
}

#[test]
fn a_cell_is_as_dark_as_its_share_of_the_class() {
    let (png, size) = picture(&figures(2, vec![(0, 0, 4), (1, 0, 1), (1, 1, 3)])).unwrap();
    let drawn = image::load_from_memory(&png).unwrap().to_rgb8();
    assert_eq!((drawn.dimensions(), size), ((512, 512), [512, 512]));
    assert_eq!(drawn.get_pixel(10, 10).0, [26, 127, 55]);
    assert_eq!(drawn.get_pixel(300, 10).0, [255, 255, 255]);
    // A quarter of the second class: half the ink.
    assert_eq!(drawn.get_pixel(10, 300).0, [224, 147, 150]);
}

#[test]
fn many_classes_and_odd_files_are_drawn() {
    assert_eq!(picture(&figures(65_000, vec![(64_999, 70_000, 1)])).unwrap().1, [512, 512]);
    assert_eq!(picture(&figures(0, Vec::new())).unwrap().1, [512, 512]);
}
