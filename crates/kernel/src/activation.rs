//! Activation functions and their derivatives, on vectors.

use super::simd::Simd;

/// A function applied to every output of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x`
    #[default]
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `x` where positive, `0.01 x` elsewhere.
    LeakyRelu,
    /// `x Φ(x)` with the exact normal distribution function ([Hendrycks and Gimpel](https://arxiv.org/abs/1606.08415)).
    Gelu,
    /// `x / (1 + exp(-x))`
    Silu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
}

/// What an activation's derivative is computed from, and so what a forward pass has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerivativeOf {
    /// The value that went into the activation.
    Input,
    /// The value that came out.
    Output,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Self; 7] = [
        Self::Linear,
        Self::Relu,
        Self::LeakyRelu,
        Self::Gelu,
        Self::Silu,
        Self::Tanh,
        Self::Sigmoid,
    ];

    /// The slope of [`Activation::LeakyRelu`] below zero.
    pub const LEAKY_SLOPE: f32 = 0.01;

    /// What [`Activation::derivative`] is computed from.
    pub const fn derivative_of(self) -> DerivativeOf {
        match self {
            Self::Gelu | Self::Silu => DerivativeOf::Input,
            _ => DerivativeOf::Output,
        }
    }

    /// The activation of each lane. NaN stays NaN.
    #[inline(always)]
    pub fn forward<S: Simd>(self, s: S, x: S::V) -> S::V {
        match self {
            Self::Linear => x,
            Self::Relu => s.max(s.zero(), x),
            Self::LeakyRelu => s.max(s.mul(x, s.splat(Self::LEAKY_SLOPE)), x),
            Self::Gelu => s.mul(x, normal_cdf(s, x)),
            Self::Silu => s.mul(x, sigmoid(s, x)),
            Self::Tanh => tanh(s, x),
            Self::Sigmoid => sigmoid(s, x),
        }
    }

    /// The derivative at each lane, from the input or the output of [`Activation::forward`] as
    /// [`Activation::derivative_of`] says. At the kink of relu it is that of the left side, as in burn.
    #[inline(always)]
    pub fn derivative<S: Simd>(self, s: S, kept: S::V) -> S::V {
        let one = s.splat(1.0);
        match self {
            Self::Linear => one,
            Self::Relu => s.select(s.gt(kept, s.zero()), one, s.zero()),
            Self::LeakyRelu => s.select(s.gt(kept, s.zero()), one, s.splat(Self::LEAKY_SLOPE)),
            Self::Gelu => s.fma(kept, normal_density(s, kept), normal_cdf(s, kept)),
            Self::Silu => {
                let p = sigmoid(s, kept);
                s.mul(p, s.fma(kept, s.sub(one, p), one))
            }
            Self::Tanh => s.sub(one, s.mul(kept, kept)),
            Self::Sigmoid => s.mul(kept, s.sub(one, kept)),
        }
    }
}

/// `exp(x)` within 2 ulp, 0 below -87.3 and infinite above 88.7.
///
/// Cephes' `expf`: `x = n ln 2 + r`, a polynomial for `exp(r)`, times 2ⁿ.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const SMALLEST: f32 = -87.336_54;
    const LARGEST: f32 = 88.722_83;
    let bounded = s.min(s.splat(LARGEST), s.max(s.splat(SMALLEST), x));
    let n = s.round(s.mul(bounded, s.splat(std::f32::consts::LOG2_E)));
    let r = s.fma(n, s.splat(-LN2_HIGH), bounded);
    let r = s.fma(n, s.splat(-LN2_LOW), r);
    let tail = polynomial(
        s,
        r,
        [
            1.987_569_1e-4,
            1.398_199_9e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            5.000_000_3e-1,
        ],
    );
    let exp_r = s.fma(s.mul(r, r), tail, s.add(r, s.splat(1.0)));
    // 2¹²⁸ is no float though 2¹²⁸ exp(r) may be one, so the power is applied in two halves.
    let half = s.round(s.mul(n, s.splat(0.5)));
    let scaled = s.mul(s.mul(exp_r, s.exp2_integer(half)), s.exp2_integer(s.sub(n, half)));
    let not_tiny = s.select(s.gt(s.splat(SMALLEST), x), s.zero(), scaled);
    s.select(s.gt(x, s.splat(LARGEST)), s.splat(f32::INFINITY), not_tiny)
}

#[inline(always)]
fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.sub(s.zero(), x))))
}

/// A ratio of polynomials, within 4 ulp; the one that Eigen and XLA use.
#[inline(always)]
fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    const BOUND: f32 = 7.905_311;
    let x = s.min(s.splat(BOUND), s.max(s.splat(-BOUND), x));
    let square = s.mul(x, x);
    let numerator = polynomial(
        s,
        square,
        [
            -2.760_768_5e-16,
            2.000_188e-13,
            -8.604_672e-11,
            5.122_297e-8,
            1.485_722_4e-5,
            6.372_619e-4,
            4.893_525e-3,
        ],
    );
    let denominator =
        polynomial(s, square, [1.198_258_4e-6, 1.185_347e-4, 2.268_434_6e-3, 4.893_525_3e-3]);
    s.div(s.mul(x, numerator), denominator)
}

/// The error function as a ratio of polynomials, within 1e-6; the one that Eigen and XLA use.
#[inline(always)]
fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    const BOUND: f32 = 4.0;
    let one = s.splat(1.0);
    let bounded = s.min(s.splat(BOUND), s.max(s.splat(-BOUND), x));
    let square = s.mul(bounded, bounded);
    let numerator = polynomial(
        s,
        square,
        [
            -2.726_142_3e-10,
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_4e-5,
            -7.349_906_3e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ],
    );
    let denominator = polynomial(
        s,
        square,
        [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2],
    );
    let inside = s.div(s.mul(bounded, numerator), denominator);
    // Exactly one in the tails, where a large factor would amplify the ratio's rounding error.
    let right = s.select(s.gt(x, s.splat(BOUND)), one, inside);
    s.select(s.gt(s.splat(-BOUND), x), s.sub(s.zero(), one), right)
}

