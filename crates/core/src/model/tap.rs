//! A forward pass in which every input of a layer with weights can be seen and changed.

use burn::tensor::Tensor;

use super::arrays::LayerPlace;
use super::network::{Features, Mode, Network, NetworkLayer, computed_indices};
use crate::spec::{Layer, Spec};
use burgeon_kernel::backend;

/// Sees the input of each convolution and dense layer, and returns what the layer computes with instead.
pub(super) trait Tap {
    /// The input of the layer whose arrays' names begin with `prefix`: `[batch, channels, height, width]`.
    fn image(&mut self, prefix: &str, input: Tensor<4>) -> Tensor<4>;

    /// The same of a dense layer: `[batch, features]`.
    fn flat(&mut self, prefix: &str, input: Tensor<2>) -> Tensor<2>;
}

impl Network {
    /// Images `[batch, channels, height, width]` → logits `[batch, classes]`; `spec` is the one that the
    /// network was built from.
    pub(super) fn forward_tapped(
        &self,
        spec: &Spec,
        images: Tensor<4>,
        tap: &mut dyn Tap,
    ) -> Tensor<2> {
        let place = |index| LayerPlace::of(spec, index);
        walk(self.layers(), spec.layers(), &place, Features::Images(images), tap).flat()
    }
}

fn walk(
    layers: &[NetworkLayer],
    specs: &[Layer],
    place: &dyn Fn(usize) -> LayerPlace,
    input: Features,
    tap: &mut dyn Tap,
) -> Features {
    let mut features = input;
    for (layer, index) in layers.iter().zip(computed_indices(specs)) {
        let place = place(index);
        features = match (layer, specs.get(index), features) {
            (NetworkLayer::Conv(_), _, Features::Images(input)) => {
                let input = tap.image(&place.prefix, input);
                layer.forward(Features::Images(input), Mode::Evaluate)
            }
            (NetworkLayer::Dense(_), _, input) => {
                let input = tap.flat(&place.prefix, input.flat());
                layer.forward(Features::Flat(input), Mode::Evaluate)
            }
            (
                NetworkLayer::Residual(block),
                Some(Layer::Residual(spec)),
                Features::Images(input),
            ) => {
                let (inner, projection, activation) = block.parts();
                let branch = Features::Images(input.clone());
                let branch = walk(inner, &spec.layers, &|at| place.inner(at), branch, tap);
                // A convolution, and perhaps a batch-norm, which has no input to be seen.
                let at_projection = |_| place.projection();
                let shortcut = Features::Images(input);
                let shortcut = walk(projection, &[], &at_projection, shortcut, tap);
                match (branch, shortcut) {
                    (Features::Images(branch), Features::Images(shortcut)) => {
                        Features::Images(backend::add(branch, shortcut, activation.into()))
                    }
                    // Unreachable: validation refuses layers that flatten within a block.
                    (other, _) => other,
                }
            }
            (layer, _, input) => layer.forward(input, Mode::Evaluate),
        };
    }
    features
}
