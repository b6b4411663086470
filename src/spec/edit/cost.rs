//! What edits cost.

use crate::spec::study::Spec;

/// What a child costs against its parent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EditCost {
    /// Parameters gained; negative when lost.
    pub parameters: i64,
    /// Floating-point operations of a forward pass of one image gained; negative when lost.
    pub flops_per_image: i64,
    /// Floating-point operations of the child's whole training, both passes.
    pub training_flops: f64,
}

/// A backward pass takes about twice the work of a forward pass.
const PASSES: f64 = 3.0;

impl EditCost {
    /// Compares two specs. `images` is how many training images an epoch has, and `epochs` how many
    /// the child still has to train.
    pub fn between(parent: &Spec, child: &Spec, images: usize, epochs: usize) -> Self {
        let (before, after) = (parent.table(), child.table());
        let gained = |after: usize, before: usize| after as i64 - before as i64;
        Self {
            parameters: gained(after.parameters(), before.parameters()),
            flops_per_image: gained(after.flops(), before.flops()),
            training_flops: training_flops(child, images, epochs),
        }
    }

    /// How long the child may take, where a training of `flops` took `seconds`.
    pub fn expected_seconds(&self, flops: f64, seconds: f64) -> Option<f64> {
        (flops > 0.0 && seconds > 0.0).then(|| self.training_flops / flops * seconds)
    }
}

/// Floating-point operations of a training of `epochs` epochs of `images` images.
pub fn training_flops(spec: &Spec, images: usize, epochs: usize) -> f64 {
    PASSES * spec.table().flops() as f64 * images as f64 * epochs as f64
}
