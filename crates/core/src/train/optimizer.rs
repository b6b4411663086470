//! The spec's optimizer as a burn optimizer.

use burn::optim::ModuleOptimizer;

use crate::spec::{AdamParameters, MuonParameters, Optimizer, TrainSpec};
use burgeon_kernel::backend::{FusedAdam, FusedAdamW, FusedMuon, FusedSgd};

/// A new optimizer with the study's parameters. It does not clip: clipping by norm is done before it, over
/// all parameters together, whereas burn's clipping works on each tensor separately.
pub fn optimizer(train: &TrainSpec) -> ModuleOptimizer {
    let decay = train.weight_decay as f32;
    let weight_decay = (decay > 0.0).then_some(decay);
    match &train.optimizer {
        Optimizer::Sgd(sgd) => ModuleOptimizer::from(FusedSgd {
            momentum: (sgd.momentum > 0.0).then_some(sgd.momentum as f32),
            dampening: 0.0,
            nesterov: sgd.nesterov,
            weight_decay,
        }),
        Optimizer::Adam(AdamParameters { beta_1, beta_2, epsilon }) => {
            ModuleOptimizer::from(FusedAdam {
                beta_1: *beta_1 as f32,
                beta_2: *beta_2 as f32,
                epsilon: *epsilon as f32,
                weight_decay,
            })
        }
        Optimizer::AdamW(AdamParameters { beta_1, beta_2, epsilon }) => {
            ModuleOptimizer::from(FusedAdamW {
                beta_1: *beta_1 as f32,
                beta_2: *beta_2 as f32,
                epsilon: *epsilon as f32,
                weight_decay: decay,
            })
        }
        Optimizer::Muon(MuonParameters { momentum }) => {
            let AdamParameters { beta_1, beta_2, epsilon } = AdamParameters::default();
            ModuleOptimizer::from(FusedMuon {
                momentum: *momentum as f32,
                adam: FusedAdamW {
                    beta_1: beta_1 as f32,
                    beta_2: beta_2 as f32,
                    epsilon: epsilon as f32,
                    weight_decay: decay,
                },
            })
        }
    }
}
