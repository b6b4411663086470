//! Tests of `data::sheet`.

use super::*;
use crate::data::Images;
use burgeon_pixels::Augmentation;

#[test]
fn every_class_has_its_row() {
    let pixels: Vec<u8> = (0..4_u8).flat_map(|image| [image * 60; 3 * 4]).collect();
    let images = || Images::of_shape(pixels.clone(), [0, 1, 1, 0], [3, 2, 2]).unwrap();
    let data = Dataset::new(images(), images(), images(), 2).unwrap();
    let sheet = image::load_from_memory(&contact_sheet(&data).unwrap()).unwrap().to_rgb8();
    assert_eq!(sheet.dimensions(), (2 + 12 * 4, 2 + 2 * 4));
    // Row 0 shows images 0 and 3, row 1 images 1 and 2; what is left is grey.
    let seen = [(2, 2), (6, 2), (2, 6), (6, 6), (10, 2)].map(|(x, y)| sheet.get_pixel(x, y).0[0]);
    assert_eq!(seen, [0, 180, 60, 120, 128]);
}

#[test]
fn mistakes_are_shown_in_their_order_at_a_size_that_can_be_seen() {
    let sheet = |side: usize| {
        let pixels: Vec<u8> = (0..2 * 3 * side * side).map(|at| (at / side) as u8).collect();
        let images = || Images::of_shape(pixels.clone(), [0, 1], [3, side, side]).unwrap();
        let validation = Dataset::new(images(), images(), images(), 2).unwrap().validation;
        let drawn = mistakes_sheet(&validation, &[1, 0, 1, 0, 1, 0]).unwrap();
        image::load_from_memory(&drawn).unwrap().to_rgb8()
    };
    let small = sheet(16);
    assert_eq!(small.dimensions(), (2 + 5 * 66, 2 + 2 * 66));
    // Each pixel is a square of four, and the planes are colours.
    let (second, first) = (small.get_pixel(2 + 5, 2 + 9).0, small.get_pixel(68 + 5, 2 + 9).0);
    assert_eq!([first, second], [[2, 18, 34], [50, 66, 82]]);
    assert_eq!(small.get_pixel(2 + 5, 68 + 9).0, first);
    assert_eq!(sheet(90).dimensions(), (2 + 5 * 92, 2 + 2 * 92));
    assert_eq!(sheet(300).dimensions(), (2 + 5 * 98, 2 + 2 * 98));
}

#[test]
fn distorted_images_stand_beside_those_that_they_come_from() {
    let pixels: Vec<u8> = (0..4 * 12_u8).map(|at| at * 5).collect();
    let images = || Images::of_shape(pixels.clone(), [0, 1, 1, 0], [3, 2, 2]).unwrap();
    let data = Dataset::new(images(), images(), images(), 2).unwrap();
    let flips = Augmentation { flip: true, ..Augmentation::default() };
    let drawn = augmented_sheet(&data, &Augmenter::new(flips), 1, 1).unwrap();
    let drawn = image::load_from_memory(&drawn).unwrap().to_rgb8();
    // Two pixels a side are drawn as 16, four rows of eight.
    assert_eq!(drawn.dimensions(), (2 + 8 * 18, 2 + 4 * 18));
    let cell = |row: u32, column: u32| {
        [(3, 3), (13, 3)].map(|(x, y)| drawn.get_pixel(column * 18 + x, row * 18 + y).0)
    };
    // The first image of each class comes first.
    assert_eq!([cell(0, 0)[0], cell(1, 0)[0]], [[0, 20, 40], [60, 80, 100]]);
    for row in 0..4 {
        let [left, right] = cell(row, 0);
        let columns = (1..8).map(|column| cell(row, column));
        let mirrored = columns.filter(|&seen| seen == [right, left]).count();
        assert!((1..7).contains(&mirrored), "row {row}: {mirrored}");
    }
}

#[test]
fn samples_have_a_row_for_each_class_at_a_size_that_can_be_seen() {
    let sheet = |side: usize, classes: usize| {
        let pixels: Vec<u8> = (0..classes).flat_map(|at| vec![at as u8 * 9; side * side]).collect();
        let labels: Vec<u8> = (0..classes as u8).collect();
        let images = || Images::of_shape(pixels.clone(), labels.clone(), [1, side, side]).unwrap();
        let data = Dataset::new(images(), images(), images(), classes).unwrap();
        image::load_from_memory(&samples_sheet(&data).unwrap()).unwrap().to_luma8()
    };
    let small = sheet(16, 2);
    assert_eq!(small.dimensions(), (2 + 8 * 66, 2 + 2 * 66));
    // Each class has one image; the rest is grey.
    let seen = [(3, 3), (3, 69), (69, 3)].map(|(x, y)| small.get_pixel(x, y).0[0]);
    assert_eq!(seen, [0, 9, 128]);
    // Of many classes fewer images each, and no more than twenty classes.
    assert_eq!(sheet(300, 25).dimensions(), (2 + 4 * 50, 2 + 20 * 50));
}
