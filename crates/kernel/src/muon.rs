//! Muon ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)): momentum whose direction is replaced by a nearly
//! orthogonal matrix, for the filters of convolutions.
//!
//! The filters of a convolution are a matrix of a row for each output channel. Newton-Schulz iterations take its singular
//! values towards one: `X ← (a + b·G + c·G²) X` with `G = X·Xᵀ`. All factors are polynomials of the first `G`, so they are
//! multiplied by each other first, as small square matrices, and by the long rows of `X` once, at the end.

use super::executor::{Executor, Kernel};
use super::product::{Bands, Product, transpose};
use super::scratch;
use super::simd::Simd;
use super::threads::DisjointMut;

/// One step of Muon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonStep {
    /// The learning rate. The step is as long as one of Adam with this rate usually is
    /// ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)).
    pub learning_rate: f64,
    /// The factor of the previous velocity; Nesterov's form is used.
    pub momentum: f32,
    /// The factor of the parameter and the learning rate that is taken off the parameter, zero for none.
    pub weight_decay: f32,
}

/// Coefficients of the iteration, those of Jordan et al.: of all that converge, they raise small values fastest.
pub(crate) const COEFFICIENTS: [f32; 3] = [3.4445, -4.775, 2.0315];
/// Number of iterations.
pub(crate) const ITERATIONS: usize = 3;
/// Added to the norm, so that a gradient of zeros is no division by zero.
pub(crate) const EPSILON: f32 = 1e-7;
/// Elements in a chunk; fewer are not worth another thread.
const CHUNK: usize = 1 << 13;

/// How much longer than the orthogonal matrix the step is, so that its elements have the root mean square of Adam's: 0.2
/// times the root of the longer side (Liu et al. 2025).
pub(crate) fn scale(rows: usize, columns: usize) -> f64 {
    0.2 * (rows.max(columns) as f64).sqrt()
}

impl MuonStep {
    /// Updates `parameter`, of `rows` rows, and its `velocity` from `gradient`. In the first step the velocity becomes the
    /// gradient, whatever it was.
    ///
    /// # Panics
    /// The slices differ in length, or are not whole rows.
    pub fn apply(
        &self,
        executor: &Executor,
        parameter: &mut [f32],
        gradient: &[f32],
        velocity: &mut [f32],
        rows: usize,
        is_first: bool,
    ) {
        let len = parameter.len();
        assert_eq!(
            (gradient.len(), velocity.len()),
            (len, len),
            "lengths of gradient and velocity"
        );
        assert!(rows > 0 && len.is_multiple_of(rows), "the parameter is whole rows");
        let columns = len / rows;
        scratch::with(2 * len, |memory| {
            let [direction, orthogonal] = scratch::split(memory, [len, len]);
            let accelerate = Accelerate {
                momentum: self.momentum,
                gradient,
                velocity: DisjointMut::new(velocity),
                direction: DisjointMut::new(direction),
                is_first,
            };
            executor.run(len.div_ceil(CHUNK), &accelerate);
            orthogonalize(executor, direction, rows, columns, orthogonal);
            let descend = Descend {
                rate: (self.learning_rate * scale(rows, columns)) as f32,
                kept: (1.0 - self.learning_rate * f64::from(self.weight_decay)) as f32,
                direction: orthogonal,
                parameter: DisjointMut::new(parameter),
            };
            executor.run(len.div_ceil(CHUNK), &descend);
        });
    }
}

/// The velocity, and the direction that follows from it.
struct Accelerate<'a> {
    momentum: f32,
    gradient: &'a [f32],
    velocity: DisjointMut<'a, f32>,
    direction: DisjointMut<'a, f32>,
    is_first: bool,
}

impl Kernel for Accelerate<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let range = chunk * CHUNK..self.gradient.len().min((chunk + 1) * CHUNK);
        let gradient = &self.gradient[range.clone()];
        // SAFETY: chunks do not overlap.
        let velocity = unsafe { self.velocity.range(range.clone()) };
        // SAFETY: as above.
        let direction = unsafe { self.direction.range(range) };
        let momentum = s.splat(self.momentum);
        for at in (0..gradient.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(gradient.len() - at);
            // SAFETY: the lanes end with the chunk.
            unsafe {
                let g = s.load_partial(gradient, at, lanes);
                let v = match self.is_first {
                    true => g,
                    false => s.add(g, s.mul(s.load_partial(velocity, at, lanes), momentum)),
                };
                s.store_partial(velocity, at, lanes, v);
                s.store_partial(direction, at, lanes, s.add(g, s.mul(v, momentum)));
            }
        }
    }
}

/// `parameter · kept − direction · rate`.
struct Descend<'a> {
    rate: f32,
    kept: f32,
    direction: &'a [f32],
    parameter: DisjointMut<'a, f32>,
}

