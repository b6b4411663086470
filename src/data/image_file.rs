//! Turns a picture of a digit, as people have them, into what a network was trained on.
//!
//! People draw dark on light, at any size and place; MNIST is light on dark, centred in a small frame.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::{DynamicImage, ImageReader, Limits};

use super::DataError;
use super::center::{Drawing, center};

/// Which of light and dark is the ink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invert {
    /// Dark if the border of the picture is light, light if it is dark.
    #[default]
    Auto,
    /// Dark ink on light paper.
    Always,
    /// Light ink on dark paper, as MNIST has it.
    Never,
}

/// Longest side of a picture that is decoded.
pub const PICTURE_SIDE_MAX: u32 = 8192;

/// Memory that decoding a picture may take.
const DECODER_BYTES_MAX: u64 = 256 << 20;

/// Less contrast between ink and paper than this, out of 1, is noise rather than writing.
const CONTRAST_MIN: f32 = 0.12;

/// Ink fainter than this share of the darkest is paper: scans and JPEG are never clean.
const INK_SHARE_MIN: f32 = 0.1;

/// Reads a PNG or JPEG picture as a network's input: `[height, width]` bytes, light on dark, centred as MNIST does.
///
/// The format is told by the file's content, not by its name. Transparent parts count as white paper.
///
/// # Errors
/// If the file cannot be read or decoded, is larger than [`PICTURE_SIDE_MAX`], or shows nothing.
pub fn read_picture(
    path: &Path,
    invert: Invert,
    height: usize,
    width: usize,
) -> Result<Vec<u8>, DataError> {
    let brightness = brightness(&decode(path)?);
    let drawing =
        ink(brightness, invert).ok_or_else(|| DataError::BlankPicture { path: path.to_owned() })?;
    center(&drawing, width, height).ok_or_else(|| DataError::BlankPicture { path: path.to_owned() })
}

fn decode(path: &Path) -> Result<DynamicImage, DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    let mut reader = ImageReader::new(BufReader::new(file))
        .with_guessed_format()
        .map_err(DataError::read(path))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(PICTURE_SIDE_MAX);
    limits.max_image_height = Some(PICTURE_SIDE_MAX);
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    reader.decode().map_err(|source| DataError::Picture { path: path.to_owned(), source })
}

/// Brightness of each pixel over white paper, 0 to 1.
fn brightness(picture: &DynamicImage) -> Drawing {
    let pixels = picture.to_luma_alpha8();
    let over_white = |[light, alpha]: [u8; 2]| {
        let alpha = f32::from(alpha) / 255.0;
        f32::from(light) / 255.0 * alpha + 1.0 - alpha
    };
    Drawing {
        ink: pixels.pixels().map(|pixel| over_white(pixel.0)).collect(),
        width: pixels.width() as usize,
        height: pixels.height() as usize,
    }
}

/// Ink from brightness, or `None` if nothing stands out from the paper.
fn ink(mut picture: Drawing, invert: Invert) -> Option<Drawing> {
    let border = median(border(&picture));
    let dark_on_light = match invert {
        Invert::Auto => border > 0.5,
        Invert::Always => true,
        Invert::Never => false,
    };
    // A border that is ink itself, or a frame drawn around the digit, must not pass for paper.
    let paper =
        if (border > 0.5) == dark_on_light { border } else { f32::from(u8::from(dark_on_light)) };
    let sign = if dark_on_light { -1.0 } else { 1.0 };
    let strength = |brightness: f32| (sign * (brightness - paper)).max(0.0);
    let strongest =
        picture.ink.iter().fold(0.0_f32, |most, &brightness| most.max(strength(brightness)));
    if strongest < CONTRAST_MIN {
        return None;
    }
    for value in &mut picture.ink {
        let ink = strength(*value) / strongest;
        *value = if ink < INK_SHARE_MIN { 0.0 } else { ink };
    }
    Some(picture)
}

fn border(picture: &Drawing) -> Vec<f32> {
    let (width, height) = (picture.width, picture.height);
    let at = |x: usize, y: usize| picture.ink[y * width + x];
    let rows = (0..width).flat_map(|x| [at(x, 0), at(x, height - 1)]);
    rows.chain((0..height).flat_map(|y| [at(0, y), at(width - 1, y)])).collect()
}

fn median(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
