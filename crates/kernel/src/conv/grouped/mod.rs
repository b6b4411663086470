//! Convolution in groups: each filter sees the channels of its own group alone. With as many groups
//! as channels it is a depthwise convolution.
//!
//! Each lane is a column. An output is a sum over few taps, so that a tile is a run of columns of one
//! filter: its sums stay in registers over all taps. The gradient of the images is the same
//! correlation, of the output's gradient, spread out by the stride, with the filters rotated by 180°.
//!
//! Invariant: a chunk is an image's group, or of the weights' gradient a filter, whose images are
//! added in order; so results are the same for any number of threads.

mod passes;
#[cfg(test)]
mod tests;

use self::passes::{ApplyActivation, Correlated, Products};
use super::planes::Planes;
use super::shape::{ConvShape, Padding, Pool};
use crate::activation::Activation;
use crate::simd::Simd;
use crate::{DisjointMut, Executor, Kernel, scratch};

/// A convolution in groups with bias and activation, for one size of image.
#[derive(Clone, Debug)]
pub struct GroupedConv {
    groups: usize,
    activation: Activation,
    /// Of one group, without activation and pool.
    part: ConvShape,
    planes: Planes,
    /// Of the output's gradient, spread out, as the images' gradient reads it.
    spread: Spread,
}

/// The tensors of a backward pass.
#[derive(Debug)]
pub struct GroupedGradients<'a> {
    /// `[batch, channels, height, width]`; `None` if it is not needed.
    pub images: Option<&'a mut [f32]>,
    /// `[filters, channels of a group, kernel rows, kernel columns]`
    pub weight: &'a mut [f32],
    /// `[filters]`
    pub bias: &'a mut [f32],
}

/// A plane of the output's gradient, with the stride's zeros between its numbers and the kernel's
/// around them.
#[derive(Clone, Debug)]
struct Spread {
    height: usize,
    width: usize,
    /// For each weight of each filter of a group, rotated by 180°, the offset of its number.
    taps: Vec<u32>,
}

impl GroupedConv {
    /// `shape` is that of the whole convolution; its pool is not computed.
    ///
    /// # Panics
    /// `groups` does not divide channels and filters, a size of the shape is zero, or a padded image
    /// has 2²⁸ numbers or more.
    pub fn new(shape: ConvShape, groups: usize) -> Self {
        assert!(
            groups > 0
                && shape.in_channels.is_multiple_of(groups)
                && shape.filters.is_multiple_of(groups),
            "{groups} groups do not divide the channels and filters of {shape:?}"
        );
        assert!(
            shape.kernel.iter().chain(&shape.stride).all(|size| *size > 0),
            "{shape:?} has a size of zero"
        );
        let part = ConvShape {
            in_channels: shape.in_channels / groups,
            filters: shape.filters / groups,
            activation: Activation::Linear,
            pool: Pool::None,
            ..shape
        };
        Self {
            groups,
            activation: shape.activation,
            part,
            planes: Planes::new(&part, 1),
            spread: Spread::new(&part),
        }
    }

    /// `[filters, height, width]` of the output.
    pub fn output_shape(&self) -> [usize; 3] {
        let [filters, height, width] = self.part.output_shape();
        [filters * self.groups, height, width]
    }

    /// Sets `output`, `[batch, filters, height, width]`, to the activations of `images`, `[batch,
    /// channels, height, width]`, under `weight`, `[filters, channels of a group, kernel rows, kernel
    /// columns]`, and `bias`, `[filters]`; and `pre`, where it is given, to what went into the
    /// activation.
    ///
    /// # Panics
    /// The length of a slice does not match its shape.
    #[expect(clippy::too_many_arguments, reason = "the tensors of a layer")]
    pub fn forward(
        &self,
        executor: &Executor,
        batch: usize,
        images: &[f32],
        weight: &[f32],
        bias: &[f32],
        output: &mut [f32],
        pre: Option<&mut [f32]>,
    ) {
        self.check(batch, images, weight, bias, output);
        assert!(
            pre.as_ref().is_none_or(|pre| pre.len() == output.len()),
            "length of the pre-activation"
        );
        let kernel = Forward {
            conv: self,
            images,
            weight,
            bias,
            output: DisjointMut::new(output),
            pre: pre.map(DisjointMut::new),
        };
        executor.run(batch * self.groups, &kernel);
    }

