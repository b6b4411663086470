//! Images as the backward pass reads them: padded, with the channels of a pixel side by side.
//!
//! The pixels under one row of a filter are then one run of numbers, and so are the weights of that
//! row.

use super::shape::ConvShape;
use super::transpose::{Rows, transpose, transpose_padded};
use crate::simd::Simd;

/// The memory layout of the padded pixels of one image, and in filters laid out the same way.
#[derive(Clone, Debug)]
pub(super) struct Pixels {
    shape: ConvShape,
    /// Channels of a pixel in memory; the surplus ones are zero.
    channels: usize,
    row_len: usize,
    image_len: usize,
    run_len: usize,
    /// For each output, the number of the first pixel under its filter, or under the first of its
    /// pool's filters.
    cells: Vec<u32>,
    cell_count: usize,
}

impl Pixels {
    /// Floats after the last image that a kernel may read, and write as they were.
    pub const SLACK: usize = 16;

    pub fn new(shape: &ConvShape) -> Self {
        let padding = shape.padding;
        let channels = match shape.in_channels {
            few @ 0..=4 => few,
            many => many.next_multiple_of(8),
        };
        let row_len = (padding.left + shape.width + padding.right) * channels;
        let run = shape.kernel[1] * channels;
        let mut pixels = Self {
            shape: *shape,
            channels,
            row_len,
            image_len: (padding.top + shape.height + padding.bottom) * row_len,
            run_len: run.next_multiple_of(8),
            cells: Vec::new(),
            cell_count: 0,
        };
        let [_, rows, columns] = shape.output_shape();
        let size = shape.pool.size();
        assert!(pixels.image_len < 1 << 28, "{shape:?} has too many elements");
        let places = (0..rows).flat_map(|y| (0..columns).map(move |x| [size * y, size * x]));
        pixels.cells = places.map(|[y, x]| pixels.pixel(y, x)).collect();
        pixels.cell_count = pixels.cells.len();
        pixels.cells.resize(pixels.cell_count + Self::SLACK, 0);
        pixels
    }

    /// The number of the first pixel under the filter at row `y` and column `x` of the convolution.
    fn pixel(&self, y: usize, x: usize) -> u32 {
        (y * self.shape.stride[0] * self.row_pixels() + x * self.shape.stride[1]) as u32
    }

    fn row_pixels(&self) -> usize {
        self.shape.padding.left + self.shape.width + self.shape.padding.right
    }

    /// Floats of a pixel.
    pub fn pixel_len(&self) -> usize {
        self.channels
    }

    /// Pixels of an image.
    pub fn pixel_count(&self) -> usize {
        (self.shape.padding.top + self.shape.height + self.shape.padding.bottom) * self.row_pixels()
    }

    /// Outputs of a filter.
    pub fn cell_count(&self) -> usize {
        self.cell_count
    }

    /// For each output, the number of the first pixel under its filter; then [`Pixels::SLACK`]
    /// unspecified ones.
    pub fn cells(&self) -> &[u32] {
        &self.cells
    }

    /// What to add to a cell for the second column and for the second row that a pool picks from.
    pub fn pick_steps(&self) -> [u32; 2] {
        [self.pixel(0, 1), self.pixel(1, 0)]
    }

    /// Elements of an image.
    pub fn image_len(&self) -> usize {
        self.image_len
    }

    /// From one row of pixels to the next.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// Floats of one row of a filter, a multiple of eight.
    pub fn run_len(&self) -> usize {
        self.run_len
    }

    /// Floats of a filter.
    pub fn filter_len(&self) -> usize {
        self.shape.kernel[0] * self.run_len
    }

    /// Weights of a filter, without what the layout adds.
    pub fn weights_per_filter(&self) -> usize {
        self.shape.filter_len()
    }

    /// Whether runs are whole vectors of sixteen lanes.
    pub fn is_wide(&self) -> bool {
        self.run_len.is_multiple_of(16) && self.channels.is_multiple_of(16)
    }

