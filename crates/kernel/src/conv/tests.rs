//! The conv block against double precision.

use super::reference::{self, Gradients};
use super::*;
use crate::{Activation, Cpu};

/// A generator of test data: SplitMix64 ([Steele et al.
/// 2014](https://doi.org/10.1145/2714064.2660195)).
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.next() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0).collect()
    }
}

pub(super) struct Case {
    pub shape: ConvShape,
    pub batch: usize,
    pub images: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub d_output: Vec<f32>,
}

impl Case {
    pub fn new(random: &mut Random, shape: ConvShape, batch: usize) -> Self {
        let mut weight = random.floats(shape.weight_len());
        let scale = (shape.filter_len() as f32).sqrt().recip();
        weight.iter_mut().for_each(|weight| *weight *= 2.0 * scale);
        Self {
            shape,
            batch,
            images: random.floats(batch * shape.image_len()),
            weight,
            bias: random.floats(shape.filters),
            d_output: random.floats(batch * shape.output_len()),
        }
    }

    /// Of any shape; small ones where every step is interpreted.
    fn random(random: &mut Random) -> Self {
        let channels = |random: &mut Random| match random.below(if cfg!(miri) { 2 } else { 5 }) {
            0 => 1 + random.below(5),
            1 => random.pick(&[6, 8, 9]),
            2 => 1 + random.below(20),
            3 => 1 + random.below(40),
            _ => random.pick(&[16, 32, 48]),
        };
        let (side, kernel) = if cfg!(miri) { (6, 3) } else { (19, 7) };
        let shape = ConvShape {
            in_channels: channels(random),
            height: 1 + random.below(side),
            width: 1 + random.below(side),
            filters: channels(random),
            kernel: [1 + random.below(kernel), 1 + random.below(kernel)],
            stride: random.pick(&[[1, 1], [1, 1], [2, 2], [1, 2], [2, 1], [3, 2]]),
            padding: Padding {
                top: random.below(4),
                left: random.below(4),
                bottom: random.below(4),
                right: random.below(4),
            },
            activation: random.pick(&Activation::ALL),
            pool: random.pick(&[Pool::None, Pool::Max2x2]),
        };
        let batch = random.pick(if cfg!(miri) { &[1, 5] } else { &[1, 2, 5, 17] });
        Self::new(random, shape, batch)
    }

    fn run(&self, executor: &Executor) -> Results {
        self.run_block(executor, &ConvBlock::new(self.shape))
    }

    pub fn run_block(&self, executor: &Executor, block: &ConvBlock) -> Results {
        let Self { batch, images, weight, bias, .. } = self;
        let mut saved = Saved::default();
        let mut output = vec![f32::NAN; self.d_output.len()];
        block.forward(executor, *batch, images, weight, bias, &mut output, Some(&mut saved));
        let mut d_images = vec![f32::NAN; images.len()];
        let mut d_weight = vec![f32::NAN; weight.len()];
        let mut d_bias = vec![f32::NAN; bias.len()];
        let gradients =
            ConvGradients { images: Some(&mut d_images), weight: &mut d_weight, bias: &mut d_bias };
        block.backward(
            executor,
            *batch,
            images,
            weight,
            &saved,
            &output,
            &self.d_output,
            gradients,
        );
        Results { output, d_images, d_weight, d_bias }
    }

