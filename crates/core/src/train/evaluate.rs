//! Loss and accuracy on a split.

use std::collections::BTreeMap;

use burgeon_kernel::backend::DeviceImages;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::data::batch::{Batch, Batches};
use crate::data::{Normalization, Subset};
use crate::model::{EmulatedNetwork, Mode, Network, ReadError, read_all, read_values};
use crate::record::figures::{MISTAKES_MAX, Mistake, SplitFigures};
use crate::record::{ClassRecall, ConfidenceGroup, wilson_interval};

/// Number of images in one forward pass: enough to keep every core busy, few enough to stay in cache.
const EVALUATION_BATCH: usize = 250;

/// Pixels of the images that are evaluated or probed at the same time, those of 256 images of 32×32: what layers keep of
/// larger images would otherwise take many times the memory of a training step.
const PIXELS_AT_ONCE: usize = 256 * 32 * 32;

/// How many of at most `most` images of a split should be in memory at the same time, with what layers keep of them; a few at
/// least, or cores would wait.
pub(super) fn images_at_once(split: &Subset, most: usize) -> usize {
    let [_, height, width] = split.shape();
    (PIXELS_AT_ONCE / (height * width).max(1)).max(8).min(most)
}

/// Result of evaluating a network on a split.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy in nats; NaN for no images.
    pub loss: f64,
    /// Number of classes.
    pub classes: usize,
    /// The confusion matrix: number of images by (label, predicted class). Entries that are zero are left
    /// out, so that it stays small for many classes.
    pub confusion: BTreeMap<(usize, usize), u64>,
    /// The images in four groups of equal size, those first of whose classes the network is surest; empty for fewer
    /// than four images.
    pub by_confidence: Vec<ConfidenceGroup>,
}

impl Evaluation {
    /// Number of evaluated images.
    pub fn images(&self) -> u64 {
        self.confusion.values().sum()
    }

    /// Number of correctly classified images.
    pub fn correct(&self) -> u64 {
        let right = self.confusion.iter().filter(|((label, predicted), _)| label == predicted);
        right.map(|(_, images)| images).sum()
    }

    /// Correctly classified images of each class, by label.
    pub fn recalls(&self) -> Vec<ClassRecall> {
        let mut recalls = vec![ClassRecall { right: 0, images: 0 }; self.classes];
        for (&(label, predicted), &images) in &self.confusion {
            recalls[label].images += images;
            if label == predicted {
                recalls[label].right += images;
            }
        }
        recalls
    }

    /// Number of images that were predicted to be of each class, by label.
    pub fn named(&self) -> Vec<u64> {
        let mut counts = vec![0; self.classes];
        for (&(_, predicted), images) in &self.confusion {
            counts[predicted] += images;
        }
        counts
    }

    /// Share of images classified correctly, 0..=1; 0 for no images.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.images().max(1) as f64
    }
}

/// At most so many images of a split, spread over the whole of it, because some splits are sorted by class.
pub(super) fn spread(split: &Subset, most: usize) -> Subset {
    let count = split.len().min(most);
    let chosen = (0..count).map(|at| split.indices()[at * split.len() / count]);
    // Cannot fail: the indices come from this split.
    split.with_indices(chosen.collect::<Vec<_>>()).unwrap_or_else(|_| split.clone())
}

/// How images are flipped before a network sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flip {
    /// Not at all.
    None,
    /// Left to right.
    Horizontal,
}

/// Evaluates a network on a split, in batches. A NaN in the logits of an image makes the loss NaN and
/// the prediction class 0.
///
/// # Errors
///
/// If the device fails.
pub fn evaluate(
    network: &Network,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
) -> Result<Evaluation, ReadError> {
    let mut sums = EvaluationSums::new(classes);
    for_each_batch(network, subset, normalization, device, Flip::None, |logits, labels| {
        sums.add(logits, labels);
        true
    })?;
    Ok(sums.finish(subset.len()))
}

