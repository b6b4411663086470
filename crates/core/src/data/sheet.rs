//! Contact sheets: some training images of every class in one picture, and pictures of augmented training images.

use std::borrow::Cow;
use std::io::Cursor;

use burgeon_pixels::{Augmenter, Normalization, Scratch, interleaved};
use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageError, ImageFormat, RgbImage};

use super::batch::EpochKey;
use super::{Dataset, Subset};
use crate::record::figures::{MISTAKES_COLUMNS, PICTURE_GAP as GAP, SAMPLES_ROWS};

/// Images of each class, side by side.
const COLUMNS: usize = 12;

/// Classes, one below the other.
const ROWS_MAX: usize = 60;

/// Longest side of the whole picture.
const SIDE_MAX: usize = 8192;

/// A PNG picture with a row for each class, in the order of their labels, with its first training images. Of very many
/// classes or very large images, it shows as many as fit.
///
/// # Errors
/// If the encoder fails.
pub fn contact_sheet(data: &Dataset) -> Result<Vec<u8>, ImageError> {
    let shape @ [_, height, width] = data.input_shape();
    let (rows, columns) = (fitting(height, ROWS_MAX), fitting(width, COLUMNS));
    let rows = rows.min(data.classes.len());
    let picks = first_of_each_class(&data.train, rows, columns);
    let images = picks
        .iter()
        .map(|row| row.iter().map(|&position| Cow::Borrowed(data.train.image(position))).collect());
    sheet(&images.collect::<Vec<Vec<_>>>(), columns, shape)
}

/// A PNG picture with a row for each of the first [`SAMPLES_ROWS`] classes, with its first training images: small ones
/// are enlarged, large ones reduced.
///
/// # Errors
/// If the encoder fails.
pub fn samples_sheet(data: &Dataset) -> Result<Vec<u8>, ImageError> {
    let scale = Scale::of(data.input_shape(), SAMPLES_SIDE);
    let rows = data.classes.len().clamp(1, SAMPLES_ROWS);
    let columns = (SAMPLES / rows).clamp(SAMPLES_COLUMNS / 2, SAMPLES_COLUMNS);
    let picks = first_of_each_class(&data.train, rows, columns);
    let shown = |position: &usize| Cow::Owned(scale.apply(data.train.image(*position)));
    let lines: Vec<Vec<_>> = picks.iter().map(|row| row.iter().map(shown).collect()).collect();
    sheet(&lines, columns, scale.shape())
}

/// A PNG picture of training images, each followed to the right by its augmented versions in the first epochs of a trial.
///
/// # Errors
/// If the encoder fails.
pub fn augmented_sheet(
    data: &Dataset,
    augmenter: &Augmenter,
    study: u64,
    trial: u64,
) -> Result<Vec<u8>, ImageError> {
    let shape @ [channels, ..] = data.input_shape();
    let scale = Scale::of(shape, SIDE_SHOWN);
    // One of each class first.
    let picks =
        first_of_each_class(&data.train, data.classes.len().min(AUGMENTED_ROWS), AUGMENTED_ROWS);
    let turns =
        (0..AUGMENTED_ROWS).flat_map(|turn| picks.iter().filter_map(move |row| row.get(turn)));
    let mut scratch = Scratch::default();
    let mut values = vec![0.0; data.train.image_len()];
    let mut lines = Vec::new();
    for &position in turns.take(AUGMENTED_ROWS) {
        let image = data.train.image(position);
        let mut line = vec![Cow::Owned(scale.apply(image))];
        for epoch in 0..AUGMENTED_COLUMNS as u64 - 1 {
            let seed = EpochKey { study, trial, epoch }.distortion(position as u32);
            augmenter.distort(image, shape, seed, data.normalization, &mut scratch, &mut values);
            line.push(Cow::Owned(scale.apply(&bytes(&values, channels, data.normalization))));
        }
        lines.push(line);
    }
    sheet(&lines, AUGMENTED_COLUMNS, scale.shape())
}

/// A PNG picture of images in rows of [`MISTAKES_COLUMNS`]: small ones are enlarged, large ones reduced, to about the same
/// size.
///
/// # Errors
/// If the encoder fails.
pub fn mistakes_sheet(images: &Subset, positions: &[usize]) -> Result<Vec<u8>, ImageError> {
    let scale = Scale::of(images.shape(), MISTAKES_SIDE);
    let cells = positions.iter().map(|&position| Cow::Owned(scale.apply(images.image(position))));
    let cells: Vec<Cow<'_, [u8]>> = cells.collect();
    let rows: Vec<Vec<_>> = cells.chunks(MISTAKES_COLUMNS).map(<[_]>::to_vec).collect();
    sheet(&rows, MISTAKES_COLUMNS, scale.shape())
}

/// How images of one shape are shown in a picture.
#[derive(Debug, Clone, Copy)]
struct Scale {
    channels: usize,
    width: usize,
    /// Each pixel becomes a square of so many pixels a side.
    factor: usize,
    /// Height and width that large images are reduced to.
    reduced: Option<[usize; 2]>,
    /// Height and width of the result.
    shown: [usize; 2],
}

