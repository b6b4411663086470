//! The sum of two tensors with an activation after it, in one pass over memory, and its gradient.
//!
//! It is the end of a residual block. A chunk is a range of elements, each of which depends on those at
//! its own index alone.

use super::activation::{Activation, DerivativeOf};
use super::executor::{Executor, Kernel};
use super::simd::Simd;
use super::threads::DisjointMut;

/// Elements of a chunk.
const CHUNK: usize = 1 << 14;

/// Sets `y` to `activation(a + b)`. Where the activation's derivative is one of its input and `pre`
/// is given, `pre` becomes `a + b`.
///
/// # Panics
/// The slices have different lengths.
pub fn add(
    executor: &Executor,
    activation: Activation,
    a: &[f32],
    b: &[f32],
    y: &mut [f32],
    pre: Option<&mut [f32]>,
) {
    assert_eq!((a.len(), b.len()), (y.len(), y.len()), "the terms of a sum differ in length");
    assert!(pre.as_ref().is_none_or(|pre| pre.len() == y.len()), "length of the pre-activation");
    let (chunks, pre) = (y.len().div_ceil(CHUNK), pre.map(DisjointMut::new));
    executor.run(chunks, &Add { activation, a, b, y: DisjointMut::new(y), pre });
}

/// Sets `dx` to the gradient of what went into an activation from that of its output, `dy`; `kept` is
/// what went in or what came out, as [`Activation::derivative_of`] says.
///
/// # Panics
/// The slices have different lengths.
pub fn gradient(
    executor: &Executor,
    activation: Activation,
    kept: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    assert_eq!(
        (kept.len(), dy.len()),
        (dx.len(), dx.len()),
        "length of the gradients of an activation"
    );
    let chunks = dx.len().div_ceil(CHUNK);
    executor.run(chunks, &Gradient { activation, kept, dy, dx: DisjointMut::new(dx) });
}

struct Add<'a> {
    activation: Activation,
    a: &'a [f32],
    b: &'a [f32],
    y: DisjointMut<'a, f32>,
    pre: Option<DisjointMut<'a, f32>>,
}

impl Kernel for Add<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let own = chunk * CHUNK..self.y.len().min((chunk + 1) * CHUNK);
        let (a, b) = (&self.a[own.clone()], &self.b[own.clone()]);
        // SAFETY: chunks do not overlap.
        let y = unsafe { self.y.range(own.clone()) };
        if let (DerivativeOf::Input, Some(pre)) = (self.activation.derivative_of(), &self.pre) {
            // SAFETY: chunks do not overlap.
            let pre = unsafe { pre.range(own) };
            for at in (0..y.len()).step_by(S::LANES) {
                let lanes = S::LANES.min(y.len() - at);
                // SAFETY: the lanes end with the chunk.
                unsafe {
                    let sum = s.add(s.load_partial(a, at, lanes), s.load_partial(b, at, lanes));
                    s.store_partial(pre, at, lanes, sum);
                    s.store_partial(y, at, lanes, self.activation.forward(s, sum));
                }
            }
            return;
        }
        let whole = y.len() - y.len() % S::LANES;
        for at in (0..whole).step_by(S::LANES) {
            // SAFETY: whole vectors of the chunk.
            unsafe {
                let sum = s.add(s.load(a, at), s.load(b, at));
                s.store(y, at, self.activation.forward(s, sum));
            }
        }
        let lanes = y.len() - whole;
        // SAFETY: the lanes end with the chunk.
        unsafe {
            let sum = s.add(s.load_partial(a, whole, lanes), s.load_partial(b, whole, lanes));
            s.store_partial(y, whole, lanes, self.activation.forward(s, sum));
        }
    }
}

struct Gradient<'a> {
    activation: Activation,
    kept: &'a [f32],
    dy: &'a [f32],
    dx: DisjointMut<'a, f32>,
}

impl Kernel for Gradient<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let own = chunk * CHUNK..self.dx.len().min((chunk + 1) * CHUNK);
        let (kept, dy) = (&self.kept[own.clone()], &self.dy[own.clone()]);
        // SAFETY: chunks do not overlap.
        let dx = unsafe { self.dx.range(own) };
        for at in (0..dx.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(dx.len() - at);
            // SAFETY: the lanes end with the chunk.
            unsafe {
                let slope = self.activation.derivative(s, s.load_partial(kept, at, lanes));
                s.store_partial(dx, at, lanes, s.mul(slope, s.load_partial(dy, at, lanes)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cpu;
    use crate::testing::{assert_close, random};

    #[test]
    fn sums_and_gradients_match_double_precision_for_any_number_of_threads() {
        let len = if cfg!(miri) { 70 } else { 3 * CHUNK + 5 };
        let (a, b, dy) = (random(len, 1), random(len, 2), random(len, 3));
        let sums: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f64::from(*a + *b)).collect();
        for cpu in Cpu::available() {
            for activation in Activation::ALL {
                let run = |threads| {
                    let executor = Executor::new(cpu, threads);
                    let nan = || vec![f32::NAN; len];
                    let (mut y, mut pre, mut dx) = (nan(), nan(), nan());
                    add(&executor, activation, &a, &b, &mut y, Some(&mut pre));
                    let kept = match activation.derivative_of() {
                        DerivativeOf::Input => &pre,
                        DerivativeOf::Output => &y,
                    };
                    gradient(&executor, activation, kept, &dy, &mut dx);
                    (y, dx)
                };
                let (y, dx) = run(1);
                assert_eq!((y.clone(), dx.clone()), run(3), "{cpu} {activation:?}");
                let expected: Vec<f64> = sums.iter().map(|x| activation.reference(*x)).collect();
                assert_close(&y, &expected, 1e-5, &format!("{cpu} {activation:?}"));
                let slopes = sums.iter().zip(&dy);
                let expected: Vec<f64> =
                    slopes.map(|(x, dy)| activation.reference_slope(*x) * f64::from(*dy)).collect();
                assert_close(&dx, &expected, 1e-5, &format!("{cpu} {activation:?} gradient"));
            }
        }
    }

    #[test]
    fn nan_is_not_hidden() {
        for cpu in Cpu::available() {
            let mut y = [0.0; 3];
            let (a, b) = ([1.0, f32::NAN, 2.0], [0.5, 1.0, f32::NAN]);
            add(&Executor::new(cpu, 1), Activation::Relu, &a, &b, &mut y, None);
            assert!(y[0] == 1.5 && y[1].is_nan() && y[2].is_nan(), "{cpu}: {y:?}");
        }
    }
}
