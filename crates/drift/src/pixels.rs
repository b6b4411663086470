//! What is measured of an image's pixels.

use serde::{Deserialize, Serialize};

/// Rows and columns of the coarse grid of brightness.
pub(crate) const GRID: usize = 7;

/// Measures of one image; pixels are from 0 for black to 1 for white.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelStats {
    pub(crate) size: [u32; 2],
    pub(crate) minimum: f32,
    pub(crate) maximum: f32,
    pub(crate) mean: f32,
    pub(crate) contrast: f32,
    pub(crate) sharpness: f32,
    /// Row and column of the centre of brightness, from 0 to 1; in the middle where there is none.
    pub(crate) centre: [f32; 2],
    pub(crate) is_finite: bool,
    /// Mean brightness of the cells of a coarse grid.
    pub(crate) grid: [f32; GRID * GRID],
}

/// The measures whose distributions are compared, in the order of their columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelMeasure {
    /// Mean brightness.
    Brightness,
    /// Standard deviation of the pixels.
    Contrast,
    /// Mean difference between neighbouring pixels.
    Sharpness,
    /// The row of the centre of brightness, from 0 at the top to 1.
    CentreRow,
    /// The column of the centre of brightness, from 0 at the left to 1.
    CentreColumn,
}

impl PixelMeasure {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Brightness, Self::Contrast, Self::Sharpness, Self::CentreRow, Self::CentreColumn];
}

impl PixelStats {
    /// Of an image `[channels, height, width]` of bytes, 0 for black and 255 for white.
    ///
    /// `None` if it has another number of bytes, or none.
    pub fn of_bytes(pixels: &[u8], shape: [usize; 3]) -> Option<Self> {
        Self::of(pixels.len(), shape, |index| f32::from(pixels[index]) / 255.0)
    }

    /// Of an image `[channels, height, width]`, 0 for black and 1 for white; other values, and NaN, are counted as
    /// the faults that they are.
    ///
    /// `None` if it has another number of values, or none.
    pub fn of_values(pixels: &[f32], shape: [usize; 3]) -> Option<Self> {
        Self::of(pixels.len(), shape, |index| pixels[index])
    }

    /// The same measures of an image that came with another size, before it was brought to the network's.
    #[must_use]
    pub fn with_size(self, height: usize, width: usize) -> Self {
        Self { size: sides(height, width), ..self }
    }

    fn of(count: usize, shape: [usize; 3], pixel: impl Fn(usize) -> f32) -> Option<Self> {
        let [channels, height, width] = shape;
        let area = height.checked_mul(width)?;
        if count == 0 || area.checked_mul(channels) != Some(count) {
            return None;
        }
        let (mut minimum, mut maximum) = (f32::INFINITY, f32::NEG_INFINITY);
        let (mut sum, mut squares, mut steps, mut is_finite) = (0.0f64, 0.0f64, 0.0f64, true);
        let (mut weight, mut moments) = (0.0f64, [0.0f64; 2]);
        let mut cells = [0.0f64; GRID * GRID];
        let mut cell_counts = [0u32; GRID * GRID];
        for index in 0..count {
            let value = pixel(index);
            if !value.is_finite() {
                is_finite = false;
                continue;
            }
            (minimum, maximum) = (minimum.min(value), maximum.max(value));
            let wide = f64::from(value);
            sum += wide;
            squares += wide * wide;
            let (row, column) = (index % area / width, index % width);
            // All cells that the pixel touches, so that none is empty in an image smaller than the grid.
            for cell_row in row * GRID / height..=((row + 1) * GRID - 1) / height {
                for cell_column in column * GRID / width..=((column + 1) * GRID - 1) / width {
                    cells[cell_row * GRID + cell_column] += wide;
                    cell_counts[cell_row * GRID + cell_column] += 1;
                }
            }
            // Below black there is nothing that weighs.
            let bright = wide.max(0.0);
            weight += bright;
            moments[0] += bright * (row as f64 + 0.5) / height as f64;
            moments[1] += bright * (column as f64 + 0.5) / width as f64;
            if column > 0 {
                steps += f64::from((value - pixel(index - 1)).abs());
            }
            if row > 0 {
                steps += f64::from((value - pixel(index - width)).abs());
            }
        }
        if !is_finite && minimum > maximum {
            (minimum, maximum) = (0.0, 0.0);
        }
        let mean = sum / count as f64;
        let neighbours = (channels * (2 * area - height - width)).max(1) as f64;
        let grid =
            std::array::from_fn(|cell| (cells[cell] / f64::from(cell_counts[cell].max(1))) as f32);
        let finite = |value: f64| if value.is_finite() { value as f32 } else { 0.0 };
        Some(Self {
            size: sides(height, width),
            minimum,
            maximum,
            mean: finite(mean),
            contrast: finite((squares / count as f64 - mean * mean).max(0.0).sqrt()),
            sharpness: finite(steps / neighbours),
            centre: moments.map(|moment| if weight > 0.0 { finite(moment / weight) } else { 0.5 }),
            is_finite,
            grid,
        })
    }

    /// The values of [`PixelMeasure::ALL`].
    pub(crate) fn measures(&self) -> [f32; 5] {
        [self.mean, self.contrast, self.sharpness, self.centre[0], self.centre[1]]
    }
}

fn sides(height: usize, width: usize) -> [u32; 2] {
    [height, width].map(|side| u32::try_from(side).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measures_of_a_small_image() {
        let found = PixelStats::of_bytes(&[0, 255, 255, 0], [1, 2, 2]).unwrap();
        assert_eq!((found.minimum, found.maximum, found.mean), (0.0, 1.0, 0.5));
        assert_eq!((found.contrast, found.sharpness, found.size), (0.5, 1.0, [2, 2]));
        assert_eq!(found.centre, [0.5, 0.5]);
        let found_low = PixelStats::of_bytes(&[0, 0, 0, 9], [1, 2, 2]).unwrap();
        assert_eq!(found_low.centre, [0.75, 0.75]);
        assert_eq!([found.grid[0], found.grid[GRID / 2], found.grid[GRID - 1]], [0.0, 0.5, 1.0]);
    }

    #[test]
    fn channels_are_measured_each_for_itself() {
        let found = PixelStats::of_values(&[0.0, 0.0, 1.0, 1.0], [2, 1, 2]).unwrap();
        assert_eq!((found.mean, found.sharpness), (0.5, 0.0));
    }

    #[test]
    fn what_is_no_number_is_told_and_poisons_no_measure() {
        for bad in [f32::NAN, f32::INFINITY] {
            let found = PixelStats::of_values(&[bad, 0.5, 1.0, 0.5], [1, 2, 2]).unwrap();
            assert!(!found.is_finite);
            assert!(found.measures().iter().chain(&found.grid).all(|value| value.is_finite()));
        }
        assert!(PixelStats::of_values(&[f32::NAN], [1, 1, 1]).is_some());
    }

    #[test]
    fn an_image_of_another_length_is_none() {
        assert_eq!(PixelStats::of_bytes(&[0; 5], [1, 2, 2]), None);
        assert_eq!(PixelStats::of_bytes(&[], [0, 0, 0]), None);
        assert_eq!(PixelStats::of_bytes(&[0], [usize::MAX, usize::MAX, 2]), None);
    }
}
