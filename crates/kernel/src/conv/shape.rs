//! The geometry of a conv block: what goes in, what comes out.

use crate::Activation;

/// Zeros around an image, in rows and columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// `size` rows and columns of zeros on every side.
    pub const fn uniform(size: usize) -> Self {
        Self { top: size, left: size, bottom: size, right: size }
    }
}

/// What follows the activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pool {
    /// Nothing.
    #[default]
    None,
    /// The largest of each 2×2 square; an odd last row or column is dropped.
    Max2x2,
}

impl Pool {
    /// Rows and columns of the square that becomes one output.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::None => 1,
            Self::Max2x2 => 2,
        }
    }
}

/// conv2d + bias + activation + pool, for one size of image.
///
/// The convolution is the cross-correlation that burn and PyTorch call `conv2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Channels of an image.
    pub in_channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels of the output.
    pub filters: usize,
    /// Rows and columns of a filter.
    pub kernel: [usize; 2],
    /// Rows and columns from one position of a filter to the next.
    pub stride: [usize; 2],
    /// Zeros around an image.
    pub padding: Padding,
    /// The function applied to convolution plus bias.
    pub activation: Activation,
    /// What follows it.
    pub pool: Pool,
}

impl ConvShape {
    /// `[height, width]` of the convolution's result, before the pool; zero where the filter does
    /// not fit.
    pub fn conv_size(&self) -> [usize; 2] {
        let padding = self.padding;
        let padded =
            [padding.top + self.height + padding.bottom, padding.left + self.width + padding.right];
        std::array::from_fn(|axis| match padded[axis].checked_sub(self.kernel[axis]) {
            Some(room) => room / self.stride[axis] + 1,
            None => 0,
        })
    }

    /// `[channels, height, width]` of the output.
    pub fn output_shape(&self) -> [usize; 3] {
        let [height, width] = self.conv_size().map(|size| size / self.pool.size());
        [self.filters, height, width]
    }

    /// The pool that may come before the activation: of the largest number if that has the largest
    /// activation.
    pub(super) fn fused_pool(&self) -> Pool {
        match self.activation {
            Activation::Gelu | Activation::Silu => Pool::None,
            _ => self.pool,
        }
    }

    /// Elements of an image.
    pub fn image_len(&self) -> usize {
        self.in_channels * self.height * self.width
    }

    /// Elements of an image's output.
    pub fn output_len(&self) -> usize {
        self.output_shape().iter().product()
    }

    /// Weights of one filter.
    pub fn filter_len(&self) -> usize {
        self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// Weights of all filters.
    pub fn weight_len(&self) -> usize {
        self.filters * self.filter_len()
    }

    /// Multiplications of one image's convolution.
    pub(super) fn multiplications(&self) -> usize {
        self.conv_size().iter().product::<usize>() * self.weight_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> ConvShape {
        ConvShape {
            in_channels: 1,
            height: 28,
            width: 27,
            filters: 6,
            kernel: [5, 3],
            stride: [1, 2],
            padding: Padding { top: 2, left: 0, bottom: 1, right: 1 },
            activation: Activation::Relu,
            pool: Pool::None,
        }
    }

    #[test]
    fn sizes_follow_the_usual_formula() {
        assert_eq!(shape().output_shape(), [6, 27, 13]);
        assert_eq!(ConvShape { pool: Pool::Max2x2, ..shape() }.output_shape(), [6, 13, 6]);
    }

    #[test]
    fn a_filter_larger_than_the_image_has_no_output() {
        assert_eq!(ConvShape { kernel: [32, 3], ..shape() }.output_shape(), [6, 0, 13]);
    }
}