impl Kernel for Descend<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let range = chunk * CHUNK..self.direction.len().min((chunk + 1) * CHUNK);
        let direction = &self.direction[range.clone()];
        // SAFETY: chunks do not overlap.
        let parameter = unsafe { self.parameter.range(range) };
        let (rate, kept) = (s.splat(self.rate), s.splat(self.kept));
        for at in (0..direction.len()).step_by(S::LANES) {
            let lanes = S::LANES.min(direction.len() - at);
            // SAFETY: the lanes end with the chunk.
            unsafe {
                let old = s.mul(s.load_partial(parameter, at, lanes), kept);
                let step = s.mul(s.load_partial(direction, at, lanes), rate);
                s.store_partial(parameter, at, lanes, s.sub(old, step));
            }
        }
    }
}

/// Writes to `out` the matrix of `matrix`'s singular vectors with singular values near one.
fn orthogonalize(
    executor: &Executor,
    matrix: &[f32],
    rows: usize,
    columns: usize,
    out: &mut [f32],
) {
    let (short, long) = (rows.min(columns), rows.max(columns));
    let squares: f64 = matrix.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    let shrink = 1.0 / (squares.sqrt() as f32 + EPSILON);
    let square = short * short;
    scratch::with(5 * square, |memory| {
        let [gram, factor, power, next, product] = scratch::split(memory, [square; 5]);
        // `out` holds the transposed matrix until the result is written.
        executor.run(1, &Transposed { matrix, rows, columns, out: DisjointMut::new(out) });
        let (wide, tall) = if rows <= columns { (matrix, &*out) } else { (&*out, matrix) };
        multiply(executor, wide, tall, [short, short, long], gram);
        for value in gram.iter_mut() {
            *value *= shrink * shrink;
        }
        for iteration in 0..ITERATIONS {
            multiply(executor, gram, gram, [short; 3], product);
            let [first, second, third] = COEFFICIENTS;
            for (at, factor) in factor.iter_mut().enumerate() {
                *factor = second * gram[at] + third * product[at];
                if at % (short + 1) == 0 {
                    *factor += first;
                }
            }
            if iteration == 0 {
                for (power, factor) in power.iter_mut().zip(&*factor) {
                    *power = factor * shrink;
                }
            } else {
                multiply(executor, factor, power, [short; 3], next);
                power.copy_from_slice(next);
            }
            if iteration + 1 < ITERATIONS {
                multiply(executor, factor, gram, [short; 3], product);
                multiply(executor, product, factor, [short; 3], gram);
            }
        }
        // The factors are symmetric: from the right they work on a tall matrix as they do from the left on a wide one.
        if rows <= columns {
            multiply(executor, power, matrix, [rows, columns, short], out);
        } else {
            multiply(executor, matrix, power, [rows, columns, short], out);
        }
    });
}

/// The transposed matrix.
struct Transposed<'a> {
    matrix: &'a [f32],
    rows: usize,
    columns: usize,
    out: DisjointMut<'a, f32>,
}

impl Kernel for Transposed<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, _chunk: usize) {
        // SAFETY: it is the only chunk.
        let out = unsafe { self.out.range(0..self.rows * self.columns) };
        transpose(s, self.matrix, self.rows, self.columns, out, self.rows);
    }
}

/// `out = left · right`, for `out` of `[rows, columns]` and sums of `depth` terms.
fn multiply(
    executor: &Executor,
    left: &[f32],
    right: &[f32],
    [rows, columns, depth]: [usize; 3],
    out: &mut [f32],
) {
    let bands = Bands::new(rows, columns, depth);
    let product = Product {
        left,
        left_row: depth,
        left_depth: 1,
        right,
        right_depth: columns,
        depth,
        start: None,
    };
    let kernel = Multiply { product, bands, columns, out: DisjointMut::new(out) };
    executor.run(bands.count(), &kernel);
}

struct Multiply<'a> {
    product: Product<'a>,
    bands: Bands,
    columns: usize,
    out: DisjointMut<'a, f32>,
}