    /// Fills `pixels` from `image`, `[channels, height, width]`. The padding and surplus channels
    /// are left alone, or set to zero.
    #[inline(always)]
    pub fn fill<S: Simd>(&self, s: S, image: &[f32], pixels: &mut [f32]) {
        assert!(image.len() == self.shape.image_len() && pixels.len() == self.image_len);
        for (row, columns) in self.rows_to_copy() {
            let (at, to) = (row * self.shape.width, self.row_at(row));
            if self.channels == 1 {
                pixels[to..to + columns].copy_from_slice(&image[at..at + columns]);
            } else {
                let from = Rows { at, stride: self.shape.height * self.shape.width };
                let to = Rows { at: to, stride: self.channels };
                let size = [self.shape.in_channels, columns];
                // SAFETY: the rows are in every channel of the image, and in the padded pixels.
                unsafe { transpose_padded(s, (image, from), size, (pixels, to), self.channels) };
            }
        }
    }

    /// Sets `image`, `[channels, height, width]`, to the pixels without their padding.
    #[inline(always)]
    pub fn extract<S: Simd>(&self, s: S, pixels: &[f32], image: &mut [f32]) {
        assert!(image.len() == self.shape.image_len() && pixels.len() == self.image_len);
        for (row, columns) in self.rows_to_copy() {
            let (at, from) = (row * self.shape.width, self.row_at(row));
            if self.channels == 1 {
                image[at..at + columns].copy_from_slice(&pixels[from..from + columns]);
            } else {
                let from = Rows { at: from, stride: self.channels };
                let to = Rows { at, stride: self.shape.height * self.shape.width };
                // SAFETY: as in `fill`.
                unsafe {
                    transpose(s, (pixels, from), [columns, self.shape.in_channels], (image, to))
                };
            }
        }
    }

    /// Lays out one filter: `from` is `[channels, rows, columns]`, `to` is `[rows, run]`.
    #[inline(always)]
    pub fn fill_filter<S: Simd>(&self, s: S, from: &[f32], to: &mut [f32]) {
        let ([rows, columns], channels) = (self.shape.kernel, self.shape.in_channels);
        assert!(from.len() == self.shape.filter_len() && to.len() == self.filter_len());
        to.fill(0.0);
        for y in 0..rows {
            let from_rows = Rows { at: y * columns, stride: rows * columns };
            let to_rows = Rows { at: y * self.run_len, stride: self.channels };
            // SAFETY: row `y` of every channel is in the filter, and `columns` pixels of `channels`
            // are in a run.
            unsafe { transpose(s, (from, from_rows), [channels, columns], (to, to_rows)) };
        }
    }

    /// The opposite of [`Pixels::fill_filter`].
    #[inline(always)]
    pub fn extract_filter<S: Simd>(&self, s: S, from: &[f32], to: &mut [f32]) {
        let ([rows, columns], channels) = (self.shape.kernel, self.shape.in_channels);
        assert!(to.len() == self.shape.filter_len() && from.len() == self.filter_len());
        for y in 0..rows {
            let from_rows = Rows { at: y * self.run_len, stride: self.channels };
            let to_rows = Rows { at: y * columns, stride: rows * columns };
            // SAFETY: as in `fill_filter`.
            unsafe { transpose(s, (from, from_rows), [columns, channels], (to, to_rows)) };
        }
    }

    /// The rows of an image and how many pixels to copy from each on: all at once where nothing
    /// lies between them.
    fn rows_to_copy(&self) -> impl Iterator<Item = (usize, usize)> {
        let ConvShape { height, width, padding, .. } = self.shape;
        let together = if padding.left + padding.right == 0 { height } else { 1 };
        (0..height).step_by(together.max(1)).map(move |row| (row, together * width))
    }

    /// Where row `y` of the image starts.
    fn row_at(&self, y: usize) -> usize {
        (self.shape.padding.top + y) * self.row_len + self.shape.padding.left * self.channels
    }
}
