//! Tests of `spec::edit::apply`.

use super::*;
use crate::spec::shape::InputShape;

fn activations(layers: Vec<Layer>) -> Vec<Activation> {
    let spec = Spec::new(StudyFile::new("bent", layers), InputShape::MNIST).unwrap();
    let edited = Edit::SetActivation { activation: Activation::Gelu }.apply(&spec).unwrap();
    edited.layers().iter().filter_map(Layer::activation).collect()
}

#[test]
fn linear_layers_stay_unless_all_are() {
    use Activation::{Gelu, None, Relu};
    let conv = |activation| Layer::Conv(Conv { activation, ..Conv::same(4, 3) });
    let norm = |activation| Layer::BatchNorm(BatchNorm { activation, ..BatchNorm::default() });
    assert_eq!(activations(vec![conv(None), norm(Relu), conv(Relu)]), [None, Gelu, Gelu]);
    assert_eq!(activations(vec![conv(None), norm(None), conv(None)]), [None, Gelu, Gelu]);
    assert_eq!(activations(vec![conv(None), conv(None)]), [Gelu, Gelu]);
}