/// Like [`evaluate`], but calls `keep_going` before each batch, and returns `None` once that returns `false`.
///
/// # Errors
///
/// As [`evaluate`].
pub fn evaluate_while(
    network: &Network,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Option<Evaluation>, ReadError> {
    evaluate_flipped(network, subset, normalization, classes, device, Flip::None, keep_going)
}

/// Like [`evaluate_while`], of the images of a split that are on a GPU, which is waited for once.
///
/// # Errors
///
/// As [`evaluate`].
pub(super) fn evaluate_on_device(
    network: &Network,
    subset: &Subset,
    images: &DeviceImages,
    classes: usize,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Option<Evaluation>, ReadError> {
    let network = network.valid();
    let mut logits = Vec::new();
    for step in 0..subset.len().div_ceil(EVALUATION_BATCH) {
        if !keep_going() {
            return Ok(None);
        }
        let images = images.batch_in_order(step, EVALUATION_BATCH);
        logits.push(network.forward(images, Mode::Evaluate));
    }
    let labels: Vec<u16> = (0..subset.len()).map(|position| subset.label(position)).collect();
    let mut sums = EvaluationSums::new(classes);
    for (logits, labels) in read_all(logits)?.iter().zip(labels.chunks(EVALUATION_BATCH)) {
        sums.add(logits, labels);
    }
    Ok(Some(sums.finish(subset.len())))
}

/// Which images of a split a network classifies correctly, in order.
///
/// # Errors
///
/// If the device fails.
#[cfg(feature = "cli")]
pub(crate) fn correct_images(
    network: &Network,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
) -> Result<Vec<bool>, ReadError> {
    let mut right = Vec::with_capacity(subset.len());
    for_each_batch(network, subset, normalization, device, Flip::None, |logits, labels| {
        let rows = logits.chunks_exact(classes).zip(labels);
        right.extend(rows.map(|(row, &label)| argmax(row) == usize::from(label)));
        true
    })?;
    Ok(right)
}

/// What a network predicts for one image of a split.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prediction {
    /// The image's class.
    pub label: usize,
    /// The predicted class, the same as in [`evaluate`].
    pub class: usize,
    /// The probability of each class.
    pub probabilities: Vec<f64>,
}

/// Calls `visit` with the prediction for each image of a split, in order, until it returns `false`.
///
/// # Errors
///
/// If the device fails.
#[cfg(feature = "cli")]
pub(crate) fn for_each_prediction(
    network: &Network,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
    mut visit: impl FnMut(Prediction) -> bool,
) -> Result<(), ReadError> {
    for_each_batch(network, subset, normalization, device, Flip::None, |logits, labels| {
        logits.chunks_exact(classes).zip(labels).all(|(row, &label)| {
            let probability = |class| (-cross_entropy_of(row, class)).exp();
            visit(Prediction {
                label: label.into(),
                class: argmax(row),
                probabilities: (0..classes).map(probability).collect(),
            })
        })
    })
}

/// Like [`evaluate_while`], of flipped images.
///
/// # Errors
///
/// As [`evaluate`].
pub fn evaluate_flipped(
    network: &Network,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
    flip: Flip,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Option<Evaluation>, ReadError> {
    let mut sums = EvaluationSums::new(classes);
    let mut is_complete = keep_going();
    if is_complete {
        let mut seen = 0;
        for_each_batch(network, subset, normalization, device, flip, |logits, labels| {
            sums.add(logits, labels);
            seen += labels.len();
            is_complete = seen == subset.len() || keep_going();
            is_complete
        })?;
    }
    Ok(is_complete.then(|| sums.finish(subset.len())))
}

/// What was measured of a model on a split, beyond what training needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Loss and confusion matrix.
    pub evaluation: Evaluation,
    /// Expected calibration error, 0..=1: the mean distance between the probability that the model gives its
    /// answer and the share of answers that are right, over 15 bins of that probability (Guo et al., "On
    /// calibration of modern neural networks", 2017). NaN for no images.
    pub calibration_error: f64,
    /// The wrong answers that the network is surest of, the surest first, and of equally sure ones the first.
    pub mistakes: Vec<Mistake>,
}

impl From<Measured> for SplitFigures {
    fn from(measured: Measured) -> Self {
        let Measured { evaluation, calibration_error, mistakes } = measured;
        let (images, accuracy) = (evaluation.images(), evaluation.accuracy());
        let confusion = evaluation.confusion.iter();
        Self {
            images,
            accuracy,
            interval: wilson_interval(accuracy, images),
            loss: evaluation.loss,
            calibration_error,
            classes: evaluation.classes,
            confusion: confusion.map(|(&(label, named), &images)| (label, named, images)).collect(),
            mistakes,
        }
    }
}

/// Measures a network on a split; calls `beat` after each batch.
///
/// # Errors
///
/// If the device fails.
pub fn measure(
    network: &Network,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
    beat: &mut dyn FnMut(),
) -> Result<Measured, ReadError> {
    let network = network.valid();
    let forward = |images| network.forward(images, Mode::Evaluate);
    measure_forward(&forward, subset, normalization, classes, device, beat)
}

/// The same of a quantized network.
///
/// # Errors
///
/// If the device fails.
pub fn measure_quantized(
    network: &EmulatedNetwork,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
) -> Result<Measured, ReadError> {
    let forward = |images| network.forward(images);
    measure_forward(&forward, subset, normalization, classes, device, &mut || {})
}

fn measure_forward(
    forward: &dyn Fn(Tensor<4>) -> Tensor<2>,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
    beat: &mut dyn FnMut(),
) -> Result<Measured, ReadError> {
    let mut sums = EvaluationSums::new(classes);
    let mut bins = [Bin::default(); CALIBRATION_BINS];
    let (mut seen, mut mistakes) = (0, Vec::new());
    for_each_batch_of(forward, subset, normalization, device, Flip::None, |logits, labels| {
        sums.add(logits, labels);
        for (row, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            let answer = argmax(row);
            let confidence = (-cross_entropy_of(row, answer)).exp();
            let bin = (confidence * CALIBRATION_BINS as f64) as usize;
            let bin = &mut bins[bin.min(CALIBRATION_BINS - 1)];
            bin.confidence += confidence;
            bin.right += f64::from(u8::from(answer == usize::from(label)));
            let (image, label) = (seen, usize::from(label));
            seen += 1;
            if answer != label {
                insert(&mut mistakes, Mistake { image, label, predicted: answer, confidence });
            }
        }
        beat();
        true
    })?;
    let distance: f64 = bins.iter().map(|bin| (bin.confidence - bin.right).abs()).sum();
    let calibration_error = distance / subset.len() as f64;
    Ok(Measured { evaluation: sums.finish(subset.len()), calibration_error, mistakes })
}

/// Puts a mistake among the surest so far, in order.
fn insert(mistakes: &mut Vec<Mistake>, next: Mistake) {
    // With no probability, it is surer than none.
    let is_surer = |other: &Mistake| other.confidence >= next.confidence;
    let at = mistakes.iter().position(|other| !is_surer(other)).unwrap_or(mistakes.len());
    mistakes.insert(at, next);
    mistakes.truncate(MISTAKES_MAX);
}

const CALIBRATION_BINS: usize = 15;

/// EvaluationSums over the images whose answers have about the same probability.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    confidence: f64,
    right: f64,
}

