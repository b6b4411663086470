//! Optimizer updates in one pass over a parameter, its gradient and its state.
//!
//! The formulas, and the order in which they round, are those of burn's optimizers; but moments of Adam too small to be
//! normal numbers become zero.

use super::executor::{Executor, Kernel};
use super::simd::Simd;
use super::threads::DisjointMut;

/// Elements in a chunk; fewer are not worth another thread.
const CHUNK: usize = 1 << 13;

/// One step of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// The learning rate.
    pub learning_rate: f64,
    /// The factor of the previous velocity ([Sutskever et al.](https://proceedings.mlr.press/v28/sutskever13.html)).
    pub momentum: f32,
    /// The fraction of the gradient that is left out of the velocity, as PyTorch's `dampening`.
    pub dampening: f64,
    /// Whether this is Nesterov momentum.
    pub nesterov: bool,
    /// L2 regularization: this times the parameter is added to its gradient.
    pub weight_decay: Option<f32>,
}

/// What a step of [`SgdStep`] does with the velocity.
#[derive(Debug)]
pub enum Velocity<'a> {
    /// There is none: no momentum.
    None,
    /// The first step: it becomes the gradient.
    First(&'a mut [f32]),
    /// It decays and takes up the gradient.
    Next(&'a mut [f32]),
}

impl SgdStep {
    /// Updates `parameter` and `velocity` from `gradient`.
    ///
    /// # Panics
    /// The slices differ in length.
    pub fn apply(
        &self,
        executor: &Executor,
        parameter: &mut [f32],
        gradient: &[f32],
        velocity: Velocity<'_>,
    ) {
        assert_eq!(parameter.len(), gradient.len(), "length of the gradient");
        let (velocity, is_first) = match velocity {
            Velocity::None => (None, false),
            Velocity::First(velocity) => (Some(velocity), true),
            Velocity::Next(velocity) => (Some(velocity), false),
        };
        assert!(
            velocity.as_ref().is_none_or(|velocity| velocity.len() == gradient.len()),
            "velocity"
        );
        let kernel = Sgd {
            step: self,
            gradient,
            parameter: DisjointMut::new(parameter),
            velocity: velocity.map(DisjointMut::new),
            is_first,
        };
        executor.run(gradient.len().div_ceil(CHUNK), &kernel);
    }
}

struct Sgd<'a> {
    step: &'a SgdStep,
    gradient: &'a [f32],
    parameter: DisjointMut<'a, f32>,
    velocity: Option<DisjointMut<'a, f32>>,
    is_first: bool,
}

impl Kernel for Sgd<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let range = chunk * CHUNK..self.gradient.len().min((chunk + 1) * CHUNK);
        let gradient = &self.gradient[range.clone()];
        // SAFETY: chunks do not overlap.
        let parameter = unsafe { self.parameter.range(range.clone()) };
        // SAFETY: as above.
        let mut velocity = self.velocity.map(|velocity| unsafe { velocity.range(range) });
        let rate = s.splat(self.step.learning_rate as f32);
        let (momentum, kept) =
            (s.splat(self.step.momentum), s.splat((1.0 - self.step.dampening) as f32));
        let decay = self.step.weight_decay.map(|decay| s.splat(decay));
        for at in (0..gradient.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(gradient.len() - at);
            // SAFETY: the lanes end with the chunk.
            unsafe {
                let old = s.load_partial(parameter, at, lanes);
                let mut g = s.load_partial(gradient, at, lanes);
                if let Some(decay) = decay {
                    g = s.add(s.mul(old, decay), g);
                }
                if let Some(velocity) = &mut velocity {
                    let v = if self.is_first {
                        g
                    } else {
                        s.add(s.mul(g, kept), s.mul(s.load_partial(velocity, at, lanes), momentum))
                    };
                    s.store_partial(velocity, at, lanes, v);
                    g = if self.step.nesterov { s.add(s.mul(v, momentum), g) } else { v };
                }
                s.store_partial(parameter, at, lanes, s.sub(old, s.mul(g, rate)));
            }
        }
    }
}

