//! One plain family of networks, whose members differ in width and in how long they train.
//!
//! A member is a pyramid of 3×3 convolutions of w, 2w, 3w, … filters, each with batch-norm (Ioffe and Szegedy 2015)
//! and, until the feature map has at most 8 pixels a side, a 2×2 max-pool; then a dense layer of 4w units. It is
//! trained with Adam along one cycle (Smith and Topin 2018) that peaks at 0.003, in batches of 64. The depth follows
//! from the side of the images; of images of 96 pixels a side or more the first convolution has a stride
//! of 2, as is usual for such sizes (He et al. 2016).
//!
//! Along the frontier of error against compute, width and training grow together (Hoffmann et al. 2022 found the
//! same for parameters and tokens): four times the compute is √2 times the width and twice the images seen.
//! `examples/growth_prior.rs` measures members on many data sets; [`prior`](super::prior) holds the prior that follows from them.

use super::variety::Variety;
pub(super) use crate::spec::pyramid::{LARGE_SIDE, LAST_SIDE, NARROWEST};
pub use crate::spec::pyramid::{PEAK_RATE, batch, layers};
use crate::spec::{InputShape, Layer, Optimizer, Schedule, Spec, StudyFile, training_flops};

/// Width of the member that [`computes`](Member::compute) C₀.
const WIDTH: f64 = 8.0;
/// This member sees `SEEN_BY_ROOT`·√n images in all, where n is the number of training images: each image of a
/// smaller set is seen more often, but fewer are seen in all.
const SEEN_BY_ROOT: f64 = 400.0;
/// Fewest training steps of this member, however few images there are.
const STEPS_LEAST: usize = 300;
/// Compute of the member that a study without a file starts from, and that searches try first, as a multiple of C₀.
pub(super) const FIRST_COMPUTE: f64 = 4.0;
/// Filters of the widest member.
const WIDEST: usize = 128;
/// Most epochs that a member trains for.
const EPOCHS_MOST: usize = 200;

/// A member of the family for some data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Filters of the first convolution.
    pub width: usize,
    /// Passes over the training images.
    pub epochs: usize,
}

impl Member {
    /// The member for this number of training images that takes about `compute` times C₀.
    pub fn of(images: usize, compute: f64) -> Self {
        let one_epoch = images.max(1) as f64;
        let epochs = (seen(images) * compute.sqrt() / one_epoch).round() as usize;
        let epochs = epochs.clamp(1, EPOCHS_MOST);
        // Epochs are whole; the width makes up for what was rounded.
        let for_width = compute * seen(images) / (epochs as f64 * one_epoch);
        let width = (WIDTH * for_width.sqrt()).round() as usize;
        Self { width: width.clamp(NARROWEST, WIDEST), epochs }
    }
}

impl Member {
    /// A study that trains the member on this number of images of this shape.
    pub fn study(
        self,
        name: &str,
        input: InputShape,
        images: usize,
        variety: Variety,
    ) -> StudyFile {
        let mut study = StudyFile::new(name, layers(input, self.width, variety.dropout()));
        study.train.epochs = self.epochs;
        study.train.batch_size = batch(images);
        study.train.optimizer = Optimizer::default();
        study.train.learning_rate = PEAK_RATE;
        study.train.schedule = Schedule::one_cycle();
        study.train.augment = variety.augment(input, study.train.augment);
        study
    }
}

/// Images that the member of C₀ sees.
fn seen(images: usize) -> f64 {
    (SEEN_BY_ROOT * (images as f64).sqrt()).max((STEPS_LEAST * batch(images)) as f64)
}

/// C₀: the floating-point operations of training the smallest sensible member on this number of images.
pub fn base_compute(input: InputShape, images: usize) -> f64 {
    // Not from its epochs, which are rounded to whole numbers.
    member_spec(input, WIDTH as usize).map_or(1.0, |spec| training_flops(&spec, 1, 1))
        * seen(images)
}

/// Floating-point operations of one forward pass of the member of this width, for one image.
pub(super) fn flops(input: InputShape, width: usize) -> usize {
    member_spec(input, width).map_or(0, |spec| spec.table().flops())
}

fn member_spec(input: InputShape, width: usize) -> Option<Spec> {
    Spec::new(StudyFile::new("member", layers(input, width, 0.0)), input).ok()
}

/// The width of a network that has the layers of a member, dropout aside, and is trained like one; `None` for others.
pub(super) fn width_of(spec: &Spec) -> Option<usize> {
    let without_dropout = |layers: &[Layer]| -> Vec<Layer> {
        layers.iter().filter(|layer| !matches!(layer, Layer::Dropout(_))).cloned().collect()
    };
    let width = spec.layers().iter().find_map(|layer| match layer {
        Layer::Conv(conv) => Some(conv.filters),
        _ => None,
    })?;
    let has_layers = without_dropout(spec.layers()) == layers(spec.input(), width, 0.0);
    let train = spec.train();
    let is_annealed = train.schedule != (Schedule::Constant {});
    (has_layers && is_annealed && train.optimizer.is_adaptive()).then_some(width)
}

/// Number of convolutions of the members for images of this shape.
pub(super) fn depth(input: InputShape) -> usize {
    let is_conv = |layer: &&Layer| matches!(layer, Layer::Conv(_));
    layers(input, 1, 0.0).iter().filter(is_conv).count()
}

#[cfg(test)]
mod tests;
