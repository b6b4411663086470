//! The networks of models/*.toml in candle, with all data in memory: a peer for burgeon.
//!
//! ```text
//! cargo build --release --manifest-path benches/peers/candle/Cargo.toml
//! candle-peer train --network lenet --batch 64 --epochs 2
//! candle-peer eval --network lenet
//! candle-peer shapes
//! ```
//!
//! Prints a JSON line for every figure. The same work as `torch_peer.py`.

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use candle::{D, DType, Device, Module, ModuleT, Result, Tensor, Var};
use candle_nn::{
    AdamW, BatchNorm, Conv2d, Conv2dConfig, Linear, Optimizer, ParamsAdamW, VarBuilder, VarMap,
    batch_norm, conv2d, linear, loss,
};

struct Arguments {
    work: String,
    network: String,
    data: String,
    images: usize,
    batch: usize,
    epochs: usize,
}

impl Arguments {
    fn read() -> std::result::Result<Self, String> {
        let mut found = Self {
            work: String::new(),
            network: "lenet".into(),
            data: "data".into(),
            // As burgeon trains on.
            images: 55_000,
            batch: 64,
            epochs: 2,
        };
        let mut arguments = std::env::args().skip(1);
        found.work = arguments.next().ok_or("train, eval or shapes")?;
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse().map_err(|_| format!("{name} {value}: not a number"));
            match name.as_str() {
                "--network" => found.network = value,
                "--data" => found.data = value,
                "--images" => found.images = number()?,
                "--batch" => found.batch = number()?,
                "--epochs" => found.epochs = number()?,
                // Before the first operation; candle reads it then.
                "--threads" => unsafe { std::env::set_var("RAYON_NUM_THREADS", value) },
                _ => return Err(format!("{name} is no argument")),
            }
        }
        Ok(found)
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    match arguments.work.as_str() {
        "train" => train(&arguments),
        "eval" => evaluate(&arguments),
        "shapes" => shapes(&arguments),
        other => Err(format!("{other}: train, eval or shapes").into()),
    }
}

fn idx(folder: &str, name: &str, header: usize) -> std::io::Result<Vec<u8>> {
    let path = Path::new(folder).join(name);
    let mut bytes = Vec::new();
    if path.exists() {
        bytes = std::fs::read(path)?;
    } else {
        let packed = std::fs::File::open(Path::new(folder).join(format!("{name}.gz")))?;
        flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes)?;
    }
    Ok(bytes.split_off(header))
}

/// Pixels, `[count, 784]`, normalized.
fn images(folder: &str, name: &str) -> std::result::Result<Vec<f32>, Box<dyn Error>> {
    let normalize = |pixel: u8| (f32::from(pixel) / 255.0 - 0.1307) / 0.3081;
    Ok(idx(folder, name, 16)?.into_iter().map(normalize).collect())
}

/// A batch, gathered as data loaders of candle do.
fn gather(pixels: &[f32], labels: &[u8], positions: &[usize]) -> Result<(Tensor, Tensor)> {
    let mut x = Vec::with_capacity(positions.len() * 784);
    let mut y = Vec::with_capacity(positions.len());
    for &at in positions {
        x.extend_from_slice(&pixels[at * 784..][..784]);
        y.push(u32::from(labels[at]));
    }
    let device = &Device::Cpu;
    Ok((
        Tensor::from_vec(x, (positions.len(), 1, 28, 28), device)?,
        Tensor::from_vec(y, positions.len(), device)?,
    ))
}

enum Network {
    Lenet { convs: [Conv2d; 2], denses: [Linear; 3] },
    SingleConv { conv: Conv2d, denses: [Linear; 2] },
    Compact { convs: [Conv2d; 4], norms: [BatchNorm; 4], dense: Linear },
}

impl Network {
    fn new(name: &str, variables: VarBuilder) -> Result<Self> {
        let conv = |name: &str, from, to, kernel, padding| {
            conv2d(
                from,
                to,
                kernel,
                Conv2dConfig { padding, ..Default::default() },
                variables.pp(name),
            )
        };
        let dense = |name: &str, from, to| linear(from, to, variables.pp(name));
        match name {
            "lenet" => Ok(Self::Lenet {
                convs: [conv("c1", 1, 6, 5, 2)?, conv("c2", 6, 16, 5, 0)?],
                denses: [dense("d1", 400, 120)?, dense("d2", 120, 84)?, dense("d3", 84, 10)?],
            }),
            "single-conv" => Ok(Self::SingleConv {
                conv: conv("c1", 1, 32, 3, 0)?,
                denses: [dense("d1", 32 * 13 * 13, 128)?, dense("d2", 128, 10)?],
            }),
            "compact" => {
                let norm = |name: &str, of| batch_norm(of, 1e-5, variables.pp(name));
                Ok(Self::Compact {
                    convs: [
                        conv("c1", 1, 10, 3, 1)?,
                        conv("c2", 10, 16, 3, 1)?,
                        conv("c3", 16, 20, 3, 1)?,
                        conv("c4", 20, 24, 3, 1)?,
                    ],
                    norms: [norm("n1", 10)?, norm("n2", 16)?, norm("n3", 20)?, norm("n4", 24)?],
                    dense: dense("d1", 24, 10)?,
                })
            }
            other => Err(candle::Error::Msg(format!("{other}: lenet, single-conv or compact"))),
        }
    }