/// One step of Adam ([Kingma and Ba](https://arxiv.org/abs/1412.6980)) or AdamW ([Loshchilov and
/// Hutter](https://arxiv.org/abs/1711.05101)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// The learning rate.
    pub learning_rate: f64,
    /// The decay of the first moment.
    pub beta_1: f32,
    /// The decay of the second moment.
    pub beta_2: f32,
    /// Added to the denominator, which keeps the quotient finite.
    pub epsilon: f32,
    /// The number of this step, from 1. The first starts the moments, whatever they hold.
    pub time: usize,
    /// How the parameter decays.
    pub decay: WeightDecay,
}

/// How a parameter decays under Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WeightDecay {
    /// Adam without decay.
    None,
    /// Adam: the factor of the parameter that is added to its gradient.
    Gradient(f32),
    /// AdamW: the factor of the parameter and the learning rate that is taken off the parameter, zero for none.
    Decoupled(f32),
}

impl AdamStep {
    /// Updates `parameter` and its moments from `gradient`.
    ///
    /// # Panics
    /// The slices differ in length, or `time` is zero.
    pub fn apply(
        &self,
        executor: &Executor,
        parameter: &mut [f32],
        gradient: &[f32],
        moment_1: &mut [f32],
        moment_2: &mut [f32],
    ) {
        assert!(self.time > 0, "steps count from one");
        let len = gradient.len();
        assert_eq!(
            (parameter.len(), moment_1.len(), moment_2.len()),
            (len, len, len),
            "parameter and moments"
        );
        let kernel = Adam {
            step: self,
            gradient,
            parameter: DisjointMut::new(parameter),
            moment_1: DisjointMut::new(moment_1),
            moment_2: DisjointMut::new(moment_2),
        };
        executor.run(len.div_ceil(CHUNK), &kernel);
    }
}

struct Adam<'a> {
    step: &'a AdamStep,
    gradient: &'a [f32],
    parameter: DisjointMut<'a, f32>,
    moment_1: DisjointMut<'a, f32>,
    moment_2: DisjointMut<'a, f32>,
}

impl Kernel for Adam<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let range = chunk * CHUNK..self.gradient.len().min((chunk + 1) * CHUNK);
        let gradient = &self.gradient[range.clone()];
        // SAFETY: chunks do not overlap.
        let (parameter, moment_1, moment_2) = unsafe {
            (
                self.parameter.range(range.clone()),
                self.moment_1.range(range.clone()),
                self.moment_2.range(range),
            )
        };
        let update = AdamUpdate::new(s, self.step);
        for at in (0..gradient.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(gradient.len() - at);
            // SAFETY: the lanes end with the chunk.
            unsafe {
                let old = s.load_partial(parameter, at, lanes);
                let g = s.load_partial(gradient, at, lanes);
                let moments =
                    (s.load_partial(moment_1, at, lanes), s.load_partial(moment_2, at, lanes));
                let (new, m, v) = update.of(s, old, g, moments);
                s.store_partial(parameter, at, lanes, new);
                s.store_partial(moment_1, at, lanes, m);
                s.store_partial(moment_2, at, lanes, v);
            }
        }
    }
}

/// `a`, and zero where it is not zero but too small for a normal number.
///
/// The moments of a weight that gets no gradient any more decay until they are such numbers, and rounding keeps them from
/// becoming zero; many machines take a hundred cycles for each of them, in every step from then on.
#[inline(always)]
fn without_subnormals<S: Simd>(s: S, a: S::V) -> S::V {
    // NaN is not below anything, and stays.
    let magnitude = s.max(s.sub(s.zero(), a), a);
    s.select(s.gt(s.splat(f32::MIN_POSITIVE), magnitude), s.zero(), a)
}

/// The factors of a step, one in each lane.
struct AdamUpdate<S: Simd> {
    is_first: bool,
    decay: WeightDecay,
    rate: S::V,
    beta_1: S::V,
    beta_2: S::V,
    rest_1: S::V,
    rest_2: S::V,
    epsilon: S::V,
    /// Adam: the factor of the first moment. AdamW: its divisor.
    correction_1: S::V,
    /// AdamW: the divisor of the second moment.
    correction_2: S::V,
    /// Adam: the factor of the parameter in the gradient. AdamW: what is left of the parameter.
    factor: S::V,
}

