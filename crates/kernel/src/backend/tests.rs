//! The operations on burn's tensors against the same networks made of burn's own operations.

use burn::module::{Module, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{
    Device, Int, Tensor, TensorData, activation as burn_activation, module as burn_module,
};

use super::*;
use crate::testing::random;

fn device() -> Device {
    Device::flex().autodiff()
}

fn leaf<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    let values = random(shape.iter().product(), seed);
    Tensor::<D>::from_data(TensorData::new(values, shape), &device()).require_grad()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().unwrap()
}

#[track_caller]
fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    let expected: Vec<f64> = expected.iter().map(|value| f64::from(*value)).collect();
    crate::testing::assert_close(found, &expected, 1e-4, what);
}

fn with_burn<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::Linear => x,
        Activation::Relu => burn_activation::relu(x),
        Activation::LeakyRelu => burn_activation::leaky_relu(x, 0.01),
        Activation::Gelu => burn_activation::gelu(x),
        Activation::Silu => burn_activation::silu(x),
        Activation::Tanh => burn_activation::tanh(x),
        Activation::Sigmoid => burn_activation::sigmoid(x),
    }
}

/// The output of `forward` and the gradients of x, weight and bias under a loss with a random gradient.
fn run<const D: usize, const W: usize>(
    leaves: &(Tensor<D>, Tensor<W>, Tensor<1>),
    forward: impl Fn(Tensor<D>, Tensor<W>, Tensor<1>) -> Tensor<D>,
) -> [Vec<f32>; 4] {
    let (x, weight, bias) = leaves.clone();
    let output = forward(x.clone(), weight.clone(), bias.clone());
    let factors = random(output.shape().num_elements(), 77);
    let factors = Tensor::<D>::from_data(TensorData::new(factors, output.shape()), &device());
    let grads = (output.clone() * factors).sum().backward();
    [
        values(output),
        values(x.grad(&grads).unwrap()),
        values(weight.grad(&grads).unwrap()),
        values(bias.grad(&grads).unwrap()),
    ]
}

#[track_caller]
fn assert_all_same(found: &[Vec<f32>; 4], expected: &[Vec<f32>; 4], what: &str) {
    for (i, name) in ["output", "dx", "dw", "db"].iter().enumerate() {
        assert_same(&found[i], &expected[i], &format!("{what} {name}"));
    }
}

#[test]
fn dense_equals_burns_operations() {
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let (batch, inputs, units) = (3 + 5 * i, 17 + 30 * i, 10 + 3 * i);
        let leaves = (leaf([batch, inputs], 1), leaf([inputs, units], 2), leaf([units], 3));
        let found = run(&leaves, |x, w, b| dense(x, w, b, activation));
        let expected = run(&leaves, |x, w, b| with_burn(x.matmul(w) + b.unsqueeze(), activation));
        assert_all_same(&found, &expected, &format!("{activation:?}"));
    }
}

#[test]
fn dense_takes_tensors_that_are_not_contiguous() {
    let leaves = (leaf([12, 12], 1), leaf([12, 12], 2), leaf([12], 3));
    let found = run(&leaves, |x, w, b| {
        dense(x.transpose(), w.transpose(), b, Activation::Relu).transpose()
    });
    let expected = run(&leaves, |x, w, b| {
        with_burn(x.transpose().matmul(w.transpose()) + b.unsqueeze(), Activation::Relu).transpose()
    });
    assert_all_same(&found, &expected, "transposed");
}

