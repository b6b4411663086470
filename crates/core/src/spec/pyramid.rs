//! The networks of one plain family: a pyramid of convolutions with batch-norm, and how its members are trained.

use super::{Activation, BatchNorm, Conv, Dense, Dropout, InputShape, Layer, Pool};

/// Largest side of the feature map that reaches the dense layer.
pub(crate) const LAST_SIDE: usize = 8;
/// From this side on, the first convolution has a stride of 2.
pub(crate) const LARGE_SIDE: usize = 96;
/// The peak of the cycle.
pub const PEAK_RATE: f64 = 0.003;
/// Filters of the narrowest member.
pub(crate) const NARROWEST: usize = 4;

/// The batch size for a number of training images: smaller for few images, so that there are enough steps.
pub fn batch(images: usize) -> usize {
    match images {
        ..500 => 16,
        500..2000 => 32,
        _ => 64,
    }
}

/// The layers of the member of this width, with dropout before the dense layer where the rate is not 0.
pub fn layers(input: InputShape, width: usize, dropout: f64) -> Vec<Layer> {
    let mut side = input.height.min(input.width);
    let kernel = if side < 3 { 1 } else { 3 };
    let mut layers = Vec::new();
    for stage in 1.. {
        let mut conv = Conv { activation: Activation::None, ..Conv::same(stage * width, kernel) };
        if stage == 1 && side >= LARGE_SIDE {
            conv.stride = 2;
            side = side.div_ceil(2);
        }
        layers.push(Layer::Conv(conv));
        let activation = Activation::Relu;
        layers.push(Layer::BatchNorm(BatchNorm { activation, ..BatchNorm::default() }));
        // Small images have two convolutions as well.
        if side <= LAST_SIDE && stage > 1 {
            break;
        }
        if side > LAST_SIDE {
            layers.push(Layer::MaxPool(Pool::of(2)));
            side /= 2;
        }
    }
    if dropout > 0.0 {
        layers.push(Layer::Dropout(Dropout { rate: dropout }));
    }
    layers.push(Layer::Dense(Dense::of(4 * width)));
    layers
}