    fn logits(&self, x: &Tensor, is_training: bool) -> Result<Tensor> {
        match self {
            Self::Lenet { convs: [first, second], denses: [one, two, three] } => {
                let x = first.forward(x)?.relu()?.max_pool2d(2)?;
                let x = second.forward(&x)?.relu()?.max_pool2d(2)?;
                let x = one.forward(&x.flatten_from(1)?)?.relu()?;
                three.forward(&two.forward(&x)?.relu()?)
            }
            Self::SingleConv { conv, denses: [one, two] } => {
                let x = conv.forward(x)?.relu()?.max_pool2d(2)?;
                two.forward(&one.forward(&x.flatten_from(1)?)?.relu()?)
            }
            Self::Compact { convs, norms, dense } => {
                let mut x = x.clone();
                for (at, (conv, norm)) in convs.iter().zip(norms).enumerate() {
                    x = norm.forward_t(&conv.forward(&x)?, is_training)?.relu()?;
                    if at < 2 {
                        x = x.max_pool2d(2)?;
                    }
                }
                dense.forward(&x.mean(D::Minus1)?.mean(D::Minus1)?)
            }
        }
    }
}

fn train(arguments: &Arguments) -> std::result::Result<(), Box<dyn Error>> {
    let pixels = images(&arguments.data, "train-images-idx3-ubyte")?;
    let labels = idx(&arguments.data, "train-labels-idx1-ubyte", 8)?;
    let count = arguments.images.min(labels.len());
    let variables = VarMap::new();
    let network = Network::new(
        &arguments.network,
        VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu),
    )?;
    // Adam is AdamW without decay.
    let parameters = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..Default::default() };
    let mut optimizer = AdamW::new(variables.all_vars(), parameters)?;
    let mut state = 1_u64;
    for epoch in 1..=arguments.epochs {
        let start = Instant::now();
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            order.swap(at, (state >> 33) as usize % (at + 1));
        }
        let mut last = None;
        for positions in order.chunks_exact(arguments.batch) {
            let (x, y) = gather(&pixels, &labels, positions)?;
            let loss = loss::cross_entropy(&network.logits(&x, true)?, &y)?;
            optimizer.backward_step(&loss)?;
            last = Some(loss);
        }
        let seconds = start.elapsed().as_secs_f64();
        let loss = last.map(|loss| loss.to_scalar::<f32>()).transpose()?.unwrap_or(f32::NAN);
        println!("{{\"epoch\": {epoch}, \"seconds\": {seconds}, \"loss\": {loss}}}");
    }
    Ok(())
}

fn evaluate(arguments: &Arguments) -> std::result::Result<(), Box<dyn Error>> {
    let pixels = images(&arguments.data, "t10k-images-idx3-ubyte")?;
    let labels = idx(&arguments.data, "t10k-labels-idx1-ubyte", 8)?;
    let variables = VarMap::new();
    let network = Network::new(
        &arguments.network,
        VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu),
    )?;
    let positions: Vec<usize> = (0..labels.len()).collect();
    for _ in 0..arguments.epochs {
        let start = Instant::now();
        let mut right = 0;
        for positions in positions.chunks(1000) {
            let (x, y) = gather(&pixels, &labels, positions)?;
            let predicted = network.logits(&x, false)?.argmax(D::Minus1)?;
            right += predicted.eq(&y)?.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()?;
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("{{\"seconds\": {seconds}, \"right\": {right}}}");
    }
    Ok(())
}

/// As in benches/kernel_shapes.rs: channels in and out, the image's side, the kernel's side, pool.
const SHAPES: [(usize, usize, usize, usize, bool); 16] = [
    (1, 8, 28, 3, true),
    (1, 8, 28, 5, false),
    (1, 16, 56, 7, true),
    (1, 32, 28, 3, false),
    (8, 16, 14, 3, true),
    (8, 16, 14, 5, false),
    (8, 16, 28, 3, false),
    (16, 16, 56, 3, true),
    (16, 32, 14, 3, true),
    (16, 32, 14, 5, false),
    (16, 32, 28, 7, true),
    (32, 64, 7, 3, false),
    (32, 64, 14, 3, true),
    (32, 64, 7, 5, false),
    (64, 64, 14, 3, false),
    (64, 128, 7, 3, false),
];

fn shapes(arguments: &Arguments) -> std::result::Result<(), Box<dyn Error>> {
    let device = &Device::Cpu;
    for (channels, filters, side, kernel, has_pool) in SHAPES {
        let variables = VarMap::new();
        let config = Conv2dConfig { padding: kernel / 2, ..Default::default() };
        let builder = VarBuilder::from_varmap(&variables, DType::F32, device);
        let conv = conv2d(channels, filters, kernel, config, builder)?;
        let x = Tensor::randn(0_f32, 1.0, (arguments.batch, channels, side, side), device)?;
        // Images need no gradient.
        let input = if channels > 1 { Var::from_tensor(&x)?.as_tensor().clone() } else { x };
        let block = || -> Result<Tensor> {
            let x = conv.forward(&input)?.relu()?;
            if has_pool { x.max_pool2d(2) } else { Ok(x) }
        };
        let gradient = block()?.randn_like(0.0, 1.0)?.detach();
        let mut times = Vec::new();
        // Fewer than of the others, as a step may take seconds.
        for _ in 0..10 {
            let start = Instant::now();
            (block()? * &gradient)?.sum_all()?.backward()?;
            times.push(start.elapsed().as_secs_f64());
        }
        let mut settled = times.split_off(times.len() / 2);
        settled.sort_by(f64::total_cmp);
        let milliseconds = 1e3 * settled[settled.len() / 2];
        let pool = if has_pool { " pool" } else { "" };
        println!(
            "{{\"shape\": \"{channels}→{filters} {kernel}×{kernel} {side}×{side} relu{pool}\", \"step_ms\": {milliseconds}}}"
        );
    }
    Ok(())
}
