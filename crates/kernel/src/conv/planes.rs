//! Images as the forward pass reads them: padded planes, one channel after another.
//!
//! The columns of a row are split by their remainder: with a column stride of s, first come the
//! columns 0, s, 2s, …, then 1, s + 1, …. So neighbouring outputs read neighbouring numbers
//! whatever the stride.

use super::shape::ConvShape;

/// The memory layout of the padded planes of one image.
#[derive(Clone, Debug)]
pub(super) struct Planes {
    channels: usize,
    height: usize,
    width: usize,
    top: usize,
    left: usize,
    padded_height: usize,
    /// Columns from one output to the next that is its neighbour in memory: so many remainders
    /// there are.
    phases: usize,
    /// Columns of a padded row that have the same remainder.
    phase_len: usize,
    row_stride: usize,
    kernel: [usize; 2],
    taps: [Vec<u32>; 2],
}

impl Planes {
    /// Floats after the planes that may be read.
    pub const SLACK: usize = 16;

    /// Planes in which every output's neighbour reads neighbouring numbers, or every second one's,
    /// as `every` says.
    pub fn new(shape: &ConvShape, every: usize) -> Self {
        let padding = shape.padding;
        let phases = shape.stride[1] * every;
        let mut planes = Self {
            channels: shape.in_channels,
            height: shape.height,
            width: shape.width,
            top: padding.top,
            left: padding.left,
            padded_height: padding.top + shape.height + padding.bottom,
            phases,
            phase_len: (padding.left + shape.width + padding.right).div_ceil(phases),
            row_stride: shape.stride[0],
            kernel: shape.kernel,
            taps: [Vec::new(), Vec::new()],
        };
        assert!(planes.len() < 1 << 28, "{shape:?} has too many elements");
        planes.taps = [0, shape.stride[1]].map(|first_column| planes.offsets(shape, first_column));
        planes
    }

    /// For each weight of a filter, the offset of its pixel for an output that starts in column
    /// `first_column`.
    fn offsets(&self, shape: &ConvShape, first_column: usize) -> Vec<u32> {
        let mut offsets = Vec::with_capacity(shape.filter_len());
        for c in 0..shape.in_channels {
            for ky in 0..shape.kernel[0] {
                let row = (c * self.padded_height + ky) * self.row_len();
                offsets.extend(
                    (0..shape.kernel[1]).map(|kx| (row + self.column(first_column + kx)) as u32),
                );
            }
        }
        offsets
    }

    /// For each weight of a filter in `[channel, row, column]` order, the offset of its pixel from
    /// that of the first weight, for an output and for its neighbour on the right.
    pub fn taps(&self) -> [&[u32]; 2] {
        [&self.taps[0], &self.taps[1]]
    }

    /// Weights of a filter for each channel.
    pub fn channel_taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Of each channel's taps, the first and the one after the last that reach the image from any of
    /// the convolution's `rows` rows from `y`: all others see nothing but padding above or below.
    pub fn taps_on_image(&self, y: usize, rows: usize) -> [usize; 2] {
        let [top, bottom] = [self.top, self.top + self.height];
        let [highest, lowest] = [y, y + rows - 1].map(|y| y * self.row_stride);
        let end = bottom.saturating_sub(highest).min(self.kernel[0]);
        [top.saturating_sub(lowest).min(end), end].map(|row| row * self.kernel[1])
    }

    /// The offset of the first pixel that the convolution's row `y` reads.
    pub fn row_at(&self, y: usize) -> usize {
        y * self.row_step()
    }

    /// From one row of the convolution to the next.
    pub fn row_step(&self) -> usize {
        self.row_stride * self.row_len()
    }

    /// The length of an image's planes.
    pub fn len(&self) -> usize {
        self.channels * self.padded_height * self.row_len()
    }

    /// Whether an image's planes are the image itself.
    pub fn is_image(&self) -> bool {
        self.phases == 1 && self.len() == self.channels * self.height * self.width
    }

    /// Fills `planes` from `image`, `[channels, height, width]`.
    pub fn fill(&self, image: &[f32], planes: &mut [f32]) {
        if self.width == 0 || self.height == 0 {
            return planes.fill(0.0);
        }
        let plane_len = self.padded_height * self.row_len();
        for (from, to) in
            image.chunks_exact(self.height * self.width).zip(planes.chunks_exact_mut(plane_len))
        {
            let (above, rest) = to.split_at_mut(self.top * self.row_len());
            let (rows, below) = rest.split_at_mut(self.height * self.row_len());
            above.fill(0.0);
            below.fill(0.0);
            for (from, to) in
                from.chunks_exact(self.width).zip(rows.chunks_exact_mut(self.row_len()))
            {
                self.fill_row(from, to);
            }
        }
    }

