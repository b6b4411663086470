//! Batch normalisation against double precision, and with a pool against the two apart.

use super::*;
use crate::Cpu;
use crate::pool::{PoolKind, PoolShape};
use crate::testing::{assert_close_beside, random};
use proptest::prelude::*;

struct Case {
    norm: BatchNorm,
    x: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    dy: Vec<f32>,
}

const NAMES: [&str; 6] = ["y", "mean", "variance", "dx", "d_gamma", "d_beta"];

impl Case {
    fn new(norm: BatchNorm, seed: u64) -> Self {
        let planes = norm.batch * norm.channels;
        let len = planes * norm.positions();
        Self {
            norm,
            // Off centre, so that the variance is small beside the mean.
            x: random(len, seed).iter().map(|x| x * 2.0 + 3.0).collect(),
            // Both signs: a negative one makes the smallest the largest.
            gamma: random(norm.channels, seed + 1),
            beta: random(norm.channels, seed + 2),
            dy: random(planes * norm.output_positions(), seed + 3),
        }
    }

    fn run_forward(&self, executor: &Executor) -> [Vec<f32>; 3] {
        let mut y = vec![f32::NAN; self.dy.len()];
        let [mut mean, mut variance] = [(); 2].map(|()| vec![f32::NAN; self.norm.channels]);
        let (x, gamma, beta) = (&self.x, &self.gamma, &self.beta);
        self.norm.forward_train(executor, x, gamma, beta, &mut y, &mut mean, &mut variance);
        [y, mean, variance]
    }

    fn run(&self, executor: &Executor) -> [Vec<f32>; 6] {
        let [y, mean, variance] = self.run_forward(executor);
        let mut dx = vec![f32::NAN; self.x.len()];
        let [mut d_gamma, mut d_beta] = [(); 2].map(|()| vec![f32::NAN; self.norm.channels]);
        let (x, gamma, beta) = (&self.x, &self.gamma, &self.beta);
        let statistics = Statistics { mean: &mean, variance: &variance };
        let gradients = BatchNormGradients { x: &mut dx, gamma: &mut d_gamma, beta: &mut d_beta };
        self.norm.backward(executor, x, gamma, beta, statistics, &self.dy, gradients);
        let mut eval = vec![f32::NAN; self.dy.len()];
        self.norm.forward_eval(executor, x, gamma, beta, statistics, &mut eval);
        assert_eq!(eval, y, "the same statistics give the same result");
        [y, mean, variance, dx, d_gamma, d_beta]
    }

    /// In double precision, without a pool.
    fn reference(&self) -> [Vec<f64>; 6] {
        let BatchNorm { batch, channels, epsilon, activation, .. } = self.norm;
        let positions = self.norm.positions();
        let (mut y, mut dx) = (vec![0.0; self.x.len()], vec![0.0; self.x.len()]);
        let [mut means, mut variances, mut d_gamma, mut d_beta] =
            std::array::from_fn(|_| vec![0.0; channels]);
        let count = (batch * positions) as f64;
        for c in 0..channels {
            let places: Vec<usize> = (0..batch)
                .flat_map(|n| (0..positions).map(move |p| (n * channels + c) * positions + p))
                .collect();
            let x = |at: &usize| f64::from(self.x[*at]);
            let mean = places.iter().map(x).sum::<f64>() / count;
            let variance = places.iter().map(|at| (x(at) - mean).powi(2)).sum::<f64>() / count;
            let inverse = 1.0 / (variance + f64::from(epsilon)).sqrt();
            let (gamma, beta) = (f64::from(self.gamma[c]), f64::from(self.beta[c]));
            let normalised = |at: &usize| (x(at) - mean) * inverse;
            let delta = |at: &usize| {
                f64::from(self.dy[*at]) * activation.reference_slope(gamma * normalised(at) + beta)
            };
            (means[c], variances[c]) = (mean, variance);
            d_beta[c] = places.iter().map(delta).sum();
            d_gamma[c] = places.iter().map(|at| delta(at) * normalised(at)).sum();
            for at in &places {
                y[*at] = activation.reference(gamma * normalised(at) + beta);
                let rest = (d_beta[c] + normalised(at) * d_gamma[c]) / count;
                dx[*at] = gamma * inverse * (delta(at) - rest);
            }
        }
        [y, means, variances, dx, d_gamma, d_beta]
    }