#[test]
fn conv_block_equals_burns_operations() {
    let cases = [
        ([3, 1, 12, 12], [6, 5, 5], [1, 1], Padding::uniform(2), Pool::Max2x2),
        ([2, 6, 9, 7], [16, 3, 3], [1, 1], Padding::uniform(0), Pool::Max2x2),
        (
            [2, 3, 9, 10],
            [4, 3, 2],
            [2, 1],
            Padding { top: 1, left: 0, bottom: 2, right: 1 },
            Pool::None,
        ),
        ([4, 2, 8, 8], [5, 1, 1], [1, 1], Padding::uniform(0), Pool::None),
    ];
    for ([batch, channels, height, width], [filters, rows, columns], stride, padding, pool) in cases
    {
        for activation in [Activation::Relu, Activation::Gelu, Activation::Linear] {
            let options = ConvBlockOptions { stride, padding, groups: 1, activation, pool };
            let leaves = (
                leaf([batch, channels, height, width], 1),
                leaf([filters, channels, rows, columns], 2),
                leaf([filters], 3),
            );
            let found = run(&leaves, |x, w, b| conv_block(x, w, b, &options));
            let expected = run(&leaves, |x, w, b| {
                let padding = [(padding.top, padding.bottom), (padding.left, padding.right)];
                let convolved = burn_module::conv2d(
                    x,
                    w,
                    Some(b),
                    ConvOptions::new_with_padding(stride, padding, [1, 1], 1),
                );
                let activated = with_burn(convolved, activation);
                match pool {
                    Pool::None => activated,
                    Pool::Max2x2 => burn_module::max_pool2d(activated, MaxPoolOptions::new([2, 2])),
                }
            });
            assert_all_same(&found, &expected, &format!("{options:?}"));
        }
    }
}

#[test]
fn composites_equal_fused_operations() {
    let leaves = (leaf([3, 2, 8, 8], 1), leaf([4, 2, 3, 3], 2), leaf([4], 3));
    let options = ConvBlockOptions {
        stride: [1, 1],
        padding: Padding::uniform(1),
        groups: 1,
        activation: Activation::Silu,
        pool: Pool::Max2x2,
    };
    let composite = |x: Tensor<4>, w: Tensor<4>, b: Tensor<1>| {
        let parts = (x.into_dispatch(), w.into_dispatch(), b.into_dispatch());
        Tensor::from_dispatch(composite::conv_block::<Dispatch>(parts.0, parts.1, parts.2, options))
    };
    assert_all_same(
        &run(&leaves, |x, w, b| conv_block(x, w, b, &options)),
        &run(&leaves, composite),
        "conv block",
    );
    let leaves = (leaf([5, 7], 1), leaf([7, 4], 2), leaf([4], 3));
    for activation in Activation::ALL {
        let composite = |x: Tensor<2>, w: Tensor<2>, b: Tensor<1>| {
            let parts = (x.into_dispatch(), w.into_dispatch(), b.into_dispatch());
            Tensor::from_dispatch(composite::dense::<Dispatch>(
                parts.0, parts.1, parts.2, activation,
            ))
        };
        assert_all_same(
            &run(&leaves, |x, w, b| dense(x, w, b, activation)),
            &run(&leaves, composite),
            "dense",
        );
    }
}

#[test]
fn cross_entropy_equals_burns_operations() {
    for smoothing in [0.0, 0.1] {
        let (batch, classes) = (33, 10);
        let logits = leaf([batch, classes], 5) * 6.0;
        let logits = logits.detach().require_grad();
        let labels: Vec<i32> = (0..batch as i32).map(|i| i * 3 % 10).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), &device());
        let found = cross_entropy(logits.clone(), labels.clone(), smoothing);
        let found_grads = (found.loss.clone() * 2.0).backward();
        let parts = (logits.clone().into_dispatch(), labels.clone().into_dispatch());
        let (loss, correct) =
            composite::softmax_cross_entropy::<Dispatch>(parts.0, parts.1, smoothing);
        let (loss, correct) =
            (Tensor::<1>::from_dispatch(loss), Tensor::<1>::from_dispatch(correct));
        let log_softmax = burn_activation::log_softmax(logits.clone(), 1);
        let picked = log_softmax.clone().gather(1, labels.unsqueeze_dim(1)).mean();
        let burns = picked * (smoothing - 1.0) - log_softmax.mean() * smoothing;
        let expected_grads = (burns.clone() * 2.0).backward();
        assert_same(&values(found.loss.clone()), &values(burns), "loss");
        assert_same(&values(loss), &values(found.loss), "composite loss");
        assert_eq!(values(correct), values(found.correct));
        let gradient = |grads| values(logits.grad(grads).unwrap());
        assert_same(&gradient(&found_grads), &gradient(&expected_grads), "gradient");
    }
}

#[test]
fn batch_norm_equals_burns_layer() {
    assert_equals_burns_layer(Pool::None, |x| x);
}

#[test]
fn batch_norm_with_a_pool_equals_burns_layers() {
    assert_equals_burns_layer(Pool::Max2x2, |x| {
        burn_module::max_pool2d(x, MaxPoolOptions::new([2, 2]))
    });
}

