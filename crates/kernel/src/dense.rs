//! A dense layer: `act(x · w + b)` and its gradients, each in one or two passes over memory.

use super::activation::{Activation, DerivativeOf};
use super::executor::{Executor, Kernel};
use super::product::{Bands, Product, transpose};
use super::scratch;
use super::simd::Simd;
use super::threads::DisjointMut;

/// The shape of a dense layer and its activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Rows of the input.
    pub batch: usize,
    /// Features of an input row.
    pub inputs: usize,
    /// Features of an output row.
    pub units: usize,
    /// Applied to every output.
    pub activation: Activation,
}

impl Dense {
    /// `y = act(x · w + b)` for `x` of `[batch, inputs]`, `weight` of `[inputs, units]`, `bias` of `[units]`, and `y` of
    /// `[batch, units]`. Where the activation's derivative is one of its input and `pre` is given, `pre` becomes
    /// `x · w + b`.
    ///
    /// # Panics
    /// The length of a slice does not match its shape.
    pub fn forward(
        &self,
        executor: &Executor,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
        pre: Option<&mut [f32]>,
    ) {
        self.check(x, weight);
        assert_eq!(y.len(), self.batch * self.units, "length of the output");
        assert!(bias.is_none_or(|bias| bias.len() == self.units), "length of the bias");
        assert!(
            pre.as_ref().is_none_or(|pre| pre.len() == y.len()),
            "length of the pre-activation"
        );
        let bands = Bands::new(self.batch, self.units, self.inputs);
        let kernel = Forward {
            dense: self,
            product: Product {
                left: x,
                left_row: self.inputs,
                left_depth: 1,
                right: weight,
                right_depth: self.units,
                depth: self.inputs,
                start: bias,
            },
            bands,
            y: DisjointMut::new(y),
            pre: pre.map(DisjointMut::new),
        };
        executor.run(bands.count(), &kernel);
    }

    /// The gradients of the input (if wanted), the weight and the bias, from the output's, `dy`.
    ///
    /// `kept` is the output of the forward pass, or its pre-activation, as [`Activation::derivative_of`] says.
    ///
    /// # Panics
    /// The length of a slice does not match its shape.
    #[expect(clippy::too_many_arguments, reason = "one slice for each tensor that takes part")]
    pub fn backward(
        &self,
        executor: &Executor,
        x: &[f32],
        weight: &[f32],
        kept: &[f32],
        dy: &[f32],
        dx: Option<&mut [f32]>,
        dw: &mut [f32],
        db: Option<&mut [f32]>,
    ) {
        self.check(x, weight);
        let outputs = self.batch * self.units;
        assert_eq!(
            (dy.len(), kept.len()),
            (outputs, outputs),
            "length of the output and its gradient"
        );
        assert_eq!(dw.len(), weight.len(), "length of the weight gradient");
        assert!(dx.as_ref().is_none_or(|dx| dx.len() == x.len()), "length of the input gradient");
        assert!(db.as_ref().is_none_or(|db| db.len() == self.units), "length of the bias gradient");
        let db = db.map(DisjointMut::new);
        if self.activation == Activation::Linear {
            if let Some(db) = db {
                let kernel = Delta { dense: self, kept: dy, dy, delta: None, db: Some(db) };
                executor.run(kernel.chunks(), &kernel);
            }
            self.products(executor, x, weight, dy, dx, dw);
        } else {
            scratch::with(outputs, |delta| {
                let kernel =
                    Delta { dense: self, kept, dy, delta: Some(DisjointMut::new(delta)), db };
                executor.run(kernel.chunks(), &kernel);
                self.products(executor, x, weight, delta, dx, dw);
            });
        }
    }

    /// `dw = xᵀ · delta` and `dx = delta · wᵀ`, side by side.
    fn products(
        &self,
        executor: &Executor,
        x: &[f32],
        weight: &[f32],
        delta: &[f32],
        dx: Option<&mut [f32]>,
        dw: &mut [f32],
    ) {
        let weight_bands = Bands::new(self.inputs, self.units, self.batch);
        let row_band =
            if self.batch > 2 * InputGradient::ROWS { InputGradient::ROWS } else { self.batch };
        let kernel = Backward {
            weight_product: Product {
                left: x,
                left_row: 1,
                left_depth: self.inputs,
                right: delta,
                right_depth: self.units,
                depth: self.batch,
                start: None,
            },
            weight_bands,
            dw: DisjointMut::new(dw),
            units: self.units,
            input: dx.map(|dx| InputGradient {
                dense: self,
                weight,
                delta,
                dx: DisjointMut::new(dx),
                row_band,
            }),
        };
        let input_bands = kernel.input.as_ref().map_or(0, InputGradient::count);
        executor.run(weight_bands.count() + input_bands, &kernel);
    }

    fn check(&self, x: &[f32], weight: &[f32]) {
        assert_eq!(x.len(), self.batch * self.inputs, "length of the input");
        assert_eq!(weight.len(), self.inputs * self.units, "length of the weight");
    }
}

