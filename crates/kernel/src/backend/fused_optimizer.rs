//! burn's optimizers in one pass over each parameter; formulas, states and records are those of burn.

use burn::backend::Dispatch;
use burn::optim::{
    AdamState, AdamWState, AdaptiveMomentumState, LearningRate, Optimizer, RecordState, StateSink,
    StateSource,
};
use burn::tensor::{Device, Tensor};

use super::{KernelOps, composite, has_kernels};
use crate::muon::MuonStep;
use crate::optimizer::{AdamStep, SgdStep, WeightDecay};

/// Stochastic gradient descent, as [`burn::optim::Sgd`] does it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FusedSgd {
    /// The factor of the previous velocity, if there is one.
    pub momentum: Option<f32>,
    /// The fraction of the gradient that is left out of the velocity, as PyTorch's `dampening`.
    pub dampening: f64,
    /// Whether this is Nesterov momentum.
    pub nesterov: bool,
    /// L2 regularization: this times the parameter is added to its gradient.
    pub weight_decay: Option<f32>,
}

/// The state of [`FusedSgd`]; it is recorded like [`burn::optim::SgdState`].
#[derive(Clone, Debug)]
pub struct FusedSgdState<const D: usize> {
    /// Of the parameter's shape, if there is momentum.
    pub velocity: Option<Tensor<D>>,
}

impl<const D: usize> RecordState for FusedSgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(velocity) = &self.velocity {
            out.push_tensor(prefix, VELOCITY, velocity.to_data());
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = source.take_tensor(prefix, VELOCITY);
        Some(Self { velocity: velocity.map(|velocity| Tensor::from_data(velocity, device)) })
    }
}

/// Where [`burn::optim::SgdState`] keeps it.
const VELOCITY: &str = "momentum.velocity";

impl Optimizer for FusedSgd {
    type State<const D: usize> = FusedSgdState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<FusedSgdState<D>>,
    ) -> (Tensor<D>, Option<FusedSgdState<D>>) {
        let Self { momentum, dampening, nesterov, weight_decay } = *self;
        let step = SgdStep {
            learning_rate,
            momentum: momentum.unwrap_or(0.0),
            dampening,
            nesterov,
            weight_decay,
        };
        if momentum.is_none() {
            let (parameter, gradient) = (parameter.into_dispatch(), gradient.into_dispatch());
            let parameter = match has_kernels(&parameter.kind) {
                true => <Dispatch as KernelOps>::sgd_step(parameter, gradient, step),
                false => composite::sgd_step::<Dispatch>(parameter, gradient, None, false, step).0,
            };
            return (Tensor::from_dispatch(parameter), Some(FusedSgdState { velocity: None }));
        }
        let velocity = state.and_then(|state| state.velocity);
        let is_first = velocity.is_none();
        let velocity = velocity.unwrap_or_else(|| gradient.zeros_like());
        let (parameter, gradient, velocity) =
            (parameter.into_dispatch(), gradient.into_dispatch(), velocity.into_dispatch());
        let momentum_step = match has_kernels(&parameter.kind) {
            true => <Dispatch as KernelOps>::sgd_momentum_step,
            false => composite::sgd_momentum_step::<Dispatch>,
        };
        let (parameter, velocity) = momentum_step(parameter, gradient, velocity, is_first, step);
        let velocity = Some(Tensor::from_dispatch(velocity));
        (Tensor::from_dispatch(parameter), Some(FusedSgdState { velocity }))
    }

    fn to_device<const D: usize>(state: FusedSgdState<D>, device: &Device) -> FusedSgdState<D> {
        FusedSgdState { velocity: state.velocity.map(|velocity| velocity.to_device(device)) }
    }
}

/// Adam, as [`burn::optim::Adam`] does it without AMSGrad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FusedAdam {
    /// The decay of the first moment.
    pub beta_1: f32,
    /// The decay of the second moment.
    pub beta_2: f32,
    /// Added to the denominator, which keeps the quotient finite.
    pub epsilon: f32,
    /// L2 regularization: this times the parameter is added to its gradient.
    pub weight_decay: Option<f32>,
}

impl Default for FusedAdam {
    /// burn's defaults.
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-5, weight_decay: None }
    }
}

impl Optimizer for FusedAdam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let Self { beta_1, beta_2, epsilon, weight_decay } = *self;
        let decay = weight_decay.map_or(WeightDecay::None, WeightDecay::Gradient);
        let step = AdamStep { learning_rate, beta_1, beta_2, epsilon, time: 1, decay };
        let (parameter, state) =
            adam_step(parameter, gradient, state.map(|state| state.momentum), step);
        (parameter, Some(AdamState::new(state)))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        AdamState::new(state.momentum.to_device(device))
    }
}

/// AdamW, as [`burn::optim::AdamW`] does it without AMSGrad and with plain weight decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FusedAdamW {
    /// The decay of the first moment.
    pub beta_1: f32,
    /// The decay of the second moment.
    pub beta_2: f32,
    /// Added to the denominator, which keeps the quotient finite.
    pub epsilon: f32,
    /// The factor of the parameter and the learning rate that is taken off the parameter.
    pub weight_decay: f32,
}