fn assert_equals_burns_layer(pool: Pool, end: impl Fn(Tensor<4>) -> Tensor<4>) {
    for activation in [Activation::Linear, Activation::Relu, Activation::Silu] {
        let [ours, burns] = std::array::from_fn(|_| {
            let mut norm = burn::nn::BatchNormConfig::new(3).init(&device());
            norm.gamma = Param::from_tensor(leaf([3], 5).detach());
            norm.beta = Param::from_tensor(leaf([3], 6).detach());
            norm
        });
        for step in 0..2 {
            let x = leaf([4, 3, 7, 5], step);
            let before = values(ours.running_mean.value());
            let found = batch_norm(x.clone(), &ours, activation, pool);
            assert_ne!(values(ours.running_mean.value()), before, "the step is seen at once");
            let expected = end(with_burn(burns.forward(x.clone()), activation));
            let factors = leaf(found.dims(), 20 + step).detach();
            assert_same(&values(found.clone()), &values(expected.clone()), "output");
            let found = (found * factors.clone()).sum().backward();
            let expected = (expected * factors).sum().backward();
            assert_same(
                &values(x.grad(&found).unwrap()),
                &values(x.grad(&expected).unwrap()),
                "dx",
            );
            for (ours, burns) in [(&ours.gamma, &burns.gamma), (&ours.beta, &burns.beta)] {
                let found = values(ours.val().grad(&found).unwrap());
                assert_same(&found, &values(burns.val().grad(&expected).unwrap()), "gamma, beta");
            }
        }
        for (ours, burns) in
            [(&ours.running_mean, &burns.running_mean), (&ours.running_var, &burns.running_var)]
        {
            assert_same(
                &values(ours.value_sync()),
                &values(burns.value_sync()),
                "running statistics",
            );
        }
        let (ours, burns) = (ours.valid(), burns.valid());
        let x = leaf([4, 3, 7, 5], 9).inner();
        let found = batch_norm(x.clone(), &ours, activation, pool);
        assert_same(
            &values(found),
            &values(end(with_burn(burns.forward(x), activation))),
            "evaluation",
        );
    }
}

#[test]
fn pools_equal_burns_operations() {
    // The last two pad one side more than the other, or more than half a window.
    let shapes = [
        ([2, 2], [2, 2], Padding::uniform(0)),
        ([3, 3], [2, 2], Padding::uniform(1)),
        ([3, 2], [1, 2], Padding { left: 1, right: 1, ..Padding::default() }),
        ([3, 3], [2, 2], Padding { bottom: 1, right: 1, ..Padding::default() }),
        ([3, 2], [1, 1], Padding { top: 2, left: 0, bottom: 1, right: 1 }),
    ];
    for (size, stride, padding) in shapes {
        for kind in [PoolKind::Max, PoolKind::Average] {
            let x = leaf([3, 4, 11, 10], 4);
            let options = PoolOptions { size, stride, padding, kind };
            let found = pool(x.clone(), &options);
            let Padding { top, left, bottom, right } = padding;
            let both_sides = [(top, bottom), (left, right)];
            let composite = composite::pool::<Dispatch>(x.clone().into_dispatch(), options);
            let composite = Tensor::<4>::from_dispatch(composite);
            assert_same(&values(composite), &values(found.clone()), "composite");
            let expected = match kind {
                PoolKind::Max => {
                    let options =
                        MaxPoolOptions { stride, padding: both_sides, ..MaxPoolOptions::new(size) };
                    burn_module::max_pool2d(x.clone(), options)
                }
                PoolKind::Average => {
                    let options =
                        AvgPoolOptions { stride, padding: both_sides, ..AvgPoolOptions::new(size) };
                    burn_module::avg_pool2d(x.clone(), options)
                }
            };
            let factors = Tensor::<4>::from_data(
                TensorData::new(random(found.shape().num_elements(), 6), found.shape()),
                &device(),
            );
            assert_same(&values(found.clone()), &values(expected.clone()), "output");
            let found = (found * factors.clone()).sum().backward();
            let expected = (expected * factors).sum().backward();
            assert_same(
                &values(x.grad(&found).unwrap()),
                &values(x.grad(&expected).unwrap()),
                "dx",
            );
        }
    }
}