impl Scale {
    /// Small images are enlarged, those with a side of more than `most` pixels reduced to that.
    fn of([channels, height, width]: [usize; 3], most: usize) -> Self {
        let longer = height.max(width).max(1);
        let factor = (SIDE_SHOWN / longer).clamp(1, 8);
        let fitted = |side: usize| (side * most).div_ceil(longer).max(1);
        let reduced = (longer > most.max(SIDE_SHOWN)).then(|| [fitted(height), fitted(width)]);
        let shown = reduced.unwrap_or([height * factor, width * factor]);
        Self { channels, width, factor, reduced, shown }
    }

    fn shape(&self) -> [usize; 3] {
        [self.channels, self.shown[0], self.shown[1]]
    }

    /// An image as it is shown; planes stay one after another.
    fn apply(&self, image: &[u8]) -> Vec<u8> {
        let Some([tall, wide]) = self.reduced else {
            return enlarged(image, self.width, self.factor);
        };
        let height = image.len() / (self.channels * self.width).max(1);
        let picture =
            dynamic(interleaved(image, self.channels), self.channels, [height, self.width]);
        let picture = picture.resize_exact(wide as u32, tall as u32, FilterType::Triangle);
        if self.channels == 1 {
            return picture.into_luma8().into_raw();
        }
        let pixels = picture.into_rgb8().into_raw();
        let plane = |plane| pixels.iter().copied().skip(plane).step_by(self.channels);
        (0..self.channels).flat_map(plane).collect()
    }
}

/// Rows and columns of an augmented sheet.
const AUGMENTED_ROWS: usize = 6;
const AUGMENTED_COLUMNS: usize = 8;

/// Images of a class side by side among samples, and how many there are of all classes together, more or less.
const SAMPLES_COLUMNS: usize = 8;
const SAMPLES: usize = 80;

/// Length of the longer side, in pixels, up to which images are enlarged.
const SIDE_SHOWN: usize = 64;
/// That to which larger samples are reduced.
const SAMPLES_SIDE: usize = 48;
/// That to which mistakes are reduced.
const MISTAKES_SIDE: usize = 96;

/// How many images of this side fit next to each other, at most `most`.
fn fitting(side: usize, most: usize) -> usize {
    most.min((SIDE_MAX - GAP) / (side + GAP)).max(1)
}

/// The pixels that normalization maps to these values.
fn bytes(values: &[f32], channels: usize, normalization: Normalization) -> Vec<u8> {
    let plane = (values.len() / channels.max(1)).max(1);
    let planes = values.chunks(plane).enumerate();
    let byte = |channel: usize, value: f32| {
        let (mean, std) = (normalization.mean[channel], normalization.std[channel]);
        ((value * std + mean) * 255.0).round().clamp(0.0, 255.0) as u8
    };
    planes.flat_map(|(at, plane)| plane.iter().map(move |&value| byte(at, value))).collect()
}

/// Every pixel as a square of `factor` pixels a side; planes stay one after another.
fn enlarged(image: &[u8], width: usize, factor: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(image.len() * factor * factor);
    for row in image.chunks_exact(width.max(1)) {
        for _ in 0..factor {
            out.extend(row.iter().flat_map(|&pixel| std::iter::repeat_n(pixel, factor)));
        }
    }
    out
}

/// A PNG picture of images `[channels, height, width]` in rows, grey in between.
fn sheet(
    rows: &[Vec<Cow<'_, [u8]>>],
    columns: usize,
    [channels, height, width]: [usize; 3],
) -> Result<Vec<u8>, ImageError> {
    let sheet_width = GAP + columns * (width + GAP);
    let sheet_height = GAP + rows.len() * (height + GAP);
    let mut sheet = vec![128_u8; sheet_height * sheet_width * channels];
    for (row, images) in rows.iter().enumerate() {
        for (column, image) in images.iter().enumerate() {
            let pixels = interleaved(image, channels);
            let (top, left) = (GAP + row * (height + GAP), GAP + column * (width + GAP));
            for (y, line) in pixels.chunks_exact(width * channels).enumerate() {
                let start = ((top + y) * sheet_width + left) * channels;
                sheet[start..start + line.len()].copy_from_slice(line);
            }
        }
    }
    png(&dynamic(sheet, channels, [sheet_height, sheet_width]))
}

/// A picture of the pixels, row by row, their channels side by side.
fn dynamic(pixels: Vec<u8>, channels: usize, [height, width]: [usize; 2]) -> DynamicImage {
    let (across, down) = (width as u32, height as u32);
    let picture = if channels == 1 {
        GrayImage::from_raw(across, down, pixels).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(across, down, pixels).map(DynamicImage::ImageRgb8)
    };
    picture.unwrap_or_default()
}

fn png(picture: &DynamicImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}

/// Positions of the first images of the first classes.
fn first_of_each_class(images: &Subset, classes: usize, count: usize) -> Vec<Vec<usize>> {
    let mut picks = vec![Vec::new(); classes];
    for position in 0..images.len() {
        if let Some(picks) = picks.get_mut(usize::from(images.label(position)))
            && picks.len() < count
        {
            picks.push(position);
        }
    }
    picks
}

#[cfg(test)]
mod tests;
