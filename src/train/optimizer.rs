//! The spec's optimizer as burn's.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};

use crate::spec::{AdamParameters, Optimizer, TrainSpec};

/// A fresh optimizer with the study's parameters. Clipping by norm is done before it, over all
/// parameters together; burn's own would bound each tensor by itself.
pub fn optimizer(train: &TrainSpec) -> ModuleOptimizer {
    let decay = train.weight_decay as f32;
    match &train.optimizer {
        Optimizer::Sgd(sgd) => {
            let momentum = MomentumConfig::new()
                .with_momentum(sgd.momentum)
                .with_dampening(0.0)
                .with_nesterov(sgd.nesterov);
            SgdConfig::new()
                .with_momentum((sgd.momentum > 0.0).then_some(momentum))
                .with_weight_decay((decay > 0.0).then(|| WeightDecayConfig::new(decay)))
                .init()
        }
        Optimizer::Adam(AdamParameters {
            beta_1,
            beta_2,
            epsilon,
        }) => AdamConfig::new()
            .with_beta_1(*beta_1 as f32)
            .with_beta_2(*beta_2 as f32)
            .with_epsilon(*epsilon as f32)
            .with_weight_decay((decay > 0.0).then(|| WeightDecayConfig::new(decay)))
            .init(),
        Optimizer::AdamW(AdamParameters {
            beta_1,
            beta_2,
            epsilon,
        }) => AdamWConfig::new()
            .with_beta_1(*beta_1 as f32)
            .with_beta_2(*beta_2 as f32)
            .with_epsilon(*epsilon as f32)
            .with_weight_decay(decay)
            .init(),
    }
}