impl<S: Simd> AdamUpdate<S> {
    #[inline(always)]
    fn new(s: S, step: &AdamStep) -> Self {
        let AdamStep { learning_rate, beta_1, beta_2, epsilon, time, decay } = *step;
        let time = i32::try_from(time).unwrap_or(i32::MAX);
        let (bias_1, bias_2) = (1.0 - beta_1.powi(time), 1.0 - beta_2.powi(time));
        let (correction_1, correction_2, epsilon, factor) = match decay {
            WeightDecay::Decoupled(decay) => {
                (bias_1, bias_2, epsilon, (1.0 - learning_rate * f64::from(decay)) as f32)
            }
            WeightDecay::None => (bias_2.sqrt() / bias_1, 1.0, epsilon * bias_2.sqrt(), 0.0),
            WeightDecay::Gradient(decay) => {
                (bias_2.sqrt() / bias_1, 1.0, epsilon * bias_2.sqrt(), decay)
            }
        };
        Self {
            is_first: time == 1,
            decay,
            rate: s.splat(learning_rate as f32),
            beta_1: s.splat(beta_1),
            beta_2: s.splat(beta_2),
            rest_1: s.splat(1.0 - beta_1),
            rest_2: s.splat(1.0 - beta_2),
            epsilon: s.splat(epsilon),
            correction_1: s.splat(correction_1),
            correction_2: s.splat(correction_2),
            factor: s.splat(factor),
        }
    }

