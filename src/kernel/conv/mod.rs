//! A fused conv block: conv2d, bias, activation and 2×2 max-pool in one pass over each image, and
//! their gradients.
//!
//! Forward, each lane of a vector is a filter, and a tile of outputs stays in registers until it is
//! pooled. Backward visits only the gradients that are not zero: a pool leaves one in four, relu
//! about half of those. What the backward pass needs beyond the output is a byte for each pooled
//! output, and for gelu and silu the number that went in.
//!
//! Batches are cut into chunks of images by shape alone, and the chunks' weight gradients are added
//! in order.
//!
//! Invariant: where a number of the convolution is NaN, so is every output that it could have been
//! picked for.

mod backward;
mod column_lanes;
mod filter_lanes;
mod filters;
mod forward;
mod gradient;
mod parts;
mod patch;
mod pixels;
mod planes;
mod positions;
#[cfg(test)]
mod reference;
mod shape;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;
mod weights;

pub use shape::{ConvShape, Padding, Pool};

use self::backward::{Backward, Cut};
use self::filters::{FilterBlock, PackFilters, blocks, packed_len};
use self::forward::{Forward, Lanes};
use self::pixels::Pixels;
use self::planes::Planes;
use self::weights::{AddSums, FilterChunks, LayOutFilters, sums_len};
use crate::kernel::activation::DerivativeOf;
use crate::kernel::{DisjointMut, Executor, scratch};

/// Multiplications that are worth a chunk of their own.
const CHUNK_MULTIPLICATIONS: usize = 400_000;

/// A conv block for one size of image, with the tables that its passes need.
#[derive(Clone, Debug)]
pub struct ConvBlock {
    shape: ConvShape,
    planes: Planes,
    pixels: Pixels,
    /// Blocks of filters; none where the lanes are columns.
    blocks: Vec<FilterBlock>,
}

/// What a forward pass keeps for the backward pass, beside the output.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    picks: Vec<u8>,
    pre_activation: Vec<f32>,
}

impl Saved {
    /// Memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        self.picks.len() + size_of_val(self.pre_activation.as_slice())
    }
}

/// The gradients that a backward pass writes.
#[derive(Debug)]
pub struct ConvGradients<'a> {
    /// `[batch, channels, height, width]`; `None` where nobody needs it.
    pub images: Option<&'a mut [f32]>,
    /// `[filters, channels, kernel rows, kernel columns]`
    pub weight: &'a mut [f32],
    /// `[filters]`
    pub bias: &'a mut [f32],
}

impl ConvBlock {
    /// A block of the given shape.
    ///
    /// # Panics
    /// A stride or a side of the kernel is zero, or a padded image has 2²⁸ numbers or more.
    pub fn new(shape: ConvShape) -> Self {
        assert!(
            shape.kernel.iter().chain(&shape.stride).all(|size| *size > 0),
            "{shape:?} has a size of zero"
        );
        let pixels = Pixels::new(&shape);
        // Before a pool that comes last, all columns are computed side by side.
        if column_lanes::suit(&shape) {
            Self {
                shape,
                planes: Planes::new(&shape, shape.fused_pool().size()),
                pixels,
                blocks: Vec::new(),
            }
        } else {
            Self { shape, planes: Planes::new(&shape, 1), pixels, blocks: blocks(&shape) }
        }
    }

    /// The block's shape.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// Sets `output`, `[batch, filters, height, width]`, to the activations of `images`, `[batch,
    /// channels, height, width]`, under `weight`, `[filters, channels, kernel rows, kernel
    /// columns]`, and `bias`, `[filters]`; and `saved` to what [`ConvBlock::backward`] needs.
    ///
    /// NaN among the numbers of the convolution comes out as NaN.
    ///
    /// # Panics
    /// A slice has not the length of its shape.
    #[expect(clippy::too_many_arguments, reason = "the tensors of a layer")]
    pub fn forward(
        &self,
        executor: &Executor,
        batch: usize,
        images: &[f32],
        weight: &[f32],
        bias: &[f32],
        output: &mut [f32],
        saved: Option<&mut Saved>,
    ) {
        self.check(batch, images, weight, bias);
        assert_eq!(output.len(), batch * self.shape.output_len(), "output of {:?}", self.shape);
        let output_len = output.len();
        let (mut no_picks, mut no_pre_activation) = (Vec::new(), Vec::new());
        let (picks, pre_activation) = match saved {
            Some(saved) => {
                self.reserve(saved, output.len());
                (&mut saved.picks, &mut saved.pre_activation)
            }
            None => (&mut no_picks, &mut no_pre_activation),
        };
        scratch::with(packed_len(&self.blocks), |packed| {
            let pack = PackFilters {
                blocks: &self.blocks,
                weight,
                bias,
                packed: DisjointMut::new(packed),
            };
            executor.run(self.blocks.len(), &pack);
            let lanes = match self.blocks.as_slice() {
                [] => Lanes::Columns { weight, bias },
                blocks => Lanes::Filters { blocks, packed },
            };
            let images_per_chunk =
                (CHUNK_MULTIPLICATIONS / self.shape.multiplications().max(1)).clamp(1, 64);
            let forward = Forward {
                shape: &self.shape,
                planes: &self.planes,
                lanes,
                batch,
                images_per_chunk,
                images,
                output: DisjointMut::new(output),
                picks: DisjointMut::new(picks.get_mut(..output_len).unwrap_or_default()),
                pre_activation: DisjointMut::new(pre_activation),
            };
            executor.run(batch.div_ceil(images_per_chunk), &forward);
        });
    }