impl Kernel for Multiply<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, band: usize) {
        let (rows, columns) = self.bands.get(band);
        // SAFETY: bands do not overlap.
        unsafe { self.product.write(s, rows, columns, self.out, self.columns) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cpu;
    use crate::testing::random;

    const STEP: MuonStep = MuonStep { learning_rate: 0.01, momentum: 0.9, weight_decay: 0.1 };

    /// `left · right` in double precision; `[rows, depth]` by `[depth, columns]`.
    fn product(left: &[f64], right: &[f64], rows: usize, columns: usize) -> Vec<f64> {
        let depth = left.len() / rows;
        let at = |r: usize, c: usize| -> f64 {
            (0..depth).map(|d| left[r * depth + d] * right[d * columns + c]).sum()
        };
        (0..rows * columns).map(|at_| at(at_ / columns, at_ % columns)).collect()
    }

    fn transposed(matrix: &[f64], rows: usize) -> Vec<f64> {
        let columns = matrix.len() / rows;
        (0..matrix.len()).map(|at| matrix[at % rows * columns + at / rows]).collect()
    }

    /// The iteration as it is published, in double precision.
    fn published(matrix: &[f32], rows: usize) -> Vec<f64> {
        let columns = matrix.len() / rows;
        let norm = matrix.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        let mut x: Vec<f64> = matrix.iter().map(|&value| f64::from(value) / norm).collect();
        if rows > columns {
            x = transposed(&x, rows);
        }
        let (short, long) = (rows.min(columns), rows.max(columns));
        let [a, b, c] = COEFFICIENTS.map(f64::from);
        for _ in 0..ITERATIONS {
            let gram = product(&x, &transposed(&x, short), short, short);
            let square = product(&gram, &gram, short, short);
            let factor: Vec<f64> =
                gram.iter().zip(&square).map(|(gram, square)| b * gram + c * square).collect();
            let step = product(&factor, &x, short, long);
            x = x.iter().zip(step).map(|(x, step)| a * x + step).collect();
        }
        if rows > columns { transposed(&x, short) } else { x }
    }

    #[test]
    fn directions_are_those_of_the_published_iteration_on_every_instruction_set() {
        for (rows, columns) in [(1, 1), (1, 9), (24, 9), (16, 16), (24, 27), (32, 144), (5, 7)] {
            let matrix = random(rows * columns, (rows * columns) as u64);
            let expected = published(&matrix, rows);
            for cpu in Cpu::available() {
                let mut found = vec![f32::NAN; matrix.len()];
                orthogonalize(&Executor::new(cpu, 2), &matrix, rows, columns, &mut found);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (f64::from(*found) - expected).abs() < 1e-3,
                        "{rows}x{columns} {cpu:?}: {found} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn rows_become_nearly_orthogonal() {
        let (rows, columns) = (16, 200);
        let matrix = random(rows * columns, 3);
        let mut found = vec![0.0; matrix.len()];
        orthogonalize(&Executor::new(Cpu::detect(), 1), &matrix, rows, columns, &mut found);
        let found: Vec<f64> = found.into_iter().map(f64::from).collect();
        let gram = product(&found, &transposed(&found, rows), rows, rows);
        for (at, value) in gram.into_iter().enumerate() {
            let expected = if at % (rows + 1) == 0 { 1.0 } else { 0.0 };
            // The iteration ends with singular values of 0.7 to 1.2.
            assert!((value - expected).abs() < 0.5, "{at}: {value}");
        }
    }

    #[test]
    fn a_step_has_momentum_decay_and_a_gradient_of_zeros_is_none() {
        let executor = Executor::new(Cpu::detect(), 2);
        let (rows, len) = (6, 6 * 50);
        let (mut parameter, mut velocity) = (random(len, 1), vec![f32::NAN; len]);
        let (old, gradients) = (parameter.clone(), [random(len, 2), random(len, 3)]);
        STEP.apply(&executor, &mut parameter, &gradients[0], &mut velocity, rows, true);
        assert_eq!(velocity, gradients[0]);
        let direction: Vec<f32> = gradients[0].iter().map(|g| g + 0.9 * g).collect();
        let expected = published(&direction, rows);
        let length = 0.01 * 0.2 * 50_f64.sqrt();
        for ((new, old), direction) in parameter.iter().zip(&old).zip(expected) {
            let expected = f64::from(*old) * (1.0 - 0.01 * 0.1) - length * direction;
            assert!((f64::from(*new) - expected).abs() < 1e-4, "{new} {expected}");
        }
        STEP.apply(&executor, &mut parameter, &gradients[1], &mut velocity, rows, false);
        for ((velocity, first), second) in velocity.iter().zip(&gradients[0]).zip(&gradients[1]) {
            assert_eq!(*velocity, second + first * 0.9);
        }

        let mut still = old.clone();
        let step = MuonStep { weight_decay: 0.0, ..STEP };
        step.apply(&executor, &mut still, &vec![0.0; len], &mut velocity, rows, true);
        assert_eq!(still, old);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (rows, len) = (96, 96 * 300);
        let steps = |threads| {
            let executor = Executor::new(Cpu::detect(), threads);
            let (mut parameter, mut velocity) = (random(len, 1), vec![0.0; len]);
            for step in 0..3 {
                let gradient = random(len, 10 + step);
                let is_first = step == 0;
                STEP.apply(&executor, &mut parameter, &gradient, &mut velocity, rows, is_first);
            }
            (parameter, velocity)
        };
        assert!(steps(1) == steps(2) && steps(1) == steps(5));
    }
}