struct Forward<'a> {
    dense: &'a Dense,
    product: Product<'a>,
    bands: Bands,
    y: DisjointMut<'a, f32>,
    pre: Option<DisjointMut<'a, f32>>,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, band: usize) {
        let (rows, columns) = self.bands.get(band);
        let Dense { units, activation, .. } = *self.dense;
        // SAFETY: bands do not overlap.
        unsafe { self.product.write(s, rows.clone(), columns.clone(), self.y, units) };
        if activation == Activation::Linear {
            return;
        }
        for row in rows {
            let range = row * units + columns.start..row * units + columns.end;
            // SAFETY: bands do not overlap.
            let y = unsafe { self.y.range(range.clone()) };
            if let (DerivativeOf::Input, Some(pre)) = (activation.derivative_of(), &self.pre) {
                // SAFETY: bands do not overlap.
                unsafe { pre.range(range) }.copy_from_slice(y);
            }
            for at in (0..y.len()).step_by(S::LANES) {
                let lanes = S::LANES.min(y.len() - at);
                // SAFETY: at + lanes is at most the length.
                unsafe {
                    s.store_partial(
                        y,
                        at,
                        lanes,
                        activation.forward(s, s.load_partial(y, at, lanes)),
                    )
                };
            }
        }
    }
}

/// The gradient before the activation, and its sum over the batch: the bias' gradient.
struct Delta<'a> {
    dense: &'a Dense,
    kept: &'a [f32],
    dy: &'a [f32],
    /// None where it equals `dy`.
    delta: Option<DisjointMut<'a, f32>>,
    db: Option<DisjointMut<'a, f32>>,
}

impl Delta<'_> {
    const COLUMNS: usize = 64;
    const ELEMENTS_WORTH_SHARING: usize = 1 << 15;

    fn column_band(&self) -> usize {
        let share = self.dy.len() >= Self::ELEMENTS_WORTH_SHARING;
        if share { Self::COLUMNS } else { self.dense.units.max(1) }
    }

    fn chunks(&self) -> usize {
        self.dense.units.div_ceil(self.column_band())
    }
}

impl Kernel for Delta<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let units = self.dense.units;
        let start = chunk * self.column_band();
        let end = units.min(start + self.column_band());
        for column in (start..end).step_by(S::LANES) {
            let lanes = S::LANES.min(end - column);
            let mut sum = s.zero();
            for row in 0..self.dense.batch {
                let at = row * units + column;
                // SAFETY: the columns end with the row, and no other chunk writes these.
                unsafe {
                    let mut delta = s.load_partial(self.dy, at, lanes);
                    if let Some(out) = &self.delta {
                        let slope = self
                            .dense
                            .activation
                            .derivative(s, s.load_partial(self.kept, at, lanes));
                        delta = s.mul(delta, slope);
                        s.store_partial(out.range(at..at + lanes), 0, lanes, delta);
                    }
                    sum = s.add(sum, delta);
                }
            }
            if let Some(db) = &self.db {
                // SAFETY: no other chunk writes these columns.
                unsafe { s.store_partial(db.range(column..column + lanes), 0, lanes, sum) };
            }
        }
    }
}

struct Backward<'a> {
    weight_product: Product<'a>,
    weight_bands: Bands,
    dw: DisjointMut<'a, f32>,
    units: usize,
    input: Option<InputGradient<'a>>,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        if let Some(band) = chunk.checked_sub(self.weight_bands.count()) {
            if let Some(input) = &self.input {
                input.band(s, band);
            }
        } else {
            let (rows, columns) = self.weight_bands.get(chunk);
            // SAFETY: bands do not overlap.
            unsafe { self.weight_product.write(s, rows, columns, self.dw, self.units) };
        }
    }
}

/// `dx = delta · wᵀ`, in bands of columns, each with its own transposed part of the weight.
struct InputGradient<'a> {
    dense: &'a Dense,
    weight: &'a [f32],
    delta: &'a [f32],
    dx: DisjointMut<'a, f32>,
    row_band: usize,
}