impl Default for FusedAdamW {
    /// burn's defaults.
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-5, weight_decay: 1e-4 }
    }
}

impl Optimizer for FusedAdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let Self { beta_1, beta_2, epsilon, weight_decay } = *self;
        let decay = WeightDecay::Decoupled(weight_decay);
        let step = AdamStep { learning_rate, beta_1, beta_2, epsilon, time: 1, decay };
        let (parameter, state) =
            adam_step(parameter, gradient, state.map(|state| state.momentum), step);
        (parameter, Some(AdamWState::new(state)))
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        AdamWState::new(state.momentum.to_device(device))
    }
}

/// Muon ([`MuonStep`]) for the filters of convolutions, which have four axes, and AdamW for all other parameters, with one
/// learning rate. Weight decay is decoupled for both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FusedMuon {
    /// The factor of the previous velocity.
    pub momentum: f32,
    /// For the other parameters.
    pub adam: FusedAdamW,
}

/// The state of [`FusedMuon`] for a parameter.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "it moves once a step, and holds tensors")]
pub enum FusedMuonState<const D: usize> {
    /// Of filters: the velocity, of their shape. It is recorded like that of [`FusedSgdState`].
    Filters(Tensor<D>),
    /// Of other parameters. It is recorded like [`burn::optim::AdamWState`].
    Other(AdamWState<D>),
}

impl<const D: usize> RecordState for FusedMuonState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        match self {
            Self::Filters(velocity) => out.push_tensor(prefix, VELOCITY, velocity.to_data()),
            Self::Other(state) => state.state_flatten(prefix, out),
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        match source.take_tensor(prefix, VELOCITY) {
            Some(velocity) => Some(Self::Filters(Tensor::from_data(velocity, device))),
            None => AdamWState::state_unflatten(prefix, source, device).map(Self::Other),
        }
    }
}

impl Optimizer for FusedMuon {
    type State<const D: usize> = FusedMuonState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<FusedMuonState<D>>,
    ) -> (Tensor<D>, Option<FusedMuonState<D>>) {
        if D != FILTER_AXES {
            let state = match state {
                Some(FusedMuonState::Other(state)) => Some(state),
                Some(FusedMuonState::Filters(_)) | None => None,
            };
            let (parameter, state) = self.adam.step(learning_rate, parameter, gradient, state);
            return (parameter, state.map(FusedMuonState::Other));
        }
        let velocity = match state {
            Some(FusedMuonState::Filters(velocity)) => Some(velocity),
            Some(FusedMuonState::Other(_)) | None => None,
        };
        let is_first = velocity.is_none();
        let velocity = velocity.unwrap_or_else(|| gradient.zeros_like());
        let step = MuonStep {
            learning_rate,
            momentum: self.momentum,
            weight_decay: self.adam.weight_decay,
        };
        let (parameter, gradient, velocity) =
            (parameter.into_dispatch(), gradient.into_dispatch(), velocity.into_dispatch());
        let muon_step = match has_kernels(&parameter.kind) {
            true => <Dispatch as KernelOps>::muon_step,
            false => composite::muon_step::<Dispatch>,
        };
        let (parameter, velocity) = muon_step(parameter, gradient, velocity, is_first, step);
        let velocity = Tensor::from_dispatch(velocity);
        (Tensor::from_dispatch(parameter), Some(FusedMuonState::Filters(velocity)))
    }

    fn to_device<const D: usize>(state: FusedMuonState<D>, device: &Device) -> FusedMuonState<D> {
        match state {
            FusedMuonState::Filters(velocity) => {
                FusedMuonState::Filters(velocity.to_device(device))
            }
            FusedMuonState::Other(state) => {
                FusedMuonState::Other(<FusedAdamW as Optimizer>::to_device(state, device))
            }
        }
    }
}

/// The number of axes of a convolution's filters.
const FILTER_AXES: usize = 4;

/// A step after those that `state` has seen; its time replaces that of `step`.
fn adam_step<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdaptiveMomentumState<D>>,
    step: AdamStep,
) -> (Tensor<D>, AdaptiveMomentumState<D>) {
    let state = state.unwrap_or_else(|| {
        AdaptiveMomentumState::new(0, gradient.zeros_like(), gradient.zeros_like())
    });
    let time = state.time + 1;
    let parameter = parameter.into_dispatch();
    let step_of = match has_kernels(&parameter.kind) {
        true => <Dispatch as KernelOps>::adam_step,
        false => composite::adam_step::<Dispatch>,
    };
    let (parameter, moment_1, moment_2) = step_of(
        parameter,
        gradient.into_dispatch(),
        state.moment_1.into_dispatch(),
        state.moment_2.into_dispatch(),
        AdamStep { time, ..step },
    );
    let (moment_1, moment_2) = (Tensor::from_dispatch(moment_1), Tensor::from_dispatch(moment_2));
    (Tensor::from_dispatch(parameter), AdaptiveMomentumState::new(time, moment_1, moment_2))
}