#[test]
fn convolutions_in_groups_equal_burns_operations() {
    let uneven = Padding { top: 1, left: 0, bottom: 2, right: 1 };
    let cases = [
        ([3, 4, 12, 12], [4, 3, 3], 4, [1, 1], Padding::uniform(1), Pool::Max2x2),
        ([2, 6, 9, 35], [12, 3, 3], 6, [2, 2], Padding::uniform(1), Pool::None),
        ([2, 6, 9, 10], [4, 3, 2], 2, [2, 1], uneven, Pool::None),
    ];
    for (
        [batch, channels, height, width],
        [filters, rows, columns],
        groups,
        stride,
        padding,
        pool,
    ) in cases
    {
        for activation in [Activation::Relu, Activation::Gelu, Activation::Linear] {
            let options = ConvBlockOptions { stride, padding, groups, activation, pool };
            let leaves = (
                leaf([batch, channels, height, width], 1),
                leaf([filters, channels / groups, rows, columns], 2),
                leaf([filters], 3),
            );
            let found = run(&leaves, |x, w, b| conv_block(x, w, b, &options));
            let composite = run(&leaves, |x, w, b| {
                let (x, w, b) = (x.into_dispatch(), w.into_dispatch(), b.into_dispatch());
                Tensor::from_dispatch(composite::conv_block::<Dispatch>(x, w, b, options))
            });
            assert_all_same(&found, &composite, &format!("{options:?}"));
        }
    }
}

#[test]
fn sums_equal_burns_operations() {
    for activation in Activation::ALL {
        let (a, b) = (leaf([3, 4, 5, 7], 1), leaf([3, 4, 5, 7], 2));
        let factors = leaf([3, 4, 5, 7], 3).detach();
        let found = add(a.clone(), b.clone(), activation);
        let expected = with_burn(a.clone() + b.clone(), activation);
        let what = format!("{activation:?}");
        assert_same(&values(found.clone()), &values(expected.clone()), &what);
        assert_eq!(
            values(found.clone()),
            values(add(a.clone().inner(), b.clone().inner(), activation))
        );
        let (found, expected) =
            ((found * factors.clone()).sum().backward(), (expected * factors).sum().backward());
        for term in [&a, &b] {
            let found = values(term.grad(&found).unwrap());
            assert_same(&found, &values(term.grad(&expected).unwrap()), &what);
        }
        // One that goes its own way and to the sum gets both gradients.
        let grads = add(a.clone().mul_scalar(2.0), a.clone(), Activation::Linear).sum().backward();
        assert!(values(a.grad(&grads).unwrap()).iter().all(|gradient| *gradient == 3.0));
    }
}

#[test]
fn the_global_average_equals_burns_operations() {
    let x = leaf([3, 4, 5, 6], 4);
    let factors = leaf([3, 4], 5).detach();
    let found = global_average_pool(x.clone());
    let expected = x.clone().mean_dim(2).mean_dim(3).reshape([3, 4]);
    assert_same(&values(found.clone()), &values(expected.clone()), "output");
    let (found, expected) =
        ((found * factors.clone()).sum().backward(), (expected * factors).sum().backward());
    assert_same(&values(x.grad(&found).unwrap()), &values(x.grad(&expected).unwrap()), "dx");
}

#[test]
fn inputs_that_need_no_gradient_get_none() {
    let x = Tensor::<2>::from_data(TensorData::new(random(12, 1), [4, 3]), &device());
    let (weight, bias) = (leaf([3, 2], 2), leaf([2], 3));
    let grads = dense(x.clone(), weight.clone(), bias, Activation::Tanh).sum().backward();
    assert!(x.grad(&grads).is_none());
    assert!(weight.grad(&grads).is_some());
}

#[test]
fn without_gradients_the_outputs_are_the_same() {
    let leaves = (leaf([3, 2, 9, 9], 1), leaf([5, 2, 3, 3], 2), leaf([5], 3));
    let options = ConvBlockOptions {
        stride: [1, 1],
        padding: Padding::uniform(0),
        groups: 1,
        activation: Activation::Relu,
        pool: Pool::Max2x2,
    };
    let (x, w, b) = leaves.clone();
    let plain = conv_block(x.inner(), w.inner(), b.inner(), &options);
    let (x, w, b) = leaves;
    assert_eq!(values(plain), values(conv_block(x, w, b, &options)));
}