    /// Sets `gradients` to those of the loss, from `d_output`, `[batch, filters, height, width]`;
    /// `kept` is the output, or what went into the activation, as
    /// [`Activation::derivative_of`] says.
    ///
    /// # Panics
    /// The length of a slice does not match its shape.
    #[expect(clippy::too_many_arguments, reason = "the tensors of a layer")]
    pub fn backward(
        &self,
        executor: &Executor,
        batch: usize,
        images: &[f32],
        weight: &[f32],
        kept: &[f32],
        d_output: &[f32],
        gradients: GroupedGradients<'_>,
    ) {
        self.check(batch, images, weight, gradients.bias, d_output);
        assert_eq!(kept.len(), d_output.len(), "length of the output of {:?}", self.part);
        assert_eq!(gradients.weight.len(), weight.len(), "length of the gradient of the weight");
        if self.activation == Activation::Linear {
            return self.backward_linear(executor, batch, images, weight, d_output, gradients);
        }
        scratch::with(d_output.len(), |delta| {
            crate::sum::gradient(executor, self.activation, kept, d_output, delta);
            self.backward_linear(executor, batch, images, weight, delta, gradients);
        });
    }

    fn backward_linear(
        &self,
        executor: &Executor,
        batch: usize,
        images: &[f32],
        weight: &[f32],
        delta: &[f32],
        gradients: GroupedGradients<'_>,
    ) {
        let GroupedGradients { images: d_images, weight: d_weight, bias: d_bias } = gradients;
        let filters = d_bias.len();
        let kernel = WeightGradient {
            conv: self,
            batch,
            images,
            delta,
            d_weight: DisjointMut::new(d_weight),
            d_bias: DisjointMut::new(d_bias),
        };
        executor.run(filters, &kernel);
        if let Some(d_images) = d_images {
            assert_eq!(d_images.len(), images.len(), "length of the gradient of the images");
            scratch::with(weight.len(), |turned| {
                self.turn_round(weight, turned);
                let d_images = DisjointMut::new(d_images);
                let kernel = ImageGradient { conv: self, turned, delta, d_images };
                executor.run(batch * self.groups, &kernel);
            });
        }
    }

    /// `[groups, filters, channels, taps]` → `[groups, channels, filters, taps in reverse]`.
    fn turn_round(&self, weight: &[f32], turned: &mut [f32]) {
        let ConvShape { in_channels, filters, .. } = self.part;
        let taps = self.planes.channel_taps();
        for (at, to) in turned.chunks_exact_mut(taps).enumerate() {
            let (group, channel, filter) =
                (at / (in_channels * filters), at / filters % in_channels, at % filters);
            let from = ((group * filters + filter) * in_channels + channel) * taps;
            for (to, from) in to.iter_mut().zip(weight[from..from + taps].iter().rev()) {
                *to = *from;
            }
        }
    }

    fn check(&self, batch: usize, images: &[f32], weight: &[f32], bias: &[f32], output: &[f32]) {
        let (part, groups) = (&self.part, self.groups);
        assert_eq!(
            images.len(),
            batch * groups * part.image_len(),
            "length of the images of {part:?}"
        );
        assert_eq!(weight.len(), groups * part.weight_len(), "length of the weight of {part:?}");
        assert_eq!(bias.len(), groups * part.filters, "length of the bias of {part:?}");
        assert_eq!(
            output.len(),
            batch * groups * part.output_len(),
            "length of the output of {part:?}"
        );
    }
}

impl Spread {
    fn new(part: &ConvShape) -> Self {
        let [rows, columns] = part.kernel;
        let (height, width) = (part.height + rows - 1, part.width + columns - 1);
        assert!(part.filters * height * width < 1 << 28, "{part:?} has too many elements");
        let mut taps = Vec::with_capacity(part.filters * rows * columns);
        for filter in 0..part.filters {
            for row in 0..rows {
                let start = (filter * height + row) * width;
                taps.extend((0..columns).map(|column| (start + column) as u32));
            }
        }
        Self { height, width, taps }
    }

    /// Fills the planes of a group's filters from their gradients.
    fn fill(&self, part: &ConvShape, delta: &[f32], planes: &mut [f32]) {
        let [rows, columns] = part.conv_size();
        let Padding { top, left, .. } = part.padding;
        let ([kernel_rows, kernel_columns], [down, right]) = (part.kernel, part.stride);
        planes.fill(0.0);
        let planes = planes.chunks_exact_mut((self.height * self.width).max(1));
        for (plane, delta) in planes.zip(delta.chunks_exact((rows * columns).max(1))) {
            for (row, delta) in delta.chunks_exact(columns.max(1)).enumerate() {
                // Filters that cover padding alone add nothing to the images' gradient.
                let Some(y) = (row * down + kernel_rows - 1).checked_sub(top) else { continue };
                let Some(to) = plane.get_mut(y * self.width..(y + 1) * self.width) else {
                    continue;
                };
                for (column, delta) in delta.iter().enumerate() {
                    let x = (column * right + kernel_columns - 1).checked_sub(left);
                    if let Some(to) = x.and_then(|x| to.get_mut(x)) {
                        *to = *delta;
                    }
                }
            }
        }
    }
}