    pub fn reference(&self) -> (Vec<f64>, Gradients) {
        let (images, weight) = (widen(&self.images), widen(&self.weight));
        let forward =
            reference::forward(&self.shape, self.batch, &images, &weight, &widen(&self.bias));
        let d_output = widen(&self.d_output);
        let gradients =
            reference::backward(&self.shape, self.batch, &images, &weight, &forward, &d_output);
        (forward.output, gradients)
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Results {
    pub output: Vec<f32>,
    pub d_images: Vec<f32>,
    pub d_weight: Vec<f32>,
    pub d_bias: Vec<f32>,
}

impl Results {
    /// Each tensor's name, and what was found and expected.
    pub fn beside<'a>(
        &'a self,
        (output, gradients): &'a (Vec<f64>, Gradients),
    ) -> [(&'static str, &'a [f32], &'a [f64]); 4] {
        [
            ("output", &self.output, output),
            ("image gradient", &self.d_images, &gradients.images),
            ("weight gradient", &self.d_weight, &gradients.weight),
            ("bias gradient", &self.d_bias, &gradients.bias),
        ]
    }
}

pub(super) fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// The norm of the difference over the norm of what was expected.
pub(super) fn relative_error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |sum: f64| sum.sqrt();
    let difference =
        norm(found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum());
    difference / norm(expected.iter().map(|b| b * b).sum()).max(1e-30)
}

fn assert_matches_reference(case: &Case) {
    let reference = case.reference();
    for cpu in Cpu::available() {
        let results = case.run(&Executor::new(cpu, 1));
        for (name, found, expected) in results.beside(&reference) {
            let error = relative_error(found, expected);
            assert!(
                error <= 1e-5,
                "{name} is off by {error} with {cpu}, batch {}, {:?}",
                case.batch,
                case.shape
            );
        }
    }
}

fn lenet(random: &mut Random) -> [Case; 2] {
    let conv1 = ConvShape {
        in_channels: 1,
        height: 28,
        width: 28,
        filters: 6,
        kernel: [5, 5],
        stride: [1, 1],
        padding: Padding::uniform(2),
        activation: Activation::Relu,
        pool: Pool::Max2x2,
    };
    let conv2 = ConvShape {
        in_channels: 6,
        height: 14,
        width: 14,
        filters: 16,
        padding: Padding::default(),
        ..conv1
    };
    [Case::new(random, conv1, 9), Case::new(random, conv2, 9)]
}

#[test]
#[cfg_attr(miri, ignore = "takes more than an hour")]
fn random_shapes_match_double_precision() {
    let mut random = Random(1);
    for _ in 0..400 {
        assert_matches_reference(&Case::random(&mut random));
    }
}

#[test]
#[cfg_attr(miri, ignore = "too slow")]
fn the_shapes_of_a_growing_study_match_double_precision() {
    let mut random = Random(2);
    for case in lenet(&mut random) {
        assert_matches_reference(&case);
    }
    for (in_channels, filters, side, kernel) in [
        (1, 8, 28, 3),
        (1, 8, 28, 7),
        (8, 16, 14, 5),
        (16, 32, 14, 3),
        (32, 64, 7, 5),
        (64, 128, 7, 3),
        (16, 16, 56, 3),
    ] {
        for pool in [Pool::None, Pool::Max2x2] {
            let shape = ConvShape {
                in_channels,
                height: side,
                width: side,
                filters,
                kernel: [kernel; 2],
                stride: [1, 1],
                padding: Padding::uniform(kernel / 2),
                activation: Activation::Relu,
                pool,
            };
            assert_matches_reference(&Case::new(&mut random, shape, 2));
        }
    }
}

#[test]
fn thread_counts_give_the_same_bits() {
    let mut random = Random(3);
    let executors: Vec<Vec<Executor>> = Cpu::available()
        .into_iter()
        .map(|cpu| [1, 2, 4].into_iter().map(|threads| Executor::new(cpu, threads)).collect())
        .collect();
    let mut cases: Vec<Case> =
        (0..if cfg!(miri) { 2 } else { 60 }).map(|_| Case::random(&mut random)).collect();
    if !cfg!(miri) {
        cases.extend(lenet(&mut random));
    }
    for case in cases {
        for executors in &executors {
            let one = case.run(&executors[0]);
            for executor in &executors[1..] {
                assert_eq!(case.run(executor), one, "{executor:?} {:?}", case.shape);
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "no unsafe code to check")]
fn the_reference_gradients_are_finite_differences() {
    let mut random = Random(4);
    for _ in 0..40 {
        let mut case = Case::random(&mut random);
        case.shape.height = case.shape.height.min(8);
        case.shape.width = case.shape.width.min(8);
        case.shape.filters = case.shape.filters.min(4);
        let case = Case::new(&mut random, case.shape, 1);
        let (images, weight, bias) = (widen(&case.images), widen(&case.weight), widen(&case.bias));
        let d_output = widen(&case.d_output);
        let loss = |images: &[f64], weight: &[f64], bias: &[f64]| -> f64 {
            let output = reference::forward(&case.shape, 1, images, weight, bias).output;
            output.iter().zip(&d_output).map(|(y, d)| y * d).sum()
        };
        let (_, gradients) = case.reference();
        let h = 1e-6;
        let difference = |values: &[f64], at: usize, loss: &dyn Fn(&[f64]) -> f64| {
            let (mut more, mut less) = (values.to_vec(), values.to_vec());
            more[at] += h;
            less[at] -= h;
            (loss(&more) - loss(&less)) / (2.0 * h)
        };
        let check = |found: f64, expected: f64, name: &str| {
            let error = (found - expected).abs();
            assert!(
                error <= 1e-6 * expected.abs().max(1.0),
                "{name}: {found}, not {expected}, {:?}",
                case.shape
            );
        };
        for _ in 0..4 {
            let at = random.below(images.len());
            let found = difference(&images, at, &|images| loss(images, &weight, &bias));
            check(gradients.images[at], found, "image gradient");
            let at = random.below(weight.len());
            let found = difference(&weight, at, &|weight| loss(&images, weight, &bias));
            check(gradients.weight[at], found, "weight gradient");
            let at = random.below(bias.len());
            let found = difference(&bias, at, &|bias| loss(&images, &weight, bias));
            check(gradients.bias[at], found, "bias gradient");
        }
    }
}

#[test]
fn what_was_saved_does_not_change_the_output() {
    let mut random = Random(5);
    for _ in 0..if cfg!(miri) { 2 } else { 20 } {
        let case = Case::random(&mut random);
        for cpu in Cpu::available() {
            let executor = Executor::new(cpu, 1);
            let mut output = vec![f32::NAN; case.d_output.len()];
            let Case { shape, batch, images, weight, bias, .. } = &case;
            ConvBlock::new(*shape).forward(
                &executor,
                *batch,
                images,
                weight,
                bias,
                &mut output,
                None,
            );
            assert_eq!(output, case.run(&executor).output, "{shape:?}");
        }
    }
}

#[test]
fn weight_gradients_do_not_depend_on_the_image_gradient_being_wanted() {
    let mut random = Random(6);
    let case = Case::random(&mut random);
    for cpu in Cpu::available() {
        let executor = Executor::new(cpu, 1);
        let all = case.run(&executor);
        let block = ConvBlock::new(case.shape);
        let mut saved = Saved::default();
        let mut output = vec![0.0; case.d_output.len()];
        let Case { batch, images, weight, bias, .. } = &case;
        block.forward(&executor, *batch, images, weight, bias, &mut output, Some(&mut saved));
        let (mut d_weight, mut d_bias) = (vec![f32::NAN; weight.len()], vec![f32::NAN; bias.len()]);
        let gradients = ConvGradients { images: None, weight: &mut d_weight, bias: &mut d_bias };
        block.backward(
            &executor,
            *batch,
            images,
            weight,
            &saved,
            &output,
            &case.d_output,
            gradients,
        );
        assert_eq!((d_weight, d_bias), (all.d_weight, all.d_bias));
    }
}

#[test]
fn nan_in_an_image_comes_out_as_nan() {
    let mut random = Random(7);
    let activations =
        if cfg!(miri) { &[Activation::Relu, Activation::Gelu] } else { Activation::ALL.as_slice() };
    for activation in activations {
        let activation = *activation;
        for pool in [Pool::None, Pool::Max2x2] {
            for filters in if cfg!(miri) { [6, 40].as_slice() } else { &[1, 6, 16, 40] } {
                let filters = *filters;
                let shape = ConvShape {
                    in_channels: 2,
                    height: 6,
                    width: 6,
                    filters,
                    kernel: [1, 1],
                    stride: [1, 1],
                    padding: Padding::default(),
                    activation,
                    pool,
                };
                let mut case = Case::new(&mut random, shape, 1);
                for cpu in Cpu::available() {
                    for at in (0..36).step_by(if cfg!(miri) { 35 } else { 1 }) {
                        let before = std::mem::replace(&mut case.images[at], f32::NAN);
                        let output = case.run(&Executor::new(cpu, 1)).output;
                        case.images[at] = before;
                        let nan = output.iter().filter(|y| y.is_nan()).count();
                        assert_eq!(nan, filters, "{cpu} {shape:?} pixel {at}");
                    }
                }
            }
        }
    }
}