impl InputGradient<'_> {
    const COLUMNS: usize = 48;
    const ROWS: usize = 256;

    fn column_bands(&self) -> usize {
        self.dense.inputs.div_ceil(Self::COLUMNS)
    }

    fn count(&self) -> usize {
        self.dense.batch.div_ceil(self.row_band.max(1)) * self.column_bands()
    }

    #[inline(always)]
    fn band<S: Simd>(&self, s: S, band: usize) {
        let Dense { batch, inputs, units, .. } = *self.dense;
        let column = band % self.column_bands() * Self::COLUMNS;
        let width = Self::COLUMNS.min(inputs - column);
        let row = band / self.column_bands() * self.row_band;
        let rows = self.row_band.min(batch - row);
        scratch::with(units * Self::COLUMNS, |transposed| {
            transpose(s, &self.weight[column * units..], width, units, transposed, Self::COLUMNS);
            let product = Product {
                left: &self.delta[row * units..],
                left_row: units,
                left_depth: 1,
                right: transposed,
                right_depth: Self::COLUMNS,
                depth: units,
                start: None,
            };
            // SAFETY: bands do not overlap.
            unsafe {
                let dx = self.dx.offset(row * inputs + column);
                product.write(s, 0..rows, 0..width, dx, inputs);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cpu;
    use crate::testing::{assert_close, random};
    use proptest::prelude::*;

    struct Case {
        dense: Dense,
        x: Vec<f32>,
        weight: Vec<f32>,
        bias: Vec<f32>,
        dy: Vec<f32>,
    }

    impl Case {
        fn new(dense: Dense, seed: u64) -> Self {
            let Dense { batch, inputs, units, .. } = dense;
            Self {
                dense,
                x: random(batch * inputs, seed),
                weight: random(inputs * units, seed + 1),
                bias: random(units, seed + 2),
                dy: random(batch * units, seed + 3),
            }
        }

        /// y, dx, dw, db
        fn run(&self, executor: &Executor) -> [Vec<f32>; 4] {
            let mut y = vec![f32::NAN; self.dy.len()];
            let mut pre = y.clone();
            let (mut dx, mut dw) =
                (vec![f32::NAN; self.x.len()], vec![f32::NAN; self.weight.len()]);
            let mut db = vec![f32::NAN; self.dense.units];
            self.dense.forward(
                executor,
                &self.x,
                &self.weight,
                Some(&self.bias),
                &mut y,
                Some(&mut pre),
            );
            let kept = match self.dense.activation.derivative_of() {
                DerivativeOf::Input => &pre,
                DerivativeOf::Output => &y,
            };
            let (dx_out, db_out) = (Some(dx.as_mut_slice()), Some(db.as_mut_slice()));
            self.dense.backward(
                executor,
                &self.x,
                &self.weight,
                kept,
                &self.dy,
                dx_out,
                &mut dw,
                db_out,
            );
            [y, dx, dw, db]
        }

        fn reference(&self) -> [Vec<f64>; 4] {
            let Dense { batch, inputs, units, activation } = self.dense;
            let (mut y, mut dx) = (vec![0.0; self.dy.len()], vec![0.0; self.x.len()]);
            let (mut dw, mut db) = (vec![0.0; self.weight.len()], vec![0.0; units]);
            for n in 0..batch {
                for u in 0..units {
                    let terms = (0..inputs).map(|i| {
                        f64::from(self.x[n * inputs + i]) * f64::from(self.weight[i * units + u])
                    });
                    let z = f64::from(self.bias[u]) + terms.sum::<f64>();
                    y[n * units + u] = activation.reference(z);
                    let delta = f64::from(self.dy[n * units + u]) * activation.reference_slope(z);
                    db[u] += delta;
                    for i in 0..inputs {
                        dx[n * inputs + i] += delta * f64::from(self.weight[i * units + u]);
                        dw[i * units + u] += delta * f64::from(self.x[n * inputs + i]);
                    }
                }
            }
            [y, dx, dw, db]
        }
    }

    fn dense() -> impl Strategy<Value = (Dense, u64)> {
        let activation = prop::sample::select(Activation::ALL.to_vec());
        (1..70_usize, 1..130_usize, 1..110_usize, activation, any::<u32>()).prop_map(
            |(batch, inputs, units, activation, seed)| {
                (Dense { batch, inputs, units, activation }, seed.into())
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 48 }))]
        #[test]
        fn values_and_gradients_match_double_precision((dense, seed) in dense()) {
            let case = Case::new(dense, seed);
            let expected = case.reference();
            for cpu in Cpu::available() {
                let found = case.run(&Executor::new(cpu, 1));
                for (i, name) in ["y", "dx", "dw", "db"].into_iter().enumerate() {
                    assert_close(&found[i], &expected[i], 1e-4, &format!("{cpu} {name}"));
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes of interpretation, and nothing new to see")]
    fn the_thread_count_changes_no_bit() {
        for (batch, inputs, units) in [(64, 400, 120), (700, 70, 100), (1, 300, 10)] {
            let case = Case::new(Dense { batch, inputs, units, activation: Activation::Gelu }, 7);
            for cpu in Cpu::available() {
                let one = case.run(&Executor::new(cpu, 1));
                assert_eq!(one, case.run(&Executor::new(cpu, 2)));
                assert_eq!(one, case.run(&Executor::new(cpu, 4)));
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes of interpretation, and nothing new to see")]
    fn depths_beyond_a_step_are_summed_whole() {
        let dense = Dense { batch: 3, inputs: 4500, units: 5, activation: Activation::Linear };
        let case = Case::new(dense, 3);
        let expected = case.reference();
        for cpu in Cpu::available() {
            let found = case.run(&Executor::new(cpu, 1));
            assert_close(&found[0], &expected[0], 1e-4, "y");
        }
    }
}
