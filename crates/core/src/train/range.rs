//! The learning rate range test (Smith 2017): a hundred steps at rates that rise from far too low to far
//! too high show which rates a network learns at, for a fraction of the cost of an epoch.

use burn::optim::GradientsParams;

use super::clip::clip;
use super::evaluate::images_tensor;
use super::optimizer::optimizer;
use super::setup::{TrainError, TrainingSetup, check_images, labels_tensor};
use crate::data::batch::{Batch, Batches, EpochKey, LastBatch};
use crate::model::{Mode, Network, Weights, read_scalar};
use crate::record::RangeTest;
use crate::sys::{Purpose, counter_seed};
use burgeon_kernel::backend::cross_entropy;

const STEPS: usize = 100;
const BATCH_MAX: usize = 128;
/// How far the rates reach below and above the middle rate, in powers of ten.
const DECADES: f64 = 3.0;
/// Weight of earlier losses in the smoothed loss.
const SMOOTHING: f64 = 0.8;

/// Makes the test from `weights`, at rates around `middle`. It ends early when the loss explodes.
/// Calls `keep_going` before each step, and returns `None` once that returns `false`.
///
/// # Errors
///
/// If the weights do not fit the spec, the spec does not fit the data, or the device fails.
pub fn test_rates(
    setup: TrainingSetup,
    weights: &Weights,
    middle: f64,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Option<RangeTest>, TrainError> {
    check_images(setup)?;
    let train = setup.spec.train();
    let device = setup.device.device.clone().autodiff();
    let mut network = Network::new(setup.spec, weights, &device)?;
    let mut optimizer = optimizer(train);
    let mut test = RangeTest { rates: Vec::new(), losses: Vec::new() };
    let mut batch = Batch::default();
    let (mut sum, mut share) = (0.0, 0.0);
    for step in 0..STEPS {
        if !keep_going() {
            return Ok(None);
        }
        fill(setup, step, &mut batch);
        let labels = labels_tensor(&batch.labels, &device);
        let images = images_tensor(&mut batch, &setup.data.train, &device);
        let (seed, trial) = (train.seed, u64::from(setup.trial));
        let dropout_seed = counter_seed(seed, trial, Purpose::RangeTest, 0, step as u64);
        let logits = network.forward(images, Mode::Train { dropout_seed });
        let outcome = cross_entropy(logits, labels, train.label_smoothing as f32);
        let loss = f64::from(read_scalar(outcome.loss.clone().inner())?);
        sum = SMOOTHING * sum + (1.0 - SMOOTHING) * loss;
        share = SMOOTHING * share + (1.0 - SMOOTHING);
        let smoothed = sum / share;
        let best = test.losses.iter().copied().fold(f64::INFINITY, f64::min);
        if !loss.is_finite() || smoothed > 3.0 * best {
            break;
        }
        let rate = middle * 10_f64.powf(DECADES * (2.0 * step as f64 / (STEPS - 1) as f64 - 1.0));
        test.rates.push(rate);
        test.losses.push(smoothed);
        let mut gradients = GradientsParams::from_grads(outcome.loss.backward(), &network);
        if let Some(by) = train.gradient_clipping {
            gradients = clip(gradients, &network, by)?;
        }
        network = optimizer.step(rate, network, gradients);
    }
    Ok(Some(test))
}

/// Fills the batch of a step; a small split is used repeatedly.
fn fill(setup: TrainingSetup, step: usize, batch: &mut Batch) {
    let train = setup.spec.train();
    let images = train.batch_size.min(BATCH_MAX);
    let key = EpochKey { study: train.seed, trial: u64::from(setup.trial), epoch: 0 };
    let data = setup.data;
    let batches = Batches::shuffled(&data.train, data.normalization, images, LastBatch::Keep, key);
    batches.fill(step % batches.steps().max(1), batch);
}