struct Forward<'a> {
    conv: &'a GroupedConv,
    images: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    output: DisjointMut<'a, f32>,
    pre: Option<DisjointMut<'a, f32>>,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let GroupedConv { groups, part, planes: layout, activation, .. } = self.conv;
        let (group, image) = (chunk % groups, chunk * part.image_len());
        let own = chunk * part.output_len()..(chunk + 1) * part.output_len();
        // SAFETY: every chunk has its own outputs.
        let output = unsafe { self.output.range(own.clone()) };
        // SAFETY: as above.
        let pre = self.pre.as_ref().map(|pre| unsafe { pre.range(own) });
        scratch::with(layout.len() + Planes::SLACK, |planes| {
            let (filled, slack) = planes.split_at_mut(layout.len());
            layout.fill(&self.images[image..image + part.image_len()], filled);
            slack.fill(0.0);
            let [rows, columns] = part.conv_size();
            s.outline(Correlated {
                planes,
                row_step: layout.row_step(),
                taps: layout.taps()[0],
                weight: &self.weight[group * part.weight_len()..][..part.weight_len()],
                bias: &self.bias[group * part.filters..][..part.filters],
                rows,
                columns,
                output: &mut *output,
            });
            if *activation != Activation::Linear {
                s.outline(ApplyActivation { activation: *activation, output, pre });
            }
        });
    }
}

struct ImageGradient<'a> {
    conv: &'a GroupedConv,
    /// `[groups, channels, filters, taps]`
    turned: &'a [f32],
    delta: &'a [f32],
    d_images: DisjointMut<'a, f32>,
}

impl Kernel for ImageGradient<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let GroupedConv { groups, part, spread, .. } = self.conv;
        let group = chunk % groups;
        let own = chunk * part.image_len()..(chunk + 1) * part.image_len();
        // SAFETY: every chunk has its own image's group.
        let d_image = unsafe { self.d_images.range(own) };
        let len = part.filters * spread.height * spread.width;
        scratch::with(len + Planes::SLACK, |planes| {
            let (filled, slack) = planes.split_at_mut(len);
            let delta = &self.delta[chunk * part.output_len()..][..part.output_len()];
            spread.fill(part, delta, filled);
            slack.fill(0.0);
            s.outline(Correlated {
                planes,
                row_step: spread.width,
                taps: &spread.taps,
                weight: &self.turned[group * part.weight_len()..][..part.weight_len()],
                bias: &[],
                rows: part.height,
                columns: part.width,
                output: d_image,
            });
        });
    }
}

struct WeightGradient<'a> {
    conv: &'a GroupedConv,
    batch: usize,
    images: &'a [f32],
    delta: &'a [f32],
    d_weight: DisjointMut<'a, f32>,
    d_bias: DisjointMut<'a, f32>,
}

impl Kernel for WeightGradient<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, filter: usize) {
        let GroupedConv { groups, part, planes: layout, .. } = self.conv;
        let (group, of_group) = (filter / part.filters, filter % part.filters);
        let taps = layout.taps()[0];
        // SAFETY: every filter has its own weights and its own bias.
        let (d_weight, d_bias) = unsafe {
            let own = filter * taps.len()..(filter + 1) * taps.len();
            (self.d_weight.range(own), self.d_bias.range(filter..filter + 1))
        };
        d_weight.fill(0.0);
        d_bias.fill(0.0);
        let [rows, columns] = part.conv_size();
        let plane = rows * columns;
        scratch::with(layout.len() + Planes::SLACK, |planes| {
            planes[layout.len()..].fill(0.0);
            for image in 0..self.batch {
                let at = image * groups + group;
                let pixels = &self.images[at * part.image_len()..][..part.image_len()];
                layout.fill(pixels, &mut planes[..layout.len()]);
                let delta = &self.delta[at * part.output_len()..][of_group * plane..][..plane];
                s.outline(Products {
                    planes,
                    row_step: layout.row_step(),
                    taps,
                    delta,
                    columns,
                    d_weight: &mut *d_weight,
                    d_bias: &mut *d_bias,
                });
            }
        });
    }
}
