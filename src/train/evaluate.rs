//! Loss and accuracy on a split.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::data::batch::{Batch, Batches};
use crate::data::{Normalization, Subset};
use crate::model::{Mode, Network};
use crate::record::ClassRecall;

/// Images in one forward pass; enough to keep every core busy, few enough to stay in cache.
const EVALUATION_BATCH: usize = 250;

/// How a network does on a split.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy in nats; NaN for no images.
    pub loss: f64,
    /// `confusion[label][named]` counts images.
    pub confusion: Vec<Vec<u64>>,
}

impl Evaluation {
    /// Images evaluated.
    pub fn images(&self) -> u64 {
        self.confusion.iter().flatten().sum()
    }

    /// Images whose class was named right.
    pub fn correct(&self) -> u64 {
        let rows = self.confusion.iter().enumerate();
        rows.map(|(label, row)| row.get(label).copied().unwrap_or(0)).sum()
    }

    /// How many images of each class were named right, by label.
    pub fn recalls(&self) -> Vec<ClassRecall> {
        let rows = self.confusion.iter().enumerate();
        let recall = |(label, row): (usize, &Vec<u64>)| ClassRecall {
            right: row.get(label).copied().unwrap_or(0),
            images: row.iter().sum(),
        };
        rows.map(recall).collect()
    }

    /// Share of images whose class was named right, 0..=1; 0 for no images.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.images().max(1) as f64
    }
}

/// Evaluates a network on a split. A NaN in the logits makes the loss NaN, and names class 0.
pub fn evaluate(
    network: &Network,
    subset: &Subset,
    normalization: Normalization,
    classes: usize,
    device: &Device,
) -> Evaluation {
    let network = network.valid();
    let device = device.clone().without_autodiff();
    let mut batches = Batches::in_order(subset, normalization, EVALUATION_BATCH);
    let mut batch = Batch::default();
    let mut loss = 0.0;
    let mut confusion = vec![vec![0; classes]; classes];
    while batches.fill_next(&mut batch) {
        let images = images_tensor(&mut batch, subset, &device);
        let logits = network.forward(images, Mode::Evaluate);
        let logits = host_logits(logits);
        for (row, &label) in logits.chunks_exact(classes).zip(&batch.labels) {
            let label = usize::from(label);
            loss += cross_entropy_of(row, label);
            confusion[label][argmax(row)] += 1;
        }
    }
    Evaluation { loss: loss / subset.len() as f64, confusion }
}

/// The batch's pixels on the device, `[batch, 1, height, width]`.
pub(super) fn images_tensor(batch: &mut Batch, subset: &Subset, device: &Device) -> Tensor<4> {
    let shape = [batch.len(), 1, subset.height(), subset.width()];
    Tensor::from_data(TensorData::new(std::mem::take(&mut batch.pixels), shape), device)
}

/// Logits `[batch, classes]` as one row after another; NaN where they cannot be read.
fn host_logits(logits: Tensor<2>) -> Vec<f32> {
    let len = logits.shape().num_elements();
    let data = logits.into_data().convert::<f32>();
    data.try_into_vec().unwrap_or_else(|_| vec![f32::NAN; len])
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
