//! 3×3 convolutions of stride 1 with a quarter of the multiplications, and 5×5 ones with a sixth: F(4×4, 3×3) and F(4×4, 5×5) of
//! [Lavin and Gray 2016](https://arxiv.org/abs/1509.09308).
//!
//! The output is cut into tiles of 4×4. The 6×6 numbers that a tile follows from are taken to 36 points, or 8×8 to 64 where the
//! kernel is 5×5. There the convolution is a product of matrices, `[tiles, channels]` with `[channels, filters]`, one for each
//! point; their results are taken back. The backward pass is the adjoint of each step: the output's gradient is taken to the points
//! once, for both gradients. [`transform`] has the formulas.
//!
//! A 2×2 pool divides a tile without a rest, and is taken before the activation. On the way back the gradient goes to what the
//! pool picked before it goes to the points.
//!
//! Channels are in lanes throughout. A block of tiles goes through all steps before the next one, so that its points
//! stay in the second-level cache. The weights are taken to the points once for a batch.
//!
//! Rounding errors are about twice those of the direct method, or six times with kernels of 5×5: relative to the norm of the
//! result 1e-6 and 4e-6 for 128 channels, where the direct method has 6e-7.
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
use self::tiles::{Planes, TILE};
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

    /// Points of a tile.
    fn points(self) -> usize {
        match self {
            Self::Three => 6 * 6,
            Self::Five => 8 * 8,
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
        let columns = width.div_ceil(TILE);
        let floats = kernel.points() * (images.stride() + results.stride());
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
            rows: height.div_ceil(TILE),
            columns,
            block_rows,
        })
    }

    /// Tiles of a block.
    fn block_tiles(&self) -> usize {
        self.block_rows * self.columns
    }

    fn image_planes(&self) -> Planes {
        Planes::new(self.kernel.points(), self.images.stride(), self.block_tiles())
    }

    fn result_planes(&self) -> Planes {
        Planes::new(self.kernel.points(), self.results.stride(), self.block_tiles())
    }

    /// The first row of the image that row `row` of tiles reads.
    fn image_row(&self, row: usize) -> isize {
        (row * TILE) as isize - self.shape.padding.top as isize
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
/// Kernels of 5×5, by the same on a Zen 4 machine (AVX-512, AVX2; two threads): 1.07 to 1.5 times as fast for the 3 channels of
/// an image, 1.2 to 2.2 times for 6 to 8, but 0.9 to 1.3 times where less than three quarters of the tiles are filled; 1.4 to 5.3
/// times for more channels; 0.6 to 1.3 times for one.
fn suits_forward(shape: &ConvShape) -> bool {
    let (least, share) = match is_five(shape) {
        true if shape.in_channels < 12 => (3, 0.75),
        _ => (12, 0.5),
    };
    shape.in_channels >= least && shape.filters >= 8 && filled(shape) >= share
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
/// Kernels of 5×5, on the Zen 4 machine: 1.5 to 5.3 times as fast from 6 channels on, but 0.8 to 1.7 times for fewer than 12 where
/// less than three quarters of the tiles are filled; 0.6 to 1.0 times for fewer channels; behind relu 1.05 to 3.7 times from 8 on.
/// Behind a pool 1.04 to 1.9 times for 16 and more, 0.6 to 1.2 times for fewer, and 0.7 to 1.04 times in images of 7×7.
fn suits_backward(shape: &ConvShape) -> bool {
    let is_five = is_five(shape);
    let [height, width] = shape.conv_size();
    let [fewer, more] =
        [shape.in_channels.min(shape.filters), shape.in_channels.max(shape.filters)];
    if shape.pool != Pool::None {
        let (least, positions, share) = if is_five { (16, 64, 0.5) } else { (24, 256, 0.9) };
        return fewer >= least && height * width >= positions && filled(shape) >= share;
    }
    let (least, pairs) = match (shape.activation, is_five) {
        (Activation::Relu, true) => (8, 64),
        (_, true) => (6, 64),
        (Activation::Relu, false) => (16, 256),
        (_, false) => (8, 128),
    };
    let share = if is_five && fewer < 12 { 0.75 } else { 0.5 };
    fewer >= least && fewer * more >= pairs && filled(shape) >= share
}

fn is_five(shape: &ConvShape) -> bool {
    Side::of(shape) == Some(Side::Five)
}

/// The share of what the tiles compute that is part of the output.
fn filled(shape: &ConvShape) -> f64 {
    let [height, width] = shape.conv_size();
    let tiled = height.next_multiple_of(TILE) * width.next_multiple_of(TILE);
    (height * width) as f64 / tiled as f64
}