#[derive(Module, Debug)]
struct Net {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Net {
    fn new() -> Self {
        Self {
            weight: Param::from_tensor(leaf([30, 20], 8).detach()),
            bias: Param::from_tensor(leaf([20], 9).detach()),
        }
    }

    fn gradients(&self, seed: u64) -> GradientsParams {
        let x = leaf([4, 30], seed).detach();
        let loss = (x.matmul(self.weight.val()) + self.bias.val().unsqueeze()).powi_scalar(2).sum();
        GradientsParams::from_grads(loss.backward(), self)
    }
}

fn assert_optimizers_agree(
    fused: impl Fn() -> ModuleOptimizer,
    burns: impl Fn() -> ModuleOptimizer,
    what: &str,
) {
    let mut found = Net::new();
    let mut expected = found.clone();
    let (mut fused_optimizer, mut burns_optimizer) = (fused(), burns());
    for step in 0..6_u32 {
        let rate = 0.01 / f64::from(step + 1);
        let gradients = (found.gradients(u64::from(step)), expected.gradients(u64::from(step)));
        found = fused_optimizer.step(rate, found, gradients.0);
        expected = burns_optimizer.step(rate, expected, gradients.1);
        if step == 2 {
            // Each goes on from the other's record.
            let records =
                (fused_optimizer.into_bytes().unwrap(), burns_optimizer.into_bytes().unwrap());
            fused_optimizer = fused().from_bytes(records.1).unwrap();
            burns_optimizer = burns().from_bytes(records.0).unwrap();
        }
    }
    assert_same(&values(found.weight.val()), &values(expected.weight.val()), what);
    assert_same(&values(found.bias.val()), &values(expected.bias.val()), what);
}

#[test]
fn fused_optimizers_equal_burns() {
    for decay in [None, Some(0.1)] {
        let config = decay.map(WeightDecayConfig::new);
        assert_optimizers_agree(
            || FusedAdam { weight_decay: decay, ..FusedAdam::default() }.into(),
            || AdamConfig::new().with_weight_decay(config.clone()).init(),
            "adam",
        );
        assert_optimizers_agree(
            || FusedAdamW { weight_decay: decay.unwrap_or(0.0), ..FusedAdamW::default() }.into(),
            || AdamWConfig::new().with_weight_decay(decay.unwrap_or(0.0)).init(),
            "adamw",
        );
        for (momentum, nesterov, dampening) in
            [(None, false, 0.0), (Some(0.9), false, 0.0), (Some(0.9), true, 0.1)]
        {
            let config = momentum.map(|momentum| MomentumConfig {
                momentum: f64::from(momentum),
                dampening,
                nesterov,
            });
            let decay_config = decay.map(WeightDecayConfig::new);
            assert_optimizers_agree(
                || FusedSgd { momentum, dampening, nesterov, weight_decay: decay }.into(),
                || {
                    SgdConfig::new()
                        .with_momentum(config.clone())
                        .with_weight_decay(decay_config.clone())
                        .init()
                },
                "sgd",
            );
        }
    }
}

#[test]
fn composite_updates_equal_fused_ones() {
    let (parameter, gradient) = (leaf([50], 1).inner(), leaf([50], 2).inner());
    let (first, second) = (leaf([50], 3).inner(), leaf([50], 4).inner().powi_scalar(2));
    let decays = [
        crate::optimizer::WeightDecay::None,
        crate::optimizer::WeightDecay::Gradient(0.1),
        crate::optimizer::WeightDecay::Decoupled(0.1),
    ];
    for decay in decays {
        for time in [1, 5] {
            let step = AdamStep {
                learning_rate: 0.01,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-5,
                time,
                decay,
            };
            let parts = || {
                [&parameter, &gradient, &first, &second]
                    .map(|tensor| tensor.clone().into_dispatch())
            };
            let [p, g, m, v] = parts();
            let found = <Dispatch as KernelOps>::adam_step(p, g, m, v, step);
            let [p, g, m, v] = parts();
            let expected = composite::adam_step::<Dispatch>(p, g, m, v, step);
            for (found, expected) in
                [(found.0, expected.0), (found.1, expected.1), (found.2, expected.2)]
            {
                let found = values(Tensor::<1>::from_dispatch(found));
                assert_same(&found, &values(Tensor::<1>::from_dispatch(expected)), "adam");
            }
        }
    }
    assert_eq!(values(parameter), random(50, 1), "a shared parameter is left alone");
}

#[test]
fn composite_muon_equals_the_fused_one_on_filters_wide_and_tall() {
    for shape in [[8, 3, 3, 3], [24, 1, 3, 3], [16, 16, 1, 1]] {
        for is_first in [true, false] {
            let step = MuonStep { learning_rate: 0.01, momentum: 0.95, weight_decay: 0.1 };
            let tensors = [1, 2, 3].map(|seed| leaf(shape, seed).inner());
            let parts = || tensors.clone().map(|tensor: Tensor<4>| tensor.into_dispatch());
            let [p, g, v] = parts();
            let found = <Dispatch as KernelOps>::muon_step(p, g, v, is_first, step);
            let [p, g, v] = parts();
            let expected = composite::muon_step::<Dispatch>(p, g, v, is_first, step);
            for (found, expected) in [(found.0, expected.0), (found.1, expected.1)] {
                let found = values(Tensor::<4>::from_dispatch(found));
                let expected = values(Tensor::<4>::from_dispatch(expected));
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-5, "{shape:?}: {found} {expected}");
                }
            }
            let kept = tensors.map(values);
            let unchanged = [1, 2, 3].map(|seed| values(leaf(shape, seed).inner()));
            assert_eq!(kept, unchanged, "shared tensors are left alone");
        }
    }
}

