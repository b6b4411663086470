//! Tests of `notify::picture`.

use super::*;

fn decoded(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

fn has(pixels: &[u8], colour: Colour) -> bool {
    pixels.chunks(3).any(|pixel| pixel == colour)
}

#[test]
fn curve_and_required_accuracy_are_in_the_picture() {
    let curves = [vec![0.11, 0.5, f64::NAN, 0.8], vec![0.9, 0.97]];
    let png = accuracy_picture(&curves, Some(0.95)).unwrap();
    let (width, height, pixels) = decoded(&png);
    assert_eq!((width, height), (1200, 480));
    assert!(has(&pixels, CURVE) && has(&pixels, REQUIRED) && has(&pixels, INK));
    if let Some(folder) = std::env::var_os("BURGEON_TEST_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join("curve.png"), &png).unwrap();
    }
}

#[test]
fn any_numbers_can_be_drawn() {
    let wild = vec![f64::NAN, f64::INFINITY, -3.0, 1e300, 0.0, 1.0];
    let long = vec![vec![0.5; 40_000], vec![0.6; 40_000]];
    for curves in [Vec::new(), vec![Vec::new()], vec![vec![0.5]], vec![wild], long] {
        for required in [None, Some(0.0), Some(1.0), Some(f64::NAN)] {
            let (.., pixels) = decoded(&accuracy_picture(&curves, required).unwrap());
            assert!(has(&pixels, PAPER));
        }
    }
}
