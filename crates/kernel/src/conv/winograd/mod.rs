//! 3×3 convolutions of stride 1 with a quarter of the multiplications, and 5×5 ones with a good third: F(4×4, 3×3) and
//! F(2×2, 5×5) of [Lavin and Gray 2016](https://arxiv.org/abs/1509.09308).
//!
//! The output is cut into tiles of 4×4, or 2×2 where the kernel is 5×5. A tile's 6×6 numbers are taken to 36 points, where the convolution is a product
//! of matrices, `[tiles, channels]` with `[channels, filters]`, one for each point; their results are taken back. The
//! backward pass is the adjoint of each step: the output's gradient is taken to the points once, for both gradients.
//! [`transform`] has the formulas.
//!
//! A 2×2 pool divides a tile without a rest, and is taken before the activation. On the way back the gradient goes to what the
//! pool picked before it goes to the points.
//!
//! Channels are in lanes throughout. A block of tiles goes through all steps before the next one, so that its points
//! stay in the second-level cache. The weights are taken to the points once for a batch.
//!
//! Rounding errors are about twice those of the direct method: relative to the norm of the result 1e-6 for 128 channels,
//! where the direct method has 6e-7.
//!
//! Invariant: a result depends on nothing but its tile, and the gradients of the weights are added up in the order of
//! blocks and chunks that shapes alone decide; so results are the same for any number of threads.

mod backward;
mod forward;
mod pool;
mod product;
mod rows;
#[cfg(test)]
mod tests;
mod tiles;
mod transform;
mod unpool;
mod weights;

pub(super) use self::backward::WinogradBackward;
pub(super) use self::forward::WinogradForward;

use self::rows::Size;
use self::tiles::{POINTS, Planes, SIDE};
use super::shape::{ConvShape, Pool};
use crate::Activation;

/// Rows and columns of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Three,
    Five,
}

impl Side {
    /// Of a kernel that the method knows.
    fn of(shape: &ConvShape) -> Option<Self> {
        match shape.kernel {
            [3, 3] => Some(Self::Three),
            [5, 5] => Some(Self::Five),
            _ => None,
        }
    }

    /// Rows and columns of results of a tile.
    fn tile(self) -> usize {
        match self {
            Self::Three => SIDE + 1 - 3,
            Self::Five => SIDE + 1 - 5,
        }
    }
}

/// How the images of a shape are cut into tiles, and tiles into blocks.
#[derive(Clone, Debug)]
struct Tiling {
    shape: ConvShape,
    kernel: Side,
    images: Size,
    /// Of the convolution's result.
    results: Size,
    /// Rows and columns of tiles of an image.
    rows: usize,
    columns: usize,
    /// Rows of tiles of a block; they may be of several images.
    block_rows: usize,
}

impl Tiling {
    /// `None` for a shape that the method cannot compute at all: a pool, for one, has to come before the activation.
    fn new(shape: ConvShape) -> Option<Self> {
        let can =
            shape.stride == [1, 1] && shape.pool == shape.fused_pool() && shape.output_len() > 0;
        let kernel = Side::of(&shape).filter(|_| can)?;
        let [height, width] = shape.conv_size();
        let images = Size { channels: shape.in_channels, height: shape.height, width: shape.width };
        let results = Size { channels: shape.filters, height, width };
        let tile = kernel.tile();
        let columns = width.div_ceil(tile);
        let floats = POINTS * (images.stride() + results.stride());
        // With more channels there are more weights to go through for every block, while the points of so many leave the
        // second-level cache anyway.
        let least = shape.in_channels * shape.filters / (2 * (shape.in_channels + shape.filters));
        let tiles = (BLOCK_FLOATS / floats).clamp(least.clamp(TILES_MIN, TILES_MAX), TILES_MAX);
        let block_rows = (tiles / columns.max(1)).max(1);
        Some(Self {
            shape,
            kernel,
            images,
            results,
            rows: height.div_ceil(tile),
            columns,
            block_rows,
        })
    }

    /// Tiles of a block.
    fn block_tiles(&self) -> usize {
        self.block_rows * self.columns
    }

