//! Softmax cross-entropy with label smoothing: loss, correct predictions and gradient in one pass over the logits.

use super::activation::exp;
use super::executor::{Executor, Kernel};
use super::simd::Simd;
use super::threads::DisjointMut;

/// The shape of a batch of logits and how much its labels are smoothed.
///
/// The target of a row is `1 - smoothing` on its label plus `smoothing / classes` on every class ([Szegedy et
/// al.](https://arxiv.org/abs/1512.00567)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Rows of the logits.
    pub batch: usize,
    /// Columns of the logits; not zero.
    pub classes: usize,
    /// The share of the target that is spread over all classes, 0..=1.
    pub smoothing: f32,
}

/// The loss of a batch of logits and its correct predictions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchLoss {
    /// The mean over the batch, in nats; NaN if a logit is.
    pub loss: f32,
    /// Rows whose largest logit is that of the label; of equal ones, the first counts.
    pub correct: usize,
}

impl CrossEntropy {
    /// The loss of `logits` of `[batch, classes]` against `labels` of `[batch]`, and its gradient, if wanted, in
    /// `d_logits` of `[batch, classes]`.
    ///
    /// # Panics
    /// The length of a slice does not match its shape, or a label is not below `classes`.
    pub fn forward(
        &self,
        executor: &Executor,
        logits: &[f32],
        labels: &[u32],
        d_logits: Option<&mut [f32]>,
    ) -> BatchLoss {
        assert_eq!(logits.len(), self.batch * self.classes, "length of the logits");
        assert_eq!(labels.len(), self.batch, "length of the labels");
        assert!(
            d_logits.as_ref().is_none_or(|d| d.len() == logits.len()),
            "length of the gradient"
        );
        let largest = labels.iter().max().map_or(0, |label| *label as usize);
        assert!(largest < self.classes, "label {largest} of {} classes", self.classes);
        let bands = self.batch.div_ceil(Rows::BAND);
        let mut sums = vec![(0.0, 0); bands];
        let kernel = Rows {
            shape: self,
            logits,
            labels,
            d_logits: d_logits.map(DisjointMut::new),
            sums: DisjointMut::new(&mut sums),
        };
        executor.run(bands, &kernel);
        let (loss, correct) =
            sums.iter().fold((0.0, 0), |sum, band| (sum.0 + band.0, sum.1 + band.1));
        BatchLoss { loss: (loss / self.batch as f64) as f32, correct }
    }
}

struct Rows<'a> {
    shape: &'a CrossEntropy,
    logits: &'a [f32],
    labels: &'a [u32],
    d_logits: Option<DisjointMut<'a, f32>>,
    /// Loss and correct predictions of each band.
    sums: DisjointMut<'a, (f64, usize)>,
}

impl Rows<'_> {
    const BAND: usize = 256;

    #[inline(always)]
    fn row<S: Simd>(&self, s: S, row: usize) -> (f64, bool) {
        let CrossEntropy { batch, classes, smoothing } = *self.shape;
        let logits = &self.logits[row * classes..(row + 1) * classes];
        let label = self.labels[row] as usize;
        let (largest, total) = largest_and_total(s, logits);
        let (partition, is_nan) = self.exponentials(s, row, logits, largest);
        let uniform = smoothing / classes as f32;
        let log_partition = largest + partition.ln();
        // -Σ target log softmax, with log softmax = logit - log_partition and targets that sum to one.
        let loss = log_partition - (1.0 - smoothing) * logits[label] - uniform * total;
        if let Some(d_logits) = &self.d_logits {
            // SAFETY: rows do not overlap.
            let out = unsafe { d_logits.range(row * classes..(row + 1) * classes) };
            let inverse_batch = 1.0 / batch as f32;
            let (scale, shift) =
                (s.splat(inverse_batch / partition), s.splat(-uniform * inverse_batch));
            for at in (0..classes).step_by(S::LANES) {
                let lanes = S::LANES.min(classes - at);
                // SAFETY: the lanes end with the row.
                unsafe {
                    s.store_partial(
                        out,
                        at,
                        lanes,
                        s.fma(s.load_partial(out, at, lanes), scale, shift),
                    )
                };
            }
            out[label] -= (1.0 - smoothing) * inverse_batch;
        }
        let is_hit = !is_nan
            && logits[..label].iter().all(|logit| *logit < largest)
            && logits[label] == largest;
        (f64::from(loss), is_hit)
    }

    /// The sum of `exp(logit - largest)`; the terms go to the gradient's row, if there is one.
    #[inline(always)]
    fn exponentials<S: Simd>(&self, s: S, row: usize, logits: &[f32], largest: f32) -> (f32, bool) {
        let classes = logits.len();
        let shift = s.splat(largest);
        let mut partition = s.zero();
        for at in (0..classes).step_by(S::LANES) {
            let lanes = S::LANES.min(classes - at);
            // SAFETY: the lanes end with the row, and rows do not overlap.
            unsafe {
                let term = exp(s, s.sub(s.load_partial(logits, at, lanes), shift));
                if let Some(d_logits) = &self.d_logits {
                    let out = d_logits.range(row * classes + at..row * classes + at + lanes);
                    s.store_partial(out, 0, lanes, term);
                }
                let inside = s.mask_from_bits((1_u64 << lanes).wrapping_sub(1) as u32);
                partition = s.add(partition, s.select(inside, term, s.zero()));
            }
        }
        let partition = s.sum(partition);
        (partition, partition.is_nan())
    }
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, band: usize) {
        let rows = band * Self::BAND..self.shape.batch.min((band + 1) * Self::BAND);
        let mut sum = (0.0, 0);
        for row in rows {
            let (loss, is_hit) = self.row(s, row);
            sum = (sum.0 + loss, sum.1 + usize::from(is_hit));
        }
        // SAFETY: each band has its own element.
        unsafe { self.sums.range(band..band + 1)[0] = sum };
    }
}