    /// The parameter and its moments after the step.
    #[inline(always)]
    fn of(&self, s: S, old: S::V, gradient: S::V, moments: (S::V, S::V)) -> (S::V, S::V, S::V) {
        let g = match self.decay {
            WeightDecay::Gradient(_) => s.add(s.mul(old, self.factor), gradient),
            _ => gradient,
        };
        let (fresh_1, fresh_2) = (s.mul(g, self.rest_1), s.mul(s.mul(g, g), self.rest_2));
        let (m, v) = if self.is_first {
            (fresh_1, fresh_2)
        } else {
            (
                s.add(s.mul(moments.0, self.beta_1), fresh_1),
                s.add(s.mul(moments.1, self.beta_2), fresh_2),
            )
        };
        let (m, v) = (without_subnormals(s, m), without_subnormals(s, v));
        let (kept, delta) = match self.decay {
            WeightDecay::Decoupled(decay) => {
                let kept = if decay == 0.0 { old } else { s.mul(old, self.factor) };
                let root = s.sqrt(s.div(v, self.correction_2));
                (kept, s.div(s.div(m, self.correction_1), s.add(root, self.epsilon)))
            }
            _ => (old, s.div(s.mul(m, self.correction_1), s.add(s.sqrt(v), self.epsilon))),
        };
        (s.sub(kept, s.mul(delta, self.rate)), m, v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cpu;
    use crate::testing::{assert_close, random};

    const STEPS: usize = 5;

    #[test]
    fn moments_without_gradient_decay_to_zero() {
        let step = AdamStep {
            learning_rate: 0.1,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-5,
            time: 1_000,
            decay: WeightDecay::None,
        };
        for cpu in Cpu::available() {
            let executor = Executor::new(cpu, 1);
            let small = f32::MIN_POSITIVE;
            let mut parameter = [1.0; 5];
            let mut moment_1 = [small, -small, small * 2.0, -1.0, f32::NAN];
            let mut moment_2 = [small, small, small * 2.0, 1.0, f32::NAN];
            step.apply(&executor, &mut parameter, &[0.0; 5], &mut moment_1, &mut moment_2);
            assert_eq!(moment_1[..4], [0.0, 0.0, small * 2.0 * 0.9, -0.9], "{cpu}");
            assert_eq!(moment_2[..4], [0.0, 0.0, small * 2.0 * 0.999, 0.999], "{cpu}");
            assert!(moment_1[4].is_nan() && moment_2[4].is_nan() && parameter[4].is_nan());
        }
    }

    /// The parameter after some steps, in single precision by every instruction set and in double precision by
    /// `reference`, which updates (parameter, first state, second state) at step `time`.
    fn compare(
        len: usize,
        apply: impl Fn(&Executor, usize, &mut [f32], &[f32], &mut [f32], &mut [f32]),
        reference: impl Fn(usize, f64, [f64; 3]) -> [f64; 3],
    ) {
        let gradients: Vec<Vec<f32>> = (0..STEPS).map(|time| random(len, time as u64)).collect();
        let start = random(len, 99);
        let expected: Vec<f64> = (0..len)
            .map(|i| {
                let first = [f64::from(start[i]), 0.0, 0.0];
                let step =
                    |state, time: usize| reference(time, f64::from(gradients[time - 1][i]), state);
                (1..=STEPS).fold(first, step)[0]
            })
            .collect();
        for cpu in Cpu::available() {
            let after = |threads| {
                let executor = Executor::new(cpu, threads);
                let (mut parameter, mut m, mut v) =
                    (start.clone(), vec![f32::NAN; len], vec![f32::NAN; len]);
                for time in 1..=STEPS {
                    apply(&executor, time, &mut parameter, &gradients[time - 1], &mut m, &mut v);
                }
                parameter
            };
            let one = after(1);
            assert_close(&one, &expected, 1e-5, cpu.name());
            assert_eq!(one, after(2));
            assert_eq!(one, after(4));
        }
    }

    #[test]
    fn sgd_matches_double_precision() {
        for (momentum, nesterov, decay) in [(0.0, false, 0.0), (0.9, false, 0.01), (0.9, true, 0.0)]
        {
            let step = SgdStep {
                learning_rate: 0.05,
                momentum: momentum as f32,
                dampening: 0.0,
                nesterov,
                weight_decay: (decay > 0.0).then_some(decay as f32),
            };
            compare(
                40_003,
                |executor, time, parameter, gradient, v, _| {
                    let velocity = match (momentum > 0.0, time) {
                        (false, _) => Velocity::None,
                        (true, 1) => Velocity::First(v),
                        (true, _) => Velocity::Next(v),
                    };
                    step.apply(executor, parameter, gradient, velocity);
                },
                |_, gradient, [parameter, velocity, _]| {
                    let g = gradient + decay * parameter;
                    let velocity = momentum * velocity + g;
                    let direction = if nesterov { g + momentum * velocity } else { velocity };
                    [parameter - 0.05 * direction, velocity, 0.0]
                },
            );
        }
    }

    #[test]
    fn adam_and_adamw_match_double_precision() {
        let decays = [
            WeightDecay::None,
            WeightDecay::Gradient(0.1),
            WeightDecay::Decoupled(0.1),
            WeightDecay::Decoupled(0.0),
        ];
        for decay in decays {
            let (coupled, decoupled) = match decay {
                WeightDecay::None => (0.0, 0.0),
                WeightDecay::Gradient(factor) => (f64::from(factor), 0.0),
                WeightDecay::Decoupled(factor) => (0.0, f64::from(factor)),
            };
            compare(
                40_003,
                |executor, time, parameter, gradient, m, v| {
                    let step = AdamStep {
                        learning_rate: 0.01,
                        beta_1: 0.9,
                        beta_2: 0.999,
                        epsilon: 1e-5,
                        time,
                        decay,
                    };
                    step.apply(executor, parameter, gradient, m, v);
                },
                |time, gradient, [parameter, m, v]| {
                    let time = time as i32;
                    let g = gradient + coupled * parameter;
                    let (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g);
                    let (m_hat, v_hat) =
                        (m / (1.0 - 0.9_f64.powi(time)), v / (1.0 - 0.999_f64.powi(time)));
                    let kept = parameter * (1.0 - 0.01 * decoupled);
                    [kept - 0.01 * m_hat / (v_hat.sqrt() + 1e-5), m, v]
                },
            );
        }
    }
}
