//! Pictures of digits become what a network was trained on.

use std::path::{Path, PathBuf};

use burgeon::data::image_file::{Invert, read_picture};
use burgeon::data::{DataError, Split, mnist, synthetic};
use image::{GrayImage, ImageFormat, Luma, RgbaImage, imageops};
use tempfile::TempDir;

use crate::support;

fn digits() -> Vec<Vec<u8>> {
    let drawn = synthetic::digits(Split::Test, 10, 5, |_| {});
    let real =
        support::real_mnist().and_then(|dir| mnist::read(&dir).ok()).map(|content| content.test);
    let all = [Some(drawn), real].into_iter().flatten();
    all.flat_map(|images| (0..5).map(|index| images.image(index).to_vec()).collect::<Vec<_>>())
        .collect()
}

/// As a person would have it: enlarged, off centre on a larger sheet, dark on light or light on dark.
fn sheet(digit: &[u8], scale: u32, dark_on_light: bool) -> GrayImage {
    let small = GrayImage::from_raw(28, 28, digit.to_vec()).unwrap();
    let large = imageops::resize(&small, 28 * scale, 28 * scale, imageops::FilterType::Triangle);
    let mut sheet = GrayImage::new(28 * scale + 40, 28 * scale + 90);
    imageops::overlay(&mut sheet, &large, 35, 5);
    if dark_on_light {
        imageops::invert(&mut sheet);
    }
    sheet
}

/// How alike two digits are, wherever rounding put their centres: the best correlation over shifts by a pixel.
fn likeness(a: &[u8], b: &[u8]) -> f64 {
    let shifts = [-29, -28, -27, -1, 0, 1, 27, 28, 29_isize];
    let shifted = |by: isize| {
        let mut moved = b.to_vec();
        if by < 0 {
            moved.rotate_left(by.unsigned_abs())
        } else {
            moved.rotate_right(by as usize)
        }
        correlation(a, &moved)
    };
    shifts.into_iter().map(shifted).fold(-1.0, f64::max)
}

fn correlation(a: &[u8], b: &[u8]) -> f64 {
    let mean = |x: &[u8]| x.iter().map(|&v| f64::from(v)).sum::<f64>() / x.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&x, &y) in a.iter().zip(b) {
        let (x, y) = (f64::from(x) - ma, f64::from(y) - mb);
        (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
    }
    ab / (aa * bb).sqrt()
}

fn saved(dir: &TempDir, picture: &GrayImage, format: ImageFormat) -> PathBuf {
    let path = dir.path().join("picture");
    picture.save_with_format(&path, format).unwrap();
    path
}

#[test]
fn a_digit_comes_back_from_a_picture_of_any_size_and_polarity() {
    let dir = TempDir::new().unwrap();
    for (index, digit) in digits().iter().enumerate() {
        for (scale, dark, format) in [
            (1, false, ImageFormat::Png),
            (3, true, ImageFormat::Png),
            (4, true, ImageFormat::Jpeg),
        ] {
            let path = saved(&dir, &sheet(digit, scale, dark), format);
            let back = read_picture(&path, Invert::Auto, 28, 28).unwrap();
            let same = likeness(digit, &back);
            assert!(same > 0.8, "digit {index} at scale {scale}: correlation {same:.3}");
        }
    }
}

#[test]
fn polarity_can_be_said_outright() {
    let dir = TempDir::new().unwrap();
    let digit = &digits()[0];
    let path = saved(&dir, &sheet(digit, 4, true), ImageFormat::Png);
    assert!(likeness(digit, &read_picture(&path, Invert::Always, 28, 28).unwrap()) > 0.8);
    assert!(likeness(digit, &read_picture(&path, Invert::Never, 28, 28).unwrap()) < 0.6);
}

#[test]
fn transparent_paper_is_white() {
    let dir = TempDir::new().unwrap();
    let digit = &digits()[0];
    let path = dir.path().join("picture.png");
    RgbaImage::from_fn(28, 28, |x, y| image::Rgba([0, 0, 0, digit[(y * 28 + x) as usize]]))
        .save(&path)
        .unwrap();
    assert!(likeness(digit, &read_picture(&path, Invert::Auto, 28, 28).unwrap()) > 0.8);
}

#[test]
fn other_input_sizes_are_filled_in_proportion() {
    let dir = TempDir::new().unwrap();
    let path = saved(&dir, &sheet(&digits()[0], 5, true), ImageFormat::Png);
    let back = read_picture(&path, Invert::Auto, 56, 56).unwrap();
    let rows = back.chunks(56).filter(|row| row.iter().any(|&ink| ink > 20)).count();
    assert!((38..=40).contains(&rows), "{rows}");
}

#[test]
fn a_blank_picture_is_said_to_be_blank() {
    let dir = TempDir::new().unwrap();
    for shade in [0, 128, 255] {
        let path = saved(&dir, &GrayImage::from_pixel(40, 30, Luma([shade])), ImageFormat::Png);
        let error = read_picture(&path, Invert::Auto, 28, 28).unwrap_err();
        assert!(matches!(error, DataError::BlankPicture { .. }), "{error}");
        assert!(error.to_string().contains("blank"));
    }
}

#[test]
fn what_is_no_picture_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("picture.png");
    std::fs::write(&path, b"hello").unwrap();
    let assert_named = |path: &Path| {
        let error = read_picture(path, Invert::Auto, 28, 28).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    };
    assert_named(&path);
    assert_named(&dir.path().join("nowhere.png"));
    let whole =
        std::fs::read(saved(&dir, &sheet(&digits()[0], 2, true), ImageFormat::Png)).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_named(&path);
}