#[derive(Module, Debug)]
struct Filters {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl Filters {
    fn new() -> Self {
        Self {
            weight: Param::from_tensor(leaf([8, 3, 3, 3], 1).detach()),
            bias: Param::from_tensor(leaf([8], 2).detach()),
        }
    }

    fn gradients(&self, seed: u64) -> GradientsParams {
        let factors = leaf([8, 3, 3, 3], seed).detach();
        let of_weight = (self.weight.val() * factors).powi_scalar(2).sum();
        let loss = of_weight + (self.bias.val() - 1.0).powi_scalar(2).sum();
        GradientsParams::from_grads(loss.backward(), self)
    }
}

#[test]
fn muon_trains_filters_by_itself_and_other_parameters_by_adamw_and_continues_from_its_record() {
    let muon =
        || -> ModuleOptimizer { FusedMuon { momentum: 0.95, adam: FusedAdamW::default() }.into() };
    let adam = || -> ModuleOptimizer { FusedAdamW::default().into() };
    let train = |mut optimizer: ModuleOptimizer, again: &dyn Fn() -> ModuleOptimizer| {
        let mut layer = Filters::new();
        for step in 0..5 {
            let gradients = layer.gradients(step);
            layer = optimizer.step(0.01, layer, gradients);
            if step == 2 {
                optimizer = again().from_bytes(optimizer.into_bytes().unwrap()).unwrap();
            }
        }
        [values(layer.weight.val()), values(layer.bias.val())]
    };
    let [weight, bias] = train(muon(), &muon);
    let [adams_weight, adams_bias] = train(adam(), &adam);
    assert_eq!(bias, adams_bias);
    assert_ne!(weight, adams_weight);
    let mut uncut = muon();
    let mut layer = Filters::new();
    for step in 0..5 {
        let gradients = layer.gradients(step);
        layer = uncut.step(0.01, layer, gradients);
    }
    assert_eq!([values(layer.weight.val()), values(layer.bias.val())], [weight, bias]);
}

#[test]
fn marks_of_networks_that_train_at_the_same_time_are_kept_apart() {
    let device = Device::flex().autodiff();
    let marked = |marks: &Marks, numbers: std::ops::Range<usize>| {
        let x = Tensor::<1>::from_data([1.0, 2.0], &device).require_grad();
        numbers.fold(x, |x, number| marks.mark(x.mul_scalar(2.0), number)).sum()
    };
    let (one, two) = (Marks::default(), Marks::default());
    let (of_one, of_two) = (marked(&one, 0..3), marked(&two, 3..5));
    std::thread::scope(|scope| {
        scope.spawn(|| of_two.backward());
        of_one.backward();
    });
    let numbers = |marks: &Marks| -> Vec<usize> {
        marks.take_passed().into_iter().map(|passed| passed.number).collect()
    };
    assert_eq!((numbers(&one), numbers(&two)), (vec![2, 1, 0], vec![4, 3]));
    assert!(numbers(&one).is_empty(), "they are taken once");
}
