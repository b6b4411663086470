//! A contact sheet: some training images of every class in one picture.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageError, ImageFormat, RgbImage};

use super::layout::interleaved;
use super::{Dataset, Subset};

/// Images of each class, side by side.
const COLUMNS: usize = 12;

/// Classes, one below the other.
const ROWS_MAX: usize = 60;

/// Pixels between images.
const GAP: usize = 2;

/// Longest side of the whole picture.
const SIDE_MAX: usize = 8192;

/// A PNG picture with a row for each class, in the order of their labels: the first of its training images. Of very
/// many classes or very large images it shows as many as fit.
///
/// # Errors
/// If the encoder fails.
pub fn contact_sheet(data: &Dataset) -> Result<Vec<u8>, ImageError> {
    let [channels, height, width] = data.input_shape();
    let fitting = |side: usize, most: usize| most.min((SIDE_MAX - GAP) / (side + GAP)).max(1);
    let (rows, columns) = (fitting(height, ROWS_MAX), fitting(width, COLUMNS));
    let rows = rows.min(data.classes.len());
    let picks = first_of_each_class(&data.train, rows, columns);
    let sheet_width = GAP + columns * (width + GAP);
    let sheet_height = GAP + rows * (height + GAP);
    let mut sheet = vec![128_u8; sheet_height * sheet_width * channels];
    for (row, images) in picks.iter().enumerate() {
        for (column, &position) in images.iter().enumerate() {
            let pixels = interleaved(data.train.image(position), channels);
            let (top, left) = (GAP + row * (height + GAP), GAP + column * (width + GAP));
            for (y, line) in pixels.chunks_exact(width * channels).enumerate() {
                let start = ((top + y) * sheet_width + left) * channels;
                sheet[start..start + line.len()].copy_from_slice(line);
            }
        }
    }
    let (across, down) = (sheet_width as u32, sheet_height as u32);
    let picture = if channels == 1 {
        GrayImage::from_raw(across, down, sheet).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(across, down, sheet).map(DynamicImage::ImageRgb8)
    };
    let mut bytes = Vec::new();
    picture.unwrap_or_default().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
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
mod tests {
    use super::*;
    use crate::data::Images;

    #[test]
    fn every_class_has_its_row() {
        let pixels: Vec<u8> = (0..4_u8).flat_map(|image| [image * 60; 3 * 4]).collect();
        let images = || Images::of_shape(pixels.clone(), [0, 1, 1, 0], [3, 2, 2]).unwrap();
        let data = Dataset::new(images(), images(), images(), 2).unwrap();
        let sheet = image::load_from_memory(&contact_sheet(&data).unwrap()).unwrap().to_rgb8();
        assert_eq!(sheet.dimensions(), (2 + 12 * 4, 2 + 2 * 4));
        // Row 0 shows images 0 and 3, row 1 images 1 and 2; what is left is grey.
        let seen =
            [(2, 2), (6, 2), (2, 6), (6, 6), (10, 2)].map(|(x, y)| sheet.get_pixel(x, y).0[0]);
        assert_eq!(seen, [0, 180, 60, 120, 128]);
    }
}
