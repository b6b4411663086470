//! Trains the network of a spec in your own loop, with burn's loss, gradients and optimizer.
//!
//! `cargo run --profile quick --example own_loop`

use burgeon::burn::nn::loss::CrossEntropyLossConfig;
use burgeon::burn::optim::{AdamConfig, GradientsParams};
use burgeon::burn::tensor::{Device, Int, Tensor, TensorData};
use burgeon::model::{Mode, Network, Weights};
use burgeon::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let input = InputShape { channels: 1, height: 8, width: 8, classes: 2 };
    let layers = vec![Layer::Conv(Conv::same(4, 3)), Layer::Dense(Dense::of(8))];
    let spec = Spec::new(StudyFile::new("loop", layers), input)?;
    let mut network = Network::new(&spec, &Weights::initial(&spec, 1), &device)?;

    // 32 images, whose left or right half is white.
    let white = |at: usize| (at % 8 < 4) == (at / 64).is_multiple_of(2);
    let pixels: Vec<f32> = (0..32 * 64).map(|at| f32::from(white(at))).collect();
    let images = Tensor::<4>::from_data(TensorData::new(pixels, [32, 1, 8, 8]), &device);
    let labels: Vec<i32> = (0..32).map(|image| image % 2).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [32]), &device);

    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    let mut adam = AdamConfig::new().init();
    let mut losses: Vec<f32> = Vec::new();
    for step in 0..30 {
        let logits = network.forward(images.clone(), Mode::Train { dropout_seed: step });
        let loss = cross_entropy.forward(logits, labels.clone());
        losses.push(loss.clone().into_scalar());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = adam.step(0.003, network, gradients);
    }
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    println!("loss {first:.3} -> {last:.3} in {} steps", losses.len());
    let learned = network.weights(&spec)?;
    println!("{} arrays of weights", learned.iter().count());
    if last < first / 2.0 { Ok(()) } else { Err("nothing was learned".into()) }
}