    /// Sets `gradients` to those of the loss, from `d_output`, `[batch, filters, height, width]`,
    /// and what [`ConvBlock::forward`] was given and gave.
    ///
    /// # Panics
    /// A slice has not the length of its shape, or `saved` is of another batch.
    #[expect(clippy::too_many_arguments, reason = "the tensors of a layer")]
    pub fn backward(
        &self,
        executor: &Executor,
        batch: usize,
        images: &[f32],
        weight: &[f32],
        saved: &Saved,
        output: &[f32],
        d_output: &[f32],
        gradients: ConvGradients<'_>,
    ) {
        self.check(batch, images, weight, gradients.bias);
        assert_eq!(output.len(), batch * self.shape.output_len(), "output of {:?}", self.shape);
        assert_eq!(d_output.len(), output.len(), "gradient of the output of {:?}", self.shape);
        assert_eq!(
            gradients.weight.len(),
            weight.len(),
            "gradient of the weight of {:?}",
            self.shape
        );
        assert!(saved.picks.len() == self.picks_len(output.len()), "saved for another batch");
        let kept = match self.shape.activation.derivative_of() {
            DerivativeOf::Output => output,
            DerivativeOf::Input => &saved.pre_activation,
        };
        assert_eq!(kept.len(), output.len(), "saved for another batch");
        let d_images = gradients.images.unwrap_or_default();
        assert!(
            d_images.is_empty() || d_images.len() == images.len(),
            "gradient of the images of {:?}",
            self.shape
        );
        let cut = Cut::new(&self.shape, &self.pixels, batch);
        let filters_len =
            if d_images.is_empty() { 0 } else { self.shape.filters * self.pixels.filter_len() };
        let sums_len = cut.chunks * sums_len(&self.shape, &self.pixels);
        scratch::with(filters_len + sums_len, |memory| {
            let (filters, sums) = memory.split_at_mut(filters_len);
            if !d_images.is_empty() {
                let cut = FilterChunks::new(self.shape.filters, self.pixels.filter_len());
                let filters = DisjointMut::new(filters);
                let lay_out = LayOutFilters { layout: &self.pixels, cut, weight, filters };
                executor.run(cut.count(), &lay_out);
            }
            let backward = Backward {
                shape: &self.shape,
                layout: &self.pixels,
                cut,
                batch,
                images,
                filters,
                picks: &saved.picks,
                kept,
                d_output,
                d_images: DisjointMut::new(d_images),
                sums: DisjointMut::new(sums),
            };
            executor.run(cut.chunks, &backward);
            let floats_per_filter = self.pixels.filter_len() * cut.chunks;
            let cut = FilterChunks::new(self.shape.filters, floats_per_filter);
            let add = AddSums {
                layout: &self.pixels,
                cut,
                sums,
                d_weight: DisjointMut::new(gradients.weight),
                d_bias: DisjointMut::new(gradients.bias),
            };
            executor.run(cut.count(), &add);
        });
    }

    fn check(&self, batch: usize, images: &[f32], weight: &[f32], bias: &[f32]) {
        assert_eq!(images.len(), batch * self.shape.image_len(), "images of {:?}", self.shape);
        assert_eq!(weight.len(), self.shape.weight_len(), "weight of {:?}", self.shape);
        assert_eq!(bias.len(), self.shape.filters, "bias of {:?}", self.shape);
    }

    fn reserve(&self, saved: &mut Saved, output_len: usize) {
        saved.picks.resize(self.picks_len(output_len), 0);
        let pre_activation_len = match self.shape.activation.derivative_of() {
            DerivativeOf::Output => 0,
            DerivativeOf::Input => output_len,
        };
        saved.pre_activation.resize(pre_activation_len, 0.0);
    }

    fn picks_len(&self, output_len: usize) -> usize {
        match self.shape.pool {
            Pool::None => 0,
            Pool::Max2x2 => output_len + Pixels::SLACK,
        }
    }
}
