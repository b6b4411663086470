//! Runs a network of a spec by hand, with burn as this crate uses it.
//!
//! `cargo run --release --example own_loop`

use burgeon::burn::tensor::{Device, Tensor, TensorData};
use burgeon::model::{Mode, Network, Weights};
use burgeon::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let layers = vec![Layer::Conv(Conv::same(4, 3)), Layer::Dense(Dense::of(8))];
    let spec = Spec::new(StudyFile::new("loop", layers), InputShape::MNIST)?;
    let network = Network::new(&spec, &Weights::initial(&spec, 1), &device)?;
    let grey = vec![0.5_f32; 2 * 28 * 28];
    let images = Tensor::<4>::from_data(TensorData::new(grey, [2, 1, 28, 28]), &device);
    let scores = network.forward(images, Mode::Evaluate);
    println!("the classes' scores: {:?}", scores.dims());
    Ok(())
}
