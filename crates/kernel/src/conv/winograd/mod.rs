//! 3×3 convolutions of stride 1 with a quarter of the multiplications: F(4×4, 3×3) of [Lavin and Gray
//! 2016](https://arxiv.org/abs/1509.09308).
//!
//! The output is cut into tiles of 4×4. A tile's 6×6 numbers are taken to 36 points, where the convolution is a product
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
use self::tiles::{POINTS, Planes, TILE};
use super::shape::{ConvShape, Pool};
use crate::Activation;

/// How the images of a shape are cut into tiles, and tiles into blocks.
#[derive(Clone, Debug)]
struct Tiling {
    shape: ConvShape,
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
    fn new(shape: ConvShape) -> Self {
        let [height, width] = shape.conv_size();
        let images = Size { channels: shape.in_channels, height: shape.height, width: shape.width };
        let results = Size { channels: shape.filters, height, width };
        let columns = width.div_ceil(TILE);
        let floats = POINTS * (images.stride() + results.stride());
        // With more channels there are more weights to go through for every block, while the points of so many leave the
        // second-level cache anyway.
        let least = shape.in_channels * shape.filters / (2 * (shape.in_channels + shape.filters));
        let tiles = (BLOCK_FLOATS / floats).clamp(least.clamp(TILES_MIN, TILES_MAX), TILES_MAX);
        let block_rows = (tiles / columns.max(1)).max(1);
        Self { shape, images, results, rows: height.div_ceil(TILE), columns, block_rows }
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
        (row * TILE) as isize - self.shape.padding.top as isize
    }
}

/// The size that the points of a block should have, so that they fit into the second-level cache.
const BLOCK_FLOATS: usize = 96 * 1024;
/// Fewer tiles are not worth reading all weights for.
const TILES_MIN: usize = 24;
const TILES_MAX: usize = 96;

/// Whether the method can compute a shape at all: a pool has to come before the activation.
pub(super) fn covers(shape: &ConvShape) -> bool {
    shape.kernel == [3, 3]
        && shape.stride == [1, 1]
        && shape.pool == shape.fused_pool()
        && shape.output_len() > 0
}

/// Whether the forward pass is faster than the direct one.
///
/// By `kernel_shapes -- --methods --threads 1` on a Zen 3 machine (AVX2): 1.4 to 3.4 times as fast for 12 channels and more,
/// 0.9 to 1.1 times for 8, 1.0 for the 3 of an image.
fn suits_forward(shape: &ConvShape) -> bool {
    shape.in_channels >= 12 && shape.filters >= 8 && fills_tiles(shape)
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
fn suits_backward(shape: &ConvShape) -> bool {
    if shape.pool != Pool::None {
        let [height, width] = shape.conv_size();
        let fills = 10 * height * width >= 9 * tiled_positions(shape);
        return shape.in_channels.min(shape.filters) >= 24 && height * width >= 256 && fills;
    }
    let (least, pairs) = if shape.activation == Activation::Relu { (16, 256) } else { (8, 128) };
    let [fewer, more] =
        [shape.in_channels.min(shape.filters), shape.in_channels.max(shape.filters)];
    fewer >= least && fewer * more >= pairs && fills_tiles(shape)
}

/// Whether at least half of what the tiles compute is part of the output.
fn fills_tiles(shape: &ConvShape) -> bool {
    let [height, width] = shape.conv_size();
    2 * height * width >= tiled_positions(shape)
}

fn tiled_positions(shape: &ConvShape) -> usize {
    shape.conv_size().map(|size| size.next_multiple_of(TILE)).iter().product()
}