/// Calls `add` with the logits and labels of one batch after another, until it returns `false`.
fn for_each_batch(
    network: &Network,
    subset: &Subset,
    normalization: Normalization,
    device: &Device,
    flip: Flip,
    add: impl FnMut(&[f32], &[u16]) -> bool,
) -> Result<(), ReadError> {
    let network = network.valid();
    let forward = |images| network.forward(images, Mode::Evaluate);
    for_each_batch_of(&forward, subset, normalization, device, flip, add)
}

/// The same for any function `forward` from images `[batch, channels, height, width]` to logits `[batch, classes]`.
fn for_each_batch_of(
    forward: &dyn Fn(Tensor<4>) -> Tensor<2>,
    subset: &Subset,
    normalization: Normalization,
    device: &Device,
    flip: Flip,
    mut add: impl FnMut(&[f32], &[u16]) -> bool,
) -> Result<(), ReadError> {
    let device = device.clone().without_autodiff();
    let images = images_at_once(subset, EVALUATION_BATCH);
    let mut batches = Batches::in_order(subset, normalization, images);
    let mut batch = Batch::default();
    while batches.fill_next(&mut batch) {
        if flip == Flip::Horizontal {
            let [_, _, width] = subset.shape();
            batch.pixels.chunks_exact_mut(width.max(1)).for_each(<[f32]>::reverse);
        }
        let images = images_tensor(&mut batch, subset, &device);
        let logits = read_values(forward(images))?;
        if !add(&logits, &batch.labels) {
            break;
        }
    }
    Ok(())
}

/// EvaluationSums over the batches so far.
struct EvaluationSums {
    loss: f64,
    classes: usize,
    confusion: BTreeMap<(usize, usize), u64>,
    /// The probability of each image's predicted class, and whether that is its label.
    answers: Vec<(f32, bool)>,
}

impl EvaluationSums {
    fn new(classes: usize) -> Self {
        Self { loss: 0.0, classes, confusion: BTreeMap::new(), answers: Vec::new() }
    }

    fn add(&mut self, logits: &[f32], labels: &[u16]) {
        for (row, &label) in logits.chunks_exact(self.classes).zip(labels) {
            let label = usize::from(label);
            self.loss += cross_entropy_of(row, label);
            let predicted = argmax(row);
            *self.confusion.entry((label, predicted)).or_default() += 1;
            let probability = (-cross_entropy_of(row, predicted)).exp() as f32;
            self.answers.push((probability, predicted == label));
        }
    }

    fn finish(self, images: usize) -> Evaluation {
        let Self { loss, classes, confusion, answers } = self;
        let by_confidence = groups_by_confidence(answers);
        Evaluation { loss: loss / images as f64, classes, confusion, by_confidence }
    }
}

/// Quarters of the answers, the surest first; equally sure ones stay in the order of their images.
fn groups_by_confidence(mut answers: Vec<(f32, bool)>) -> Vec<ConfidenceGroup> {
    answers.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let count = answers.len();
    if count < 4 {
        return Vec::new();
    }
    let quarter = |at: usize| {
        let group = &answers[at * count / 4..(at + 1) * count / 4];
        let wrong = group.iter().filter(|(_, is_right)| !is_right).count();
        ConfidenceGroup { wrong: wrong as u64, images: group.len() as u64 }
    };
    (0..4).map(quarter).collect()
}

/// The batch's pixels on the device, `[batch, channels, height, width]`.
pub(super) fn images_tensor(batch: &mut Batch, subset: &Subset, device: &Device) -> Tensor<4> {
    let [channels, height, width] = subset.shape();
    let shape = [batch.len(), channels, height, width];
    Tensor::from_data(TensorData::new(std::mem::take(&mut batch.pixels), shape), device)
}

/// Index of the largest value; the first of equals.
fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (index, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = index;
        }
    }
    best
}

/// −log softmax(row)[label].
fn cross_entropy_of(row: &[f32], label: usize) -> f64 {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|&value| f64::from(value - max).exp()).sum();
    sum.ln() - f64::from(row[label] - max)
}
