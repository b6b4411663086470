//! Tests of `extent`.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder, RgbImage};

use super::*;
use crate::{Fit, Frame, GREY_BACKGROUND, Picture};

/// The picture as a camera stores it that was held so.
fn stored(upright: &RgbImage, orientation: Orientation) -> Vec<u8> {
    let back = match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        other => other,
    };
    let mut picture = DynamicImage::ImageRgb8(upright.clone());
    picture.apply_orientation(back);
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation.to_exif(), 0, 0, 0, 0, 0, 0]);
    encoder.set_exif_metadata(exif).unwrap();
    picture.write_with_encoder(encoder).unwrap();
    bytes
}

#[test]
fn a_large_jpeg_comes_out_alike_whether_it_is_decoded_whole_or_reduced() {
    // Of odd sides, so that blocks and reduced pixels hang over.
    let wave = |x: u32, y: u32, phase: f32| {
        (128.0 + 90.0 * (x as f32 / 31.0 + phase).sin() * (y as f32 / 23.0).cos()) as u8
    };
    let upright = RgbImage::from_fn(237, 171, |x, y| {
        image::Rgb([0.0, 1.0, 2.0].map(|phase| wave(x, y, phase)))
    });
    for orientation in (1..=8).filter_map(Orientation::from_exif) {
        let bytes = stored(&upright, orientation);
        for (fit, side) in [Fit::Stretch, Fit::Pad, Fit::Crop]
            .into_iter()
            .flat_map(|fit| [20, 40, 80].map(|side| (fit, side)))
        {
            let (channels, background) = (3, GREY_BACKGROUND);
            let frame = Frame { channels, height: side, width: side, fit, background };
            let [whole, reduced] = [None, Some(frame.decode_size())].map(|wanted| {
                let picture = Picture::decode_for(&bytes, wanted).unwrap();
                let is_reduced = picture.size() != (171, 237);
                assert_eq!(is_reduced, wanted.is_some());
                frame.take(&picture, false)
            });
            let off = whole.iter().zip(&reduced).map(|(a, b)| a.abs_diff(*b));
            let (most, sum) = (off.clone().max(), off.map(u32::from).sum::<u32>());
            let mean = f64::from(sum) / whole.len() as f64;
            // If its extent is taken for the upper left part of the pixels, the mean is 1.3 and more.
            assert!(
                most <= Some(4) && mean < 0.75,
                "{fit:?} {side} {orientation:?}: {most:?}, {mean}"
            );
        }
    }
}