    /// Normalisation and pool one after the other; each has a reference in double precision of its own.
    fn apart(&self, executor: &Executor) -> [Vec<f32>; 6] {
        let norm = BatchNorm { pool: Pool::None, ..self.norm };
        let pool = PoolShape {
            planes: norm.batch * norm.channels,
            height: norm.height,
            width: norm.width,
            size: [2, 2],
            stride: [2, 2],
            padding: crate::conv::Padding::default(),
            kind: PoolKind::Max,
        };
        let (mut normalised, mut y) = (vec![0.0; self.x.len()], vec![0.0; self.dy.len()]);
        let (mut d_normalised, mut dx) = (normalised.clone(), normalised.clone());
        let [mut mean, mut variance, mut d_gamma, mut d_beta] =
            std::array::from_fn(|_| vec![0.0; norm.channels]);
        let (x, gamma, beta) = (&self.x, &self.gamma, &self.beta);
        norm.forward_train(executor, x, gamma, beta, &mut normalised, &mut mean, &mut variance);
        pool.forward(executor, &normalised, &mut y);
        pool.backward(executor, &normalised, &y, &self.dy, &mut d_normalised);
        let statistics = Statistics { mean: &mean, variance: &variance };
        let gradients = BatchNormGradients { x: &mut dx, gamma: &mut d_gamma, beta: &mut d_beta };
        norm.backward(executor, x, gamma, beta, statistics, &d_normalised, gradients);
        [y, mean, variance, dx, d_gamma, d_beta]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 32 }))]
    #[test]
    fn values_and_gradients_match_double_precision(
        batch in 2..20_usize, channels in 1..9_usize, height in 1..12_usize, width in 1..12_usize,
        activation in prop::sample::select(Activation::ALL.to_vec()), seed in any::<u32>()
    ) {
        let norm =
            BatchNorm { batch, channels, height, width, epsilon: 1e-5, activation, pool: Pool::None };
        let case = Case::new(norm, seed.into());
        let expected = case.reference();
        for cpu in Cpu::available() {
            let found = case.run(&Executor::new(cpu, 1));
            for (i, name) in NAMES.into_iter().enumerate() {
                // With few numbers the gradient of x is the small rest of large terms.
                let tolerance = if i == 3 && norm.count() < 16.0 { 1e-2 } else { 1e-4 };
                let what = format!("{cpu} {activation:?} {name}");
                assert_close_beside(&found[i], &expected[i], tolerance, 0.1, &what);
            }
            prop_assert_eq!(&found, &case.run(&Executor::new(cpu, 2)));
            prop_assert_eq!(&found, &case.run(&Executor::new(cpu, 4)));
        }
    }

    #[test]
    fn with_a_pool_it_equals_the_operations_apart(
        batch in 1..6_usize, channels in 1..5_usize, height in 2..15_usize, width in 2..75_usize,
        activation in prop::sample::select(Activation::ALL.to_vec()), seed in any::<u32>()
    ) {
        let pool = Pool::Max2x2;
        let norm = BatchNorm { batch, channels, height, width, epsilon: 1e-5, activation, pool };
        let case = Case::new(norm, seed.into());
        for cpu in Cpu::available() {
            let executor = Executor::new(cpu, 1);
            let (found, expected) = (case.run(&executor), case.apart(&executor));
            // Where relu makes zeros of a whole window its gradient is zero, whichever of them is picked.
            for (i, name) in NAMES.into_iter().enumerate() {
                let expected: Vec<f64> =
                    expected[i].iter().map(|value| f64::from(*value)).collect();
                let what = format!("{cpu} {activation:?} {name}");
                assert_close_beside(&found[i], &expected, 1e-4, 0.1, &what);
            }
            prop_assert_eq!(&found, &case.run(&Executor::new(cpu, 2)));
        }
    }
}

#[test]
fn nan_in_a_channel_stays_in_the_channel() {
    for pool in [Pool::None, Pool::Max2x2] {
        let norm = BatchNorm {
            batch: 2,
            channels: 2,
            height: 4,
            width: 4,
            epsilon: 1e-5,
            activation: Activation::Relu,
            pool,
        };
        let mut case = Case::new(norm, 1);
        case.x[3] = f32::NAN;
        for cpu in Cpu::available() {
            let [y, mean, ..] = case.run_forward(&Executor::new(cpu, 1));
            assert!(mean[0].is_nan() && !mean[1].is_nan(), "{cpu}");
            let planes: Vec<&[f32]> = y.chunks_exact(norm.output_positions()).collect();
            for (plane, is_nan) in planes.into_iter().zip([true, false, true, false]) {
                assert!(plane.iter().all(|y| y.is_nan() == is_nan), "{cpu} {pool:?}");
            }
        }
    }
}

#[test]
fn a_first_image_unlike_the_others_takes_no_digits() {
    let norm = BatchNorm {
        batch: 64,
        channels: 1,
        height: 5,
        width: 3,
        epsilon: 1e-5,
        activation: Activation::Linear,
        pool: Pool::None,
    };
    let mut case = Case::new(norm, 2);
    case.x[..15].fill(1000.0);
    let expected = case.reference();
    for cpu in Cpu::available() {
        let [_, mean, variance] = case.run_forward(&Executor::new(cpu, 1));
        for (found, expected) in [(&mean, &expected[1]), (&variance, &expected[2])] {
            assert_close_beside(found, expected, 1e-5, 0.0, cpu.name());
        }
    }
}
