//! A training step of one conv block, forward and backward, for the shapes that a growing study
//! produces, and for those of networks for colour images. `benches/peers/race.py` and
//! `benches/peers/colour.py` run it beside PyTorch.
//!
//! With `--methods` the direct method and Winograd's are timed in turn, wherever both can compute a
//! shape: the rules in `crates/kernel/src/conv/winograd/mod.rs` come from it.
//!
//! `cargo bench --bench kernel_shapes -- [--threads N] [--only TEXT] [--json] [--methods] [--colour]`

use std::time::Instant;

use burgeon::unstable::kernel::conv::{ConvBlock, ConvGradients, ConvShape, Padding, Pool, Saved};
use burgeon::unstable::kernel::{Activation, Cpu, Executor};

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

/// 3×3 layers of networks for colour images: channels in and out, and the image's side. Batch-norm
/// follows.
const COLOUR: [(usize, usize, usize); 12] = [
    (32, 32, 32),
    (32, 64, 32),
    (64, 64, 32),
    (32, 32, 16),
    (32, 64, 16),
    (64, 64, 16),
    (64, 128, 16),
    (128, 128, 16),
    (64, 128, 8),
    (128, 128, 8),
    (128, 256, 8),
    (256, 256, 8),
];

/// More of them, to find where one method is faster than the other.
const BORDER: [(usize, usize, usize); 15] = [
    (3, 32, 32),
    (3, 64, 32),
    (8, 8, 32),
    (8, 16, 32),
    (12, 20, 14),
    (16, 8, 16),
    (16, 16, 32),
    (16, 16, 16),
    (16, 16, 8),
    (16, 32, 14),
    (20, 32, 7),
    (24, 24, 28),
    (32, 64, 7),
    (64, 64, 14),
    (16, 16, 128),
];

/// 5×5 layers, for the same.
const BORDER_OF_FIVE: [(usize, usize, usize); 18] = [
    (1, 32, 28),
    (3, 32, 32),
    (3, 64, 32),
    (6, 16, 10),
    (6, 16, 14),
    (8, 8, 32),
    (8, 16, 9),
    (8, 16, 14),
    (8, 16, 28),
    (12, 20, 14),
    (16, 16, 16),
    (16, 32, 14),
    (20, 32, 7),
    (32, 32, 16),
    (32, 64, 7),
    (32, 64, 14),
    (64, 64, 8),
    (64, 64, 16),
];

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
    let [methods, colour] =
        ["--methods", "--colour"].map(|name| arguments.iter().any(|argument| argument == name));
    let mut blocks: Vec<_> =
        COLOUR.iter().map(|shape| (of_colour(*shape), Activation::Linear)).collect();
    if methods {
        let activations = [Activation::Linear, Activation::Relu];
        for activation in activations {
            blocks.extend(BORDER.iter().map(|shape| (of_colour(*shape), activation)));
        }
        for activation in activations {
            let shapes = BORDER.iter().chain(&COLOUR);
            blocks.extend(shapes.map(|&(channels, filters, side)| {
                ((channels, filters, side, 3, Pool::Max2x2), activation)
            }));
        }
        for (pool, activation) in
            [Pool::None, Pool::Max2x2].into_iter().flat_map(|pool| activations.map(|a| (pool, a)))
        {
            blocks.extend(BORDER_OF_FIVE.iter().map(|&(channels, filters, side)| {
                ((channels, filters, side, 5, pool), activation)
            }));
        }
    } else if !colour {
        blocks = SHAPES.map(|shape| (shape, Activation::Relu)).to_vec();
        blocks.extend(LINEAR.map(|shape| (shape, Activation::Linear)));
    }
    for (shape, activation) in blocks {
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
                (Activation::Linear, Pool::None) => "linear",
                (Activation::Linear, Pool::Max2x2) => "linear pool",
                (_, Pool::None) => "relu",
                (_, Pool::Max2x2) => "relu pool",
            }
        );
        if !name.contains(only) {
            continue;
        }
        if methods {
            compare(&executor, &name, shape);
            continue;
        }
        let [[forward, backward]] = measure(&executor, shape, [&ConvBlock::new(shape)]);
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

fn of_colour(
    (channels, filters, side): (usize, usize, usize),
) -> (usize, usize, usize, usize, Pool) {
    (channels, filters, side, 3, Pool::None)
}

/// Both methods, and how many times faster Winograd's is.
fn compare(executor: &Executor, name: &str, shape: ConvShape) {
    let Some(winograd) = ConvBlock::winograd(shape) else {
        return println!("{name:<28} direct only");
    };
    let [direct, winograd] = measure(executor, shape, [&ConvBlock::direct(shape), &winograd]);
    print!("{name:<28}");
    for (pass, (direct, winograd)) in
        ["forward", "backward"].iter().zip(direct.into_iter().zip(winograd))
    {
        print!("   {pass} {direct:8.3} ms, {winograd:8.3} ms: {:4.2}×", direct / winograd);
    }
    println!();
}

/// Median milliseconds of the forward and of the backward pass of a batch with each block, in turn.
/// The first layer of a network needs no gradient of its images.
fn measure<const N: usize>(
    executor: &Executor,
    shape: ConvShape,
    blocks: [&ConvBlock; N],
) -> [[f64; 2]; N] {
    let images = numbers(BATCH * shape.image_len(), 1.0);
    let scale = 2.0 / (shape.filter_len() as f32).sqrt();
    let (weight, bias) = (numbers(shape.weight_len(), scale), numbers(shape.filters, 0.1));
    let mut output = vec![0.0; BATCH * shape.output_len()];
    let d_output = numbers(output.len(), 1.0);
    let (mut d_weight, mut d_bias) = (weight.clone(), bias.clone());
    let mut d_images = (shape.in_channels > 3).then(|| images.clone());
    let mut saved = Saved::default();
    let mut times = [(); N].map(|()| [const { Vec::new() }; 2]);
    for round in 0..ROUNDS {
        for (block, times) in blocks.iter().zip(&mut times) {
            let start = Instant::now();
            let saved_for_backward = Some(&mut saved);
            block.forward(
                executor,
                BATCH,
                &images,
                &weight,
                &bias,
                &mut output,
                saved_for_backward,
            );
            let middle = Instant::now();
            let gradients = ConvGradients {
                images: d_images.as_deref_mut(),
                weight: &mut d_weight,
                bias: &mut d_bias,
            };
            block
                .backward(executor, BATCH, &images, &weight, &saved, &output, &d_output, gradients);
            if round >= ROUNDS / 2 {
                times[0].push((middle - start).as_secs_f64() * 1e3);
                times[1].push(middle.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    times.map(|of_block| {
        of_block.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
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