    fn fill_row(&self, from: &[f32], to: &mut [f32]) {
        if self.phases == 1 {
            let (left, rest) = to.split_at_mut(self.left);
            let (middle, right) = rest.split_at_mut(self.width);
            left.fill(0.0);
            middle.copy_from_slice(from);
            right.fill(0.0);
        } else {
            to.fill(0.0);
            for (phase, to) in to.chunks_exact_mut(self.phase_len).enumerate() {
                // The first column of the image that has this remainder.
                let first = (phase + self.phases - self.left % self.phases) % self.phases;
                let to = &mut to[(self.left + first) / self.phases..];
                let from = from.get(first..).unwrap_or_default();
                if self.phases == 2 {
                    // The usual case, in a form that compilers vectorise.
                    let (pairs, last) = from.as_chunks::<2>();
                    to.iter_mut().zip(pairs).for_each(|(to, from)| *to = from[0]);
                    to[pairs.len()..].iter_mut().zip(last).for_each(|(to, from)| *to = *from);
                } else {
                    to.iter_mut()
                        .zip(from.iter().step_by(self.phases))
                        .for_each(|(to, from)| *to = *from);
                }
            }
        }
    }

    fn row_len(&self) -> usize {
        self.phase_len * self.phases
    }

    /// Where padded column `x` is in its row.
    fn column(&self, x: usize) -> usize {
        x % self.phases * self.phase_len + x / self.phases
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;
    use crate::conv::{Padding, Pool};

    fn shape(stride: [usize; 2], padding: Padding) -> ConvShape {
        ConvShape {
            in_channels: 2,
            height: 2,
            width: 3,
            filters: 1,
            kernel: [1, 2],
            stride,
            padding,
            activation: Activation::Linear,
            pool: Pool::None,
        }
    }

    #[test]
    fn columns_are_split_by_the_stride() {
        let planes =
            Planes::new(&shape([1, 2], Padding { left: 1, bottom: 1, ..Padding::default() }), 1);
        let image: Vec<f32> = (1..=12).map(|i| i as f32).collect();
        let mut filled = vec![f32::NAN; planes.len()];
        planes.fill(&image, &mut filled);
        let one = [0.0, 2.0, 1.0, 3.0, 0.0, 5.0, 4.0, 6.0, 0.0, 0.0, 0.0, 0.0];
        let two = [0.0, 8.0, 7.0, 9.0, 0.0, 11.0, 10.0, 12.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(filled, [one, two].concat());
        assert_eq!(planes.taps()[0], [0, 2, 12, 14]);
    }

    #[test]
    fn neighbours_that_are_pooled_lie_apart() {
        let planes = Planes::new(&shape([1, 1], Padding { left: 1, ..Padding::default() }), 2);
        let mut filled = vec![f32::NAN; planes.len()];
        planes.fill(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0].repeat(2), &mut filled);
        assert_eq!(filled, [0.0, 2.0, 1.0, 3.0, 0.0, 5.0, 4.0, 6.0].repeat(2));
        assert_eq!(planes.taps(), [[0, 2, 8, 10], [2, 1, 10, 9]]);
    }

    #[test]
    fn taps_that_see_padding_alone_are_left_out() {
        let padding = Padding { top: 2, bottom: 2, ..Padding::default() };
        let shape = ConvShape { kernel: [5, 2], ..shape([1, 1], padding) };
        let planes = Planes::new(&shape, 1);
        // The image's two rows are rows 2 and 3 of six.
        assert_eq!(planes.taps_on_image(0, 1), [4, 8]);
        assert_eq!(planes.taps_on_image(1, 1), [2, 6]);
        assert_eq!(planes.taps_on_image(0, 2), [2, 8]);
        let far = ConvShape { kernel: [1, 2], ..shape };
        let planes = Planes::new(&far, 1);
        assert_eq!(planes.taps_on_image(0, 1), [2, 2]);
        assert_eq!(planes.taps_on_image(5, 1), [0, 0]);
    }

    #[test]
    fn an_unpadded_image_needs_no_copy() {
        assert!(Planes::new(&shape([2, 1], Padding::default()), 1).is_image());
        assert!(!Planes::new(&shape([1, 2], Padding::default()), 1).is_image());
        assert!(!Planes::new(&shape([1, 1], Padding::uniform(1)), 1).is_image());
    }
}