/// Φ(x)
#[inline(always)]
fn normal_cdf<S: Simd>(s: S, x: S::V) -> S::V {
    let half = s.splat(0.5);
    s.fma(half, erf(s, s.mul(x, s.splat(std::f32::consts::FRAC_1_SQRT_2))), half)
}

/// φ(x)
#[inline(always)]
fn normal_density<S: Simd>(s: S, x: S::V) -> S::V {
    const INVERSE_SQRT_TAU: f32 = 0.398_942_3;
    s.mul(s.splat(INVERSE_SQRT_TAU), exp(s, s.mul(s.splat(-0.5), s.mul(x, x))))
}

/// By Horner's rule, highest power first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::V, coefficients: [f32; N]) -> S::V {
    let mut value = s.splat(coefficients[0]);
    for coefficient in &coefficients[1..] {
        value = s.fma(value, x, s.splat(*coefficient));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cpu, DisjointMut, Executor, Kernel};

    struct Apply<'a> {
        activation: Activation,
        x: &'a [f32],
        y: DisjointMut<'a, f32>,
        slope: DisjointMut<'a, f32>,
    }

    impl Kernel for Apply<'_> {
        #[inline(always)]
        fn run<S: Simd>(&self, s: S, _: usize) {
            // SAFETY: one chunk.
            let (y, slope) =
                unsafe { (self.y.range(0..self.x.len()), self.slope.range(0..self.x.len())) };
            for at in (0..self.x.len()).step_by(S::LANES) {
                let lanes = S::LANES.min(self.x.len() - at);
                // SAFETY: at + lanes is at most the length of all three.
                unsafe {
                    let input = s.load_partial(self.x, at, lanes);
                    let output = self.activation.forward(s, input);
                    let kept = match self.activation.derivative_of() {
                        DerivativeOf::Input => input,
                        DerivativeOf::Output => output,
                    };
                    s.store_partial(y, at, lanes, output);
                    s.store_partial(slope, at, lanes, self.activation.derivative(s, kept));
                }
            }
        }
    }

    fn apply(cpu: Cpu, activation: Activation, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (mut y, mut slope) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let kernel = Apply {
            activation,
            x,
            y: DisjointMut::new(&mut y),
            slope: DisjointMut::new(&mut slope),
        };
        Executor::new(cpu, 1).run(1, &kernel);
        (y, slope)
    }

    fn reference(activation: Activation, x: f64) -> f64 {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Linear => x,
            Activation::Relu => x.max(0.0),
            Activation::LeakyRelu => x.max(0.01 * x),
            Activation::Gelu => x * 0.5 * (1.0 + libm::erf(x / 2_f64.sqrt())),
            Activation::Silu => x * sigmoid,
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => sigmoid,
        }
    }

    fn assert_close(found: f32, expected: f64, what: &str) {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= 2e-6 * expected.abs().max(0.5), "{what}: {found} for {expected}");
    }

    #[test]
    fn values_and_slopes_match_double_precision() {
        let step = if cfg!(miri) { 371 } else { 1 };
        let x: Vec<f32> = (-2000..=2000).step_by(step).map(|i| i as f32 * 0.0173 + 0.003).collect();
        for cpu in Cpu::available() {
            for activation in Activation::ALL {
                let (y, slope) = apply(cpu, activation, &x);
                for i in 0..x.len() {
                    let at = f64::from(x[i]);
                    let what = format!("{cpu} {activation:?} at {at}");
                    assert_close(y[i], reference(activation, at), &what);
                    let h = 1e-5;
                    let difference =
                        (reference(activation, at + h) - reference(activation, at - h)) / (2.0 * h);
                    assert_close(slope[i], difference, &format!("slope of {what}"));
                }
            }
        }
    }

    #[test]
    fn nan_is_not_hidden() {
        for cpu in Cpu::available() {
            for activation in Activation::ALL {
                assert!(apply(cpu, activation, &[f32::NAN]).0[0].is_nan(), "{cpu} {activation:?}");
            }
        }
    }

    #[test]
    fn exp_is_accurate_over_its_whole_range() {
        struct Exp<'a>(&'a [f32], DisjointMut<'a, f32>);
        impl Kernel for Exp<'_> {
            #[inline(always)]
            fn run<S: Simd>(&self, s: S, i: usize) {
                // SAFETY: each chunk writes its own element.
                let y = unsafe { self.1.range(i..i + 1) };
                // SAFETY: one element.
                unsafe { s.store_partial(y, 0, 1, exp(s, s.splat(self.0[i]))) };
            }
        }
        let x = [-87.3, -50.0, -1.0, -1e-4, 0.0, 1e-7, 0.3, 1.0, 20.0, 88.0, 88.7, 89.0, -110.0];
        for cpu in Cpu::available() {
            let mut y = [0.0; 13];
            Executor::new(cpu, 1).run(x.len(), &Exp(&x, DisjointMut::new(&mut y)));
            for (x, y) in x.iter().zip(&y).take(11) {
                let expected = f64::from(*x).exp();
                assert!(
                    (f64::from(*y) - expected).abs() <= 4e-7 * expected,
                    "{cpu} exp({x}) = {y}"
                );
            }
            assert_eq!(y[11..], [f32::INFINITY, 0.0]);
        }
    }
}
