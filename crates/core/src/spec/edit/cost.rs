//! What edits cost in parameters, FLOPs and training time.

use crate::spec::study::Spec;

/// What a child costs compared with its parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EditCost {
    /// Change in the number of parameters.
    pub parameters: i64,
    /// Change in the floating-point operations of a forward pass of one image.
    pub flops_per_image: i64,
    /// Floating-point operations of the child's whole training, forward and backward.
    pub training_flops: f64,
}

/// Cost of training on an image, in forward passes: one forward pass, and a backward pass that costs
/// about two.
const PASSES: f64 = 3.0;

impl EditCost {
    /// Compares two specs. `images` is how many training images an epoch has, and `epochs` how many
    /// the child still has to train.
    pub fn between(parent: &Spec, child: &Spec, images: usize, epochs: usize) -> Self {
        let (before, after) = (parent.table(), child.table());
        let difference = |after: usize, before: usize| after as i64 - before as i64;
        Self {
            parameters: difference(after.parameters(), before.parameters()),
            flops_per_image: difference(after.flops(), before.flops()),
            training_flops: training_flops(child, images, epochs),
        }
    }

    /// Estimated training time of the child in seconds, given that a training of `flops` took
    /// `seconds`; `None` if either is not positive.
    pub fn expected_seconds(&self, flops: f64, seconds: f64) -> Option<f64> {
        (flops > 0.0 && seconds > 0.0).then(|| self.training_flops / flops * seconds)
    }
}

/// Floating-point operations of training for `epochs` epochs of `images` images, forward and backward.
pub fn training_flops(spec: &Spec, images: usize, epochs: usize) -> f64 {
    PASSES * spec.table().flops() as f64 * images as f64 * epochs as f64
}
