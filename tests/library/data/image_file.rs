//! Pictures of digits become what a network was trained on.

use std::io::Cursor;
use std::path::Path;

use burgeon::spec::InputShape;
use burgeon::unstable::data::image_file::{Invert, Picture, PictureError, open_picture};
use burgeon::unstable::data::{Normalization, Split, mnist, synthetic};
use burgeon::unstable::model::{Fit, Preparation, Subject};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageBuffer, ImageEncoder, ImageFormat, Luma, LumaA, Rgb, imageops,
};
use tempfile::TempDir;

use crate::mnist_files::real_mnist;

fn digits() -> Vec<Vec<u8>> {
    let drawn = synthetic::digits(Split::Test, 10, 5, |_| {});
    let real = real_mnist().and_then(|dir| mnist::read(&dir).ok()).map(|content| content.test);
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
pub(crate) fn likeness(a: &[u8], b: &[u8]) -> f64 {
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

fn preparation(subject: Subject, side: usize) -> Preparation {
    let input = InputShape { channels: 1, height: side, width: side, classes: 10 };
    let normalization = Normalization::of_all(0.13, 0.31);
    Preparation::grey(input, normalization, (0..10).map(|at| at.to_string()).collect(), subject)
}

pub(crate) fn read(bytes: &[u8], invert: Invert) -> Result<Vec<u8>, PictureError> {
    preparation(Subject::Digit, 28).prepare(&Picture::decode(bytes)?, invert)
}

pub(crate) fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(picture, ImageFormat::Png)
}

#[track_caller]
fn assert_read_as(digit: &[u8], bytes: &[u8], what: &str) {
    let back = read(bytes, Invert::Auto).unwrap_or_else(|error| panic!("{what}: {error}"));
    let same = likeness(digit, &back);
    assert!(same > 0.8, "{what}: correlation {same:.3}");
}

#[test]
fn a_digit_comes_back_from_a_picture_of_any_size_and_polarity() {
    for (index, digit) in digits().iter().enumerate() {
        for (scale, dark, format) in [
            (1, false, ImageFormat::Png),
            (3, true, ImageFormat::Png),
            (4, true, ImageFormat::Jpeg),
            (40, true, ImageFormat::Jpeg),
        ] {
            let bytes = encoded(sheet(digit, scale, dark), format);
            assert_read_as(digit, &bytes, &format!("digit {index} at scale {scale}"));
        }
    }
}

#[test]
fn polarity_can_be_said_outright() {
    let digit = &digits()[0];
    let bytes = png(sheet(digit, 4, true));
    assert!(likeness(digit, &read(&bytes, Invert::Always).unwrap()) > 0.8);
    assert!(likeness(digit, &read(&bytes, Invert::Never).unwrap()) < 0.6);
}

/// The sheet with ink of one brightness on paper of another, which may change from place to place.
fn painted(digit: &[u8], ink: f32, paper: impl Fn(f32, f32) -> f32) -> GrayImage {
    let sheet = sheet(digit, 4, false);
    let (width, height) = (sheet.width() as f32, sheet.height() as f32);
    GrayImage::from_fn(sheet.width(), sheet.height(), |x, y| {
        let share = f32::from(sheet.get_pixel(x, y).0[0]) / 255.0;
        let paper = paper(x as f32 / width, y as f32 / height);
        // Dark ink takes a share of the paper's light.
        let ink = if ink < paper { ink * paper } else { ink };
        Luma([((paper + share * (ink - paper)) * 255.0).round() as u8])
    })
}

#[test]
fn ink_is_found_on_grey_paper() {
    for digit in &digits() {
        let cases =
            [(1.0, 128), (0.0, 60), (0.0, 255), (1.0, 0), (0.2, 128), (0.75, 128), (0.6, 10)];
        for (ink, paper) in cases {
            let picture = painted(digit, ink, |_, _| paper as f32 / 255.0);
            assert_read_as(digit, &png(picture), &format!("{ink} on {paper}"));
        }
    }
}

#[test]
fn ink_is_found_on_paper_that_is_unevenly_lit() {
    for digit in &digits() {
        type Light = fn(f32, f32) -> f32;
        let lights: [(&str, Light); 5] = [
            ("from the left", |x, _| 1.0 - 0.5 * x),
            ("from the right", |x, _| 0.5 + 0.5 * x),
            ("from above", |_, y| 1.0 - 0.5 * y),
            ("from a corner", |x, y| 1.0 - 0.25 * (x + y)),
            ("from the middle", |x, y| 1.0 - ((x - 0.5).powi(2) + (y - 0.5).powi(2))),
        ];
        for (name, light) in lights {
            assert_read_as(digit, &png(painted(digit, 0.1, light)), name);
            let board = painted(digit, 1.0, |x, y| 1.0 - light(x, y));
            assert_read_as(digit, &png(board), &format!("{name}, on a board"));
        }
    }
}

#[test]
fn transparent_paper_is_what_the_ink_stands_out_from() {
    for digit in &digits() {
        let sheet = sheet(digit, 3, false);
        for ink in [0, 90, 160, 255] {
            let drawn = ImageBuffer::from_fn(sheet.width(), sheet.height(), |x, y| {
                LumaA([ink, sheet.get_pixel(x, y).0[0]])
            });
            assert_read_as(digit, &png(drawn), &format!("ink {ink} on nothing"));
        }
        // A white sheet with transparent corners shows its own paper.
        let cut = ImageBuffer::from_fn(sheet.width(), sheet.height(), |x, y| {
            let opaque = if x + y < 20 { 0 } else { 255 };
            LumaA([255 - sheet.get_pixel(x, y).0[0], opaque])
        });
        assert_read_as(digit, &png(cut), "a sheet without a corner");
    }
    let nothing = ImageBuffer::from_pixel(20, 20, LumaA([0, 0_u8]));
    assert!(matches!(read(&png(nothing), Invert::Auto), Err(PictureError::Blank)));
}

#[test]
fn sixteen_bits_are_scaled_by_those_that_are_used() {
    for digit in &digits() {
        let sheet = sheet(digit, 3, true);
        for bits in [8, 10, 12, 14, 16] {
            let most = f64::from((1_u32 << bits) - 1);
            let deep = ImageBuffer::from_fn(sheet.width(), sheet.height(), |x, y| {
                Luma([(f64::from(sheet.get_pixel(x, y).0[0]) / 255.0 * most) as u16])
            });
            assert_read_as(digit, &png(deep), &format!("{bits} bits"));
        }
    }
    // Also where pictures are taken whole.
    let deep = ImageBuffer::from_fn(28, 28, |x, _| Luma([if x < 14 { 4095_u16 } else { 0 }]));
    let picture = Picture::decode(&png(deep)).unwrap();
    let whole = preparation(Subject::Whole, 28).prepare(&picture, Invert::Auto).unwrap();
    assert_eq!((whole[0], whole[27]), (255, 0));
}

#[test]
fn ink_that_cannot_be_told_from_paper_is_said() {
    let stripes = GrayImage::from_fn(40, 40, |x, _| Luma([if x / 5 % 2 == 0 { 0 } else { 255 }]));
    let error = read(&png(stripes), Invert::Auto).unwrap_err();
    assert!(matches!(error, PictureError::Undecided), "{error}");
    assert!(error.to_string().contains("--invert"), "{error}");
}

#[test]
fn a_frame_around_the_digit_is_not_ink() {
    for digit in &digits() {
        let mut sheet = sheet(digit, 4, true);
        let (width, height) = sheet.dimensions();
        for (x, y, pixel) in sheet.enumerate_pixels_mut() {
            if x < 3 || y < 3 || x + 3 >= width || y + 3 >= height {
                *pixel = Luma([0]);
            }
        }
        assert_read_as(digit, &png(sheet), "framed");
    }
}

#[test]
fn a_picture_like_the_training_images_is_taken_as_it_is() {
    for digit in &digits() {
        // Off centre, so that centring it again would move it.
        let mut moved = digit.clone();
        moved.rotate_right(28 * 2 + 3);
        let grey = GrayImage::from_raw(28, 28, moved.clone()).unwrap();
        assert_eq!(read(&png(grey.clone()), Invert::Auto).unwrap(), moved);
        let colour = DynamicImage::ImageLuma8(grey.clone()).to_rgb8();
        assert_eq!(read(&png(colour), Invert::Auto).unwrap(), moved);
        let mut dark = grey;
        imageops::invert(&mut dark);
        assert_eq!(read(&png(dark.clone()), Invert::Auto).unwrap(), moved, "its negative too");
        assert_ne!(read(&png(dark), Invert::Never).unwrap(), moved, "light ink was asked for");
    }
}

#[test]
fn the_data_sets_own_images_are_taken_as_they_are() {
    let whole = preparation(Subject::Whole, 28);
    let digit = preparation(Subject::Digit, 28);
    let drawn = synthetic::digits(Split::Test, 1000, 3, |_| {});
    let real = real_mnist().and_then(|dir| mnist::read(&dir).ok()).map(|set| set.test);
    for (images, preparation) in [Some(drawn), real]
        .into_iter()
        .flatten()
        .flat_map(|images| [(images.clone(), &digit), (images, &whole)])
    {
        for index in 0..1000 {
            let image = images.image(index);
            let bytes = png(GrayImage::from_raw(28, 28, image.to_vec()).unwrap());
            let picture = Picture::decode(&bytes).unwrap();
            let prepared = preparation.prepare(&picture, Invert::Auto).unwrap();
            assert_eq!(prepared, image, "image {index}");
            if preparation.subject == Subject::Whole {
                let negative: Vec<u8> = image.iter().map(|byte| 255 - byte).collect();
                let bytes = png(GrayImage::from_raw(28, 28, negative.clone()).unwrap());
                let picture = Picture::decode(&bytes).unwrap();
                assert_eq!(preparation.prepare(&picture, Invert::Auto).unwrap(), negative);
                assert_eq!(preparation.prepare(&picture, Invert::Always).unwrap(), image);
            }
        }
    }
}

#[test]
fn a_whole_picture_of_another_size_is_stretched_padded_or_cropped() {
    // White left half, black right half, twice as wide as high.
    let wide = GrayImage::from_fn(80, 40, |x, _| Luma([if x < 40 { 255 } else { 0 }]));
    let picture = Picture::decode(&png(wide)).unwrap();
    let fitted = |fit, background| {
        let preparation = Preparation { fit, background, ..preparation(Subject::Whole, 20) };
        preparation.prepare(&picture, Invert::Auto).unwrap()
    };
    let at = |image: &[u8], x: usize, y: usize| image[y * 20 + x];
    let stretched = fitted(Fit::Stretch, 0.5);
    assert_eq!([at(&stretched, 1, 1), at(&stretched, 18, 1)], [255, 0]);
    let padded = fitted(Fit::Pad, 0.5);
    assert_eq!([at(&padded, 1, 1), at(&padded, 1, 10), at(&padded, 18, 10)], [128, 255, 0]);
    let cropped = fitted(Fit::Crop, 0.5);
    assert_eq!([at(&cropped, 1, 1), at(&cropped, 8, 1), at(&cropped, 12, 1)], [255, 255, 0]);
}

#[test]
fn colours_are_weighted_and_transparency_shows_the_training_images_background() {
    let preparation = Preparation { background: 1.0, ..preparation(Subject::Whole, 4) };
    let colour = ImageBuffer::from_pixel(4, 4, Rgb([0, 255, 0_u8]));
    let prepare =
        |bytes: &[u8]| preparation.prepare(&Picture::decode(bytes).unwrap(), Invert::Auto).unwrap();
    assert_eq!(prepare(&png(colour)), [182; 16]);
    let half = ImageBuffer::from_pixel(4, 4, LumaA([0, 128_u8]));
    assert_eq!(prepare(&png(half)), [127; 16]);
}

/// EXIF that says nothing but an orientation, in either byte order.
fn exif(orientation: u8, big_endian: bool) -> Vec<u8> {
    if big_endian {
        let mut bytes = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        bytes.extend([orientation, 0, 0, 0, 0, 0, 0]);
        bytes
    } else {
        let mut bytes = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        bytes.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }
}

/// What a camera that was held so stores: applying the orientation to it gives `upright`.
fn stored(upright: &GrayImage, orientation: u8) -> DynamicImage {
    let back = match orientation {
        6 => Orientation::Rotate270,
        8 => Orientation::Rotate90,
        other => Orientation::from_exif(other).unwrap(),
    };
    let mut picture = DynamicImage::ImageLuma8(upright.clone());
    picture.apply_orientation(back);
    picture
}

#[test]
fn every_exif_orientation_is_followed_in_png_and_jpeg() {
    let digit = &digits()[2];
    let upright = sheet(digit, 4, true);
    for orientation in 1..=8 {
        for big_endian in [false, true] {
            let picture = stored(&upright, orientation);
            let exif = exif(orientation, big_endian);
            let (mut in_png, mut in_jpeg) = (Vec::new(), Vec::new());
            let mut encoder = PngEncoder::new(&mut in_png);
            encoder.set_exif_metadata(exif.clone()).unwrap();
            picture.write_with_encoder(encoder).unwrap();
            let mut encoder = JpegEncoder::new_with_quality(&mut in_jpeg, 95);
            encoder.set_exif_metadata(exif.clone()).unwrap();
            picture.write_with_encoder(encoder).unwrap();
            assert_read_as(digit, &in_png, &format!("PNG, orientation {orientation}"));
            assert_read_as(digit, &in_jpeg, &format!("JPEG, orientation {orientation}"));
            // The chunk may also follow the pixels.
            let mut at_end = png(picture);
            let chunk = at_end.len() - 12;
            let mut content = b"eXIf".to_vec();
            content.extend(&exif);
            let mut crc = flate2::Crc::new();
            crc.update(&content);
            let mut whole = (exif.len() as u32).to_be_bytes().to_vec();
            whole.extend(content);
            whole.extend(crc.sum().to_be_bytes());
            at_end.splice(chunk..chunk, whole);
            assert_read_as(digit, &at_end, &format!("PNG, orientation {orientation} at its end"));
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_as_cut_short() {
    let sheet = sheet(&digits()[0], 2, true);
    let colour = DynamicImage::ImageLuma8(sheet.clone()).to_rgb8();
    for (name, whole) in [
        ("PNG", png(sheet.clone())),
        ("JPEG", encoded(sheet, ImageFormat::Jpeg)),
        ("colour JPEG", encoded(colour, ImageFormat::Jpeg)),
    ] {
        assert!(Picture::decode(&whole).is_ok());
        for len in (8..whole.len()).step_by(7).chain([whole.len() - 1, whole.len() - 2]) {
            for wanted in [None, Some([4, 4])] {
                let error = Picture::decode_for(&whole[..len], wanted).unwrap_err();
                let is_cut = matches!(error, PictureError::Truncated { .. });
                assert!(is_cut, "{name} at {len}: {error}");
            }
        }
        // What follows the end is nobody's business.
        let longer = [&whole[..], b"trailing bytes"].concat();
        assert!(Picture::decode(&longer).is_ok(), "{name}");
    }
}

#[test]
fn a_jpeg_cut_in_its_pixels_is_refused_though_an_end_was_put_behind_it() {
    let grey = sheet(&digits()[0], 2, true);
    let colour = DynamicImage::ImageLuma8(grey.clone()).to_rgb8();
    let progressive = include_bytes!("pictures/progressive.jpg").to_vec();
    for (name, whole) in [
        ("grey", encoded(grey, ImageFormat::Jpeg)),
        ("colour", encoded(colour, ImageFormat::Jpeg)),
        ("progressive", progressive),
    ] {
        assert!(Picture::decode(&whole).is_ok(), "{name}");
        for len in (8..whole.len() - 2).step_by(7).chain([whole.len() - 3]) {
            let forged = [&whole[..len], &[0xff, 0xd9]].concat();
            for wanted in [None, Some([4, 4])] {
                let error = Picture::decode_for(&forged, wanted).unwrap_err();
                let is_cut = matches!(error, PictureError::Truncated { .. });
                assert!(is_cut, "{name} at {len}: {error}");
            }
        }
    }
}

#[test]
fn other_input_sizes_are_filled_in_proportion() {
    let picture = Picture::decode(&png(sheet(&digits()[0], 5, true))).unwrap();
    let back = preparation(Subject::Digit, 56).prepare(&picture, Invert::Auto).unwrap();
    let rows = back.chunks(56).filter(|row| row.iter().any(|&ink| ink > 20)).count();
    assert!((38..=40).contains(&rows), "{rows}");
}

#[test]
fn a_blank_picture_is_said_to_be_blank() {
    for shade in [0, 128, 255] {
        for side in [28, 40] {
            let blank = GrayImage::from_pixel(side, side, Luma([shade]));
            let error = read(&png(blank), Invert::Auto).unwrap_err();
            assert!(matches!(error, PictureError::Blank), "{error}");
            assert!(error.to_string().contains("blank"));
        }
    }
    let falling = GrayImage::from_fn(60, 60, |x, _| Luma([255 - (x * 2) as u8]));
    assert!(matches!(read(&png(falling), Invert::Auto), Err(PictureError::Blank)));
}

#[test]
fn what_is_no_picture_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("picture.png");
    let assert_named = |path: &Path| {
        let error = open_picture(path, None).unwrap_err();
        assert!(error.chain().contains(&path.display().to_string()), "{error}");
    };
    let whole = png(sheet(&digits()[0], 2, true));
    for content in [&b"hello"[..], b"", b"GIF89a", &whole[..whole.len() / 2]] {
        std::fs::write(&path, content).unwrap();
        assert_named(&path);
    }
    assert_named(&dir.path().join("nowhere.png"));
    assert_named(dir.path());
}

#[test]
fn a_gif_cut_anywhere_is_refused_as_cut_short() {
    let mut whole = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut whole);
    for shade in [40, 200] {
        let picture = image::RgbaImage::from_pixel(9, 7, image::Rgba([shade, 10, 0, 255]));
        encoder.encode_frame(image::Frame::new(picture)).unwrap();
    }
    drop(encoder);
    assert_eq!(whole.last(), Some(&0x3b), "its trailer");
    assert!(Picture::decode(&whole).is_ok());
    assert!(Picture::decode(&[&whole[..], b"more"].concat()).is_ok());
    for len in 6..whole.len() {
        let error = Picture::decode(&whole[..len]).unwrap_err();
        assert!(matches!(error, PictureError::Truncated { .. }), "{len}: {error}");
    }
}
