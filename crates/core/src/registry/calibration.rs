//! The calibration of a version: a temperature that its logits are divided by, and the effect of answering "unsure"
//! below a confidence.

use serde::{Deserialize, Serialize};

/// File of the calibration, in the folder of a version.
pub(crate) const CALIBRATION_FILE: &str = "calibration.json";
/// The confidences that coverage and accuracy are computed for.
const CONFIDENCES: [f64; 10] = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995];
/// Most images that the temperature is fitted to; more hardly change it.
const FITTED_MAX: usize = 10_000;

/// The calibration of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    /// Version of this format.
    pub v: u32,
    /// The temperature that logits are divided by before the softmax.
    pub temperature: f64,
    /// The number of validation images that it was fitted to.
    pub images: usize,
    /// Coverage and accuracy on the held-out images, for each confidence below which the answer is "unsure".
    pub held_out: Vec<Coverage>,
}

/// Coverage and accuracy at a confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Coverage {
    /// The lowest calibrated probability that is answered.
    pub confidence: f64,
    /// Share of images that are answered, 0..=1.
    pub coverage: f64,
    /// Share of the answers that are right, 0..=1; 1 if there are none.
    pub accuracy: f64,
}

impl Calibration {
    /// Fits the temperature to validation images, and measures coverage and accuracy on held-out images. Logits are
    /// `[images, classes]`.
    pub fn of(validation: (&[f32], &[u16]), held_out: (&[f32], &[u16]), classes: usize) -> Self {
        let temperature = temperature(validation.0, validation.1, classes);
        let rows = held_out.0.chunks_exact(classes.max(1));
        let answers: Vec<(f64, bool)> = rows
            .zip(held_out.1)
            .map(|(row, &label)| {
                let (class, confidence) = answer(row, temperature);
                (confidence, class == usize::from(label))
            })
            .collect();
        let coverage = |confidence: f64| {
            let given: Vec<bool> = answers
                .iter()
                .filter(|(sure, _)| *sure >= confidence)
                .map(|(_, right)| *right)
                .collect();
            let right = given.iter().filter(|right| **right).count();
            Coverage {
                confidence,
                coverage: given.len() as f64 / answers.len().max(1) as f64,
                accuracy: if given.is_empty() { 1.0 } else { right as f64 / given.len() as f64 },
            }
        };
        let held_out = CONFIDENCES.map(coverage).to_vec();
        Self { v: 1, temperature, images: validation.1.len().min(FITTED_MAX), held_out }
    }

    /// Parses a file; `None` if this version of burgeon cannot read it.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let found: Self = serde_json::from_slice(json).ok()?;
        (found.v == 1 && found.temperature > 0.0 && found.temperature.is_finite()).then_some(found)
    }

    /// A section of the model card.
    pub fn section(&self) -> String {
        let mut text = format!(
            "\n## Answering \"unsure\"\n\nThe probability of an answer is calibrated with a temperature of {:.3}, fitted to {} validation images (Guo et al., \"On calibration of modern neural networks\", 2017). With `burgeon serve --abstain N`, answers below a calibrated probability of N are \"unsure\". On the held-out images of the registry:\n\n| N | answered | correct among these |\n| --- | --- | --- |\n",
            self.temperature, self.images
        );
        for Coverage { confidence, coverage, accuracy } in &self.held_out {
            text += &format!(
                "| {confidence} | {:.2} % | {:.2} % |\n",
                coverage * 100.0,
                accuracy * 100.0
            );
        }
        text
    }
}

/// The most probable class of an image, and its probability at a temperature. A NaN logit counts as the
/// lowest.
pub(crate) fn answer(logits: &[f32], temperature: f64) -> (usize, f64) {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, &logit) in logits.iter().enumerate() {
        if logit > best.1 {
            best = (class, logit);
        }
    }
    let rest: f64 = logits
        .iter()
        .filter(|logit| !logit.is_nan())
        .map(|&logit| (f64::from(logit - best.1) / temperature).exp())
        .sum();
    (best.0, if rest > 0.0 { 1.0 / rest } else { 0.0 })
}

/// The temperature with the least cross-entropy, between 1/20 and 20, by golden-section search of its logarithm; the
/// cross-entropy has one minimum there.
fn temperature(logits: &[f32], labels: &[u16], classes: usize) -> f64 {
    let rows: Vec<(&[f32], usize)> = logits
        .chunks_exact(classes.max(1))
        .zip(labels)
        .filter(|(row, label)| {
            row.iter().all(|logit| logit.is_finite()) && usize::from(**label) < row.len()
        })
        .map(|(row, &label)| (row, usize::from(label)))
        .take(FITTED_MAX)
        .collect();
    if rows.is_empty() {
        return 1.0;
    }
    let loss = |log: f64| -> f64 {
        let scale = (-log).exp();
        rows.iter()
            .map(|(row, label)| {
                let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = row.iter().map(|&z| (f64::from(z - most) * scale).exp()).sum();
                sum.ln() - f64::from(row[*label] - most) * scale
            })
            .sum()
    };
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-(20.0_f64.ln()), 20.0_f64.ln());
    let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_a, mut at_b) = (loss(a), loss(b));
    for _ in 0..30 {
        if at_a < at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - golden * (high - low);
            at_a = loss(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + golden * (high - low);
            at_b = loss(b);
        }
    }
    ((low + high) / 2.0).exp()
}

#[cfg(test)]
mod tests;