#[inline(always)]
fn largest_and_total<S: Simd>(s: S, logits: &[f32]) -> (f32, f32) {
    let (mut largest, mut total) = (s.splat(f32::NEG_INFINITY), s.zero());
    for at in (0..logits.len()).step_by(S::LANES) {
        let lanes = S::LANES.min(logits.len() - at);
        // SAFETY: the lanes end with the row.
        let logit = unsafe { s.load_partial(logits, at, lanes) };
        let inside = s.mask_from_bits((1_u64 << lanes).wrapping_sub(1) as u32);
        largest = s.max(largest, s.select(inside, logit, s.splat(f32::NEG_INFINITY)));
        total = s.add(total, logit);
    }
    (s.max_lane(largest), s.sum(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cpu;
    use crate::testing::{assert_close, random};
    use proptest::prelude::*;

    fn reference(shape: CrossEntropy, logits: &[f32], labels: &[u32]) -> (f64, usize, Vec<f64>) {
        let (mut loss, mut correct, mut gradient) = (0.0, 0, Vec::new());
        let (smoothing, classes) = (f64::from(shape.smoothing), shape.classes as f64);
        for (row, label) in logits.chunks(shape.classes).zip(labels) {
            let partition: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
            for (class, logit) in row.iter().enumerate() {
                let hit = f64::from(u8::from(class == *label as usize));
                let target = hit * (1.0 - smoothing) + smoothing / classes;
                loss -= target * (f64::from(*logit) - partition.ln());
                gradient.push((f64::from(*logit).exp() / partition - target) / shape.batch as f64);
            }
            correct += usize::from(row.iter().all(|logit| *logit <= row[*label as usize]));
        }
        (loss / shape.batch as f64, correct, gradient)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]
        #[test]
        fn loss_hits_and_gradient_match_double_precision(
            batch in 1..600_usize, classes in 2..50_usize, smoothing in prop::sample::select(vec![0.0, 0.1, 0.9]),
            seed in any::<u32>()
        ) {
            let shape = CrossEntropy { batch, classes, smoothing };
            let logits: Vec<f32> = random(batch * classes, seed.into()).iter().map(|logit| logit * 9.0).collect();
            let labels: Vec<u32> = (0..batch).map(|i| (i * 7 % classes) as u32).collect();
            let (loss, correct, gradient) = reference(shape, &logits, &labels);
            for cpu in Cpu::available() {
                let mut results = Vec::new();
                for threads in [1, 2, 4] {
                    let mut found = vec![f32::NAN; logits.len()];
                    let batch_loss = shape.forward(&Executor::new(cpu, threads), &logits, &labels, Some(&mut found));
                    results.push((batch_loss, found));
                }
                prop_assert_eq!(&results[0], &results[1]);
                prop_assert_eq!(&results[0], &results[2]);
                let (batch_loss, found) = &results[0];
                prop_assert!((f64::from(batch_loss.loss) - loss).abs() <= 1e-5 * loss.abs().max(1.0));
                prop_assert_eq!(batch_loss.correct, correct);
                assert_close(found, &gradient, 1e-4, "length of the gradient");
            }
        }
    }

    #[test]
    fn extreme_logits_neither_overflow_nor_vanish() {
        let shape = CrossEntropy { batch: 2, classes: 3, smoothing: 0.0 };
        for cpu in Cpu::available() {
            let executor = Executor::new(cpu, 1);
            let mut gradient = vec![0.0; 6];
            let logits = [1e4, 0.0, -1e4, -1e4, 0.0, -1e4];
            let found = shape.forward(&executor, &logits, &[0, 0], Some(&mut gradient));
            assert_eq!(found, BatchLoss { loss: 5e3, correct: 1 });
            assert_eq!(gradient, [0.0, 0.0, 0.0, -0.5, 0.5, 0.0]);
        }
    }

    #[test]
    fn nan_makes_the_loss_nan_and_counts_as_a_miss() {
        let shape = CrossEntropy { batch: 1, classes: 2, smoothing: 0.0 };
        for cpu in Cpu::available() {
            let found = shape.forward(&Executor::new(cpu, 1), &[1.0, f32::NAN], &[0], None);
            assert!(found.loss.is_nan());
            assert_eq!(found.correct, 0);
        }
    }

    #[test]
    #[should_panic(expected = "label 3 of 3 classes")]
    fn a_label_that_is_no_class_is_refused() {
        let shape = CrossEntropy { batch: 1, classes: 3, smoothing: 0.0 };
        shape.forward(&Executor::new(Cpu::PORTABLE, 1), &[0.0; 3], &[3], None);
    }
}
