//! A confusion matrix as a picture.

use std::io::Cursor;

use image::{ImageError, ImageFormat, Rgb, RgbImage};

use crate::record::figures::SplitFigures;

/// Longest side in pixels; with more classes than this, several share a pixel.
const SIDE: usize = 512;

/// A PNG picture with a row for each class and a column for each answer: the darker, the larger the share of the class.
pub(super) fn picture(figures: &SplitFigures) -> Result<(Vec<u8>, [u32; 2]), ImageError> {
    let classes = figures.classes.max(1);
    let cells = classes.min(SIDE);
    let cell = SIDE / cells;
    let place = |label: usize| label.min(classes - 1) * cells / classes;
    let mut counts = vec![0_u64; cells * cells];
    for &(label, predicted, images) in &figures.confusion {
        counts[place(label) * cells + place(predicted)] += images;
    }
    let side = (cells * cell) as u32;
    let rows: Vec<u64> = counts.chunks(cells).map(|row| row.iter().sum::<u64>().max(1)).collect();
    let drawn = RgbImage::from_fn(side, side, |x, y| {
        let (column, row) = (x as usize / cell, y as usize / cell);
        let share = counts[row * cells + column] as f64 / rows[row] as f64;
        // A few of a class are to be seen beside the many that are right.
        let ink = share.sqrt();
        let of = |full: f64| (255.0 - ink * (255.0 - full)).round() as u8;
        if row == column {
            Rgb([of(26.0), of(127.0), of(55.0)])
        } else {
            Rgb([of(192.0), of(38.0), of(45.0)])
        }
    });
    let mut bytes = Vec::new();
    drawn.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok((bytes, [side, side]))
}

#[cfg(test)]
mod tests;
