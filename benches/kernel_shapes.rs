//! A training step of one conv block, forward and backward, for the shapes that a growing study
//! produces. `benches/peers/race.py` runs it beside PyTorch.
//!
//! `cargo bench --bench kernel_shapes -- [--threads N] [--only TEXT] [--json]`

use std::time::Instant;

use burgeon_kernel::conv::{ConvBlock, ConvGradients, ConvShape, Padding, Pool, Saved};
use burgeon_kernel::{Activation, Cpu, Executor};

const BATCH: usize = 64;
/// Half of them warm up.
const ROUNDS: usize = 30;

/// Channels in and out, the image's side, the kernel's side, what follows.
const SHAPES: [(usize, usize, usize, usize, Pool); 16] = [
    (1, 8, 28, 3, Pool::Max2x2),
    (1, 8, 28, 5, Pool::None),
    (1, 16, 56, 7, Pool::Max2x2),
    (1, 32, 28, 3, Pool::None),
    (8, 16, 14, 3, Pool::Max2x2),
    (8, 16, 14, 5, Pool::None),
    (8, 16, 28, 3, Pool::None),
    (16, 16, 56, 3, Pool::Max2x2),
    (16, 32, 14, 3, Pool::Max2x2),
    (16, 32, 14, 5, Pool::None),
    (16, 32, 28, 7, Pool::Max2x2),
    (32, 64, 7, 3, Pool::None),
    (32, 64, 14, 3, Pool::Max2x2),
    (32, 64, 7, 5, Pool::None),
    (64, 64, 14, 3, Pool::None),
    (64, 128, 7, 3, Pool::None),
];

/// The layers of `models/compact.toml`: batch-norm follows, so there is neither relu nor pool.
const LINEAR: [(usize, usize, usize, usize, Pool); 3] =
    [(1, 12, 28, 3, Pool::None), (12, 20, 14, 3, Pool::None), (20, 32, 7, 3, Pool::None)];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let threads = value("--threads").and_then(|threads| threads.parse().ok()).unwrap_or(2);
    let only = value("--only").map_or("", String::as_str);
    let json = arguments.iter().any(|argument| argument == "--json");
    let cpu = Cpu::from_env().unwrap_or_else(|error| panic!("{error}"));
    let executor = Executor::new(cpu, threads);
    let blocks = SHAPES.map(|shape| (shape, Activation::Relu)).into_iter();
    for (shape, activation) in blocks.chain(LINEAR.map(|shape| (shape, Activation::Linear))) {
        let (channels, filters, side, kernel, pool) = shape;
        let shape = ConvShape {
            in_channels: channels,
            height: side,
            width: side,
            filters,
            kernel: [kernel; 2],
            stride: [1, 1],
            padding: Padding::uniform(kernel / 2),
            activation,
            pool,
        };
        let name = format!(
            "{channels}→{filters} {kernel}×{kernel} {side}×{side} {}",
            match (activation, pool) {
                (Activation::Linear, _) => "linear",
                (_, Pool::None) => "relu",
                (_, Pool::Max2x2) => "relu pool",
            }
        );
        if !name.contains(only) {
            continue;
        }
        let [forward, backward] = measure(&executor, shape);
        if json {
            let step = forward + backward;
            println!(
                r#"{{"shape":"{name}","forward_ms":{forward:.4},"backward_ms":{backward:.4},"step_ms":{step:.4}}}"#
            );
        } else {
            println!("{name:<28} forward {forward:8.3} ms   backward {backward:8.3} ms");
        }
    }
}

/// Median milliseconds of the forward and of the backward pass of a batch. The first layer of a
/// network needs no gradient of its images.
fn measure(executor: &Executor, shape: ConvShape) -> [f64; 2] {
    let block = ConvBlock::new(shape);
    let images = numbers(BATCH * shape.image_len(), 1.0);
    let scale = 2.0 / (shape.filter_len() as f32).sqrt();
    let (weight, bias) = (numbers(shape.weight_len(), scale), numbers(shape.filters, 0.1));
    let mut output = vec![0.0; BATCH * shape.output_len()];
    let d_output = numbers(output.len(), 1.0);
    let (mut d_weight, mut d_bias) = (weight.clone(), bias.clone());
    let mut d_images = (shape.in_channels > 1).then(|| images.clone());
    let mut saved = Saved::default();
    let mut times = [const { Vec::new() }; 2];
    for round in 0..ROUNDS {
        let start = Instant::now();
        let saved_for_backward = Some(&mut saved);
        block.forward(executor, BATCH, &images, &weight, &bias, &mut output, saved_for_backward);
        let middle = Instant::now();
        let gradients = ConvGradients {
            images: d_images.as_deref_mut(),
            weight: &mut d_weight,
            bias: &mut d_bias,
        };
        block.backward(executor, BATCH, &images, &weight, &saved, &output, &d_output, gradients);
        if round >= ROUNDS / 2 {
            times[0].push((middle - start).as_secs_f64() * 1e3);
            times[1].push(middle.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// Numbers from -1 to 1, times `scale`: SplitMix64 ([Steele et al.
/// 2014](https://doi.org/10.1145/2714064.2660195)).
fn numbers(len: usize, scale: f32) -> Vec<f32> {
    let mut state = len as u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) >> 40
    };
    (0..len).map(|_| (next() as f32 / (1 << 23) as f32 - 1.0) * scale).collect()
}