    fn image_planes(&self) -> Planes {
        Planes::new(self.images.stride(), self.block_tiles())
    }

    fn result_planes(&self) -> Planes {
        Planes::new(self.results.stride(), self.block_tiles())
    }

    /// The first row of the image that row `row` of tiles reads.
    fn image_row(&self, row: usize) -> isize {
        (row * self.kernel.tile()) as isize - self.shape.padding.top as isize
    }
}

/// The size that the points of a block should have, so that they fit into the second-level cache.
const BLOCK_FLOATS: usize = 96 * 1024;
/// Fewer tiles are not worth reading all weights for.
const TILES_MIN: usize = 24;
const TILES_MAX: usize = 96;

/// Whether the forward pass is faster than the direct one.
///
/// By `kernel_shapes -- --methods --threads 1` on a Zen 3 machine (AVX2): 1.4 to 3.4 times as fast for 12 channels and more,
/// 0.9 to 1.1 times for 8, 1.0 for the 3 of an image.
///
/// Kernels of 5×5, by the same on Sapphire Rapids (AVX-512, AVX2; two threads): 1.2 to 2.8 times as fast for 12 channels and
/// more, 0.6 to 1.1 times for fewer. In images of 7×7, of which tiles of 2×2 leave a quarter empty: 1.04 to 1.5 times from 32
/// channels on, 0.8 to 1.3 times for 20.
fn suits_forward(shape: &ConvShape) -> bool {
    let is_filled = match Side::of(shape) {
        Some(Side::Five) if shape.in_channels < 32 => fills_most_of_tiles(shape),
        _ => fills_tiles(shape),
    };
    shape.in_channels >= 12 && shape.filters >= 8 && is_filled
}

/// Whether the backward pass is faster than the others.
///
/// By the same figures: 1.2 to 3.6 times as fast from 8 channels and 16 filters on, 0.9 to 1.1 times for 8 of each, 0.7 to
/// 0.9 times for 3. Behind relu, where the other pass leaves out zeros, it is 1.5 to 2 times as fast for 16 channels and
/// more if half of the gradient is zero.
///
/// Behind a pool, where three of four gradients are zero, the other pass leaves these out: there it is 1.02 to 1.24 times as fast
/// for 24 channels and filters or more and images of 16×16 or more that fill their tiles (Sapphire Rapids, AVX-512, two
/// threads), but for 32 of each at 16×16 (0.93), and 0.7 to 1.1 times below that.
///
/// Kernels of 5×5, on the same machine (AVX-512, AVX2): 1.02 to 2.5 times as fast from 12 channels and 20 filters on, 0.6 to
/// 1.3 times for 8; behind a pool 0.5 to 1.06 times.
fn suits_backward(shape: &ConvShape) -> bool {
    let is_five = Side::of(shape) == Some(Side::Five);
    if shape.pool != Pool::None {
        let [height, width] = shape.conv_size();
        let is_large = shape.in_channels.min(shape.filters) >= 24 && height * width >= 256;
        return !is_five && is_large && fills_most_of_tiles(shape);
    }
    let (least, pairs) = match shape.activation {
        _ if is_five => (12, 240),
        Activation::Relu => (16, 256),
        _ => (8, 128),
    };
    let [fewer, more] =
        [shape.in_channels.min(shape.filters), shape.in_channels.max(shape.filters)];
    fewer >= least && fewer * more >= pairs && fills_tiles(shape)
}

/// Whether at least half of what the tiles compute is part of the output.
fn fills_tiles(shape: &ConvShape) -> bool {
    let [height, width] = shape.conv_size();
    2 * height * width >= tiled_positions(shape)
}

/// Whether nine tenths of what the tiles compute are part of the output.
fn fills_most_of_tiles(shape: &ConvShape) -> bool {
    let [height, width] = shape.conv_size();
    10 * height * width >= 9 * tiled_positions(shape)
}

fn tiled_positions(shape: &ConvShape) -> usize {
    let tile = Side::of(shape).map_or(1, Side::tile);
    shape.conv_size().map(|size| size.next_multiple_of(tile)).iter().product()
}
