//! The learning rate range test (Smith 2017): a hundred steps at rates that rise from far too low to
//! far too high say which rates a network learns at, for the price of a fraction of an epoch.

use burn::optim::GradientsParams;
use serde::{Deserialize, Serialize};

use super::clip::clip;
use super::evaluate::images_tensor;
use super::fit::{TrainError, TrainingSetup, labels_tensor};
use super::optimizer::optimizer;
use crate::data::batch::{Batch, Batches, EpochKey, LastBatch};
use crate::kernel::backend::cross_entropy;
use crate::model::{Mode, Network, Weights};
use crate::sys::{Purpose, counter_seed};

/// What came of a range test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeTest {
    /// The rate of each step, rising.
    pub rates: Vec<f64>,
    /// The smoothed loss before each step.
    pub losses: Vec<f64>,
}

const STEPS: usize = 100;
const BATCH_MOST: usize = 128;
/// Decades below and above the middle rate.
const DECADES: f64 = 3.0;
/// Weight of the losses before in the smoothed loss.
const MEMORY: f64 = 0.8;

impl RangeTest {
    /// Steps from fresh weights of the setup's spec, at rates around `middle`. Ends early when the
    /// loss explodes.
    ///
    /// # Errors
    ///
    /// When the weights are not the spec's.
    pub fn run(setup: TrainingSetup, weights: &Weights, middle: f64) -> Result<Self, TrainError> {
        let train = setup.spec.train();
        let device = setup.device.device.clone().autodiff();
        let mut network = Network::new(setup.spec, weights, &device)?;
        let mut optimizer = optimizer(train);
        let mut test = Self { rates: Vec::new(), losses: Vec::new() };
        let mut batch = Batch::default();
        let (mut sum, mut share) = (0.0, 0.0);
        for step in 0..STEPS {
            fill(setup, step, &mut batch);
            let labels = labels_tensor(&batch.labels, &device);
            let images = images_tensor(&mut batch, &setup.data.train, &device);
            let (seed, trial) = (train.seed, u64::from(setup.trial));
            let dropout_seed = counter_seed(seed, trial, Purpose::RangeTest, 0, step as u64);
            let logits = network.forward(images, Mode::Train { dropout_seed });
            let outcome = cross_entropy(logits, labels, train.label_smoothing as f32);
            let loss = f64::from(outcome.loss.clone().inner().into_scalar::<f32>());
            sum = MEMORY * sum + (1.0 - MEMORY) * loss;
            share = MEMORY * share + (1.0 - MEMORY);
            let smoothed = sum / share;
            let best = test.losses.iter().copied().fold(f64::INFINITY, f64::min);
            if !loss.is_finite() || smoothed > 3.0 * best {
                break;
            }
            let rate =
                middle * 10_f64.powf(DECADES * (2.0 * step as f64 / (STEPS - 1) as f64 - 1.0));
            test.rates.push(rate);
            test.losses.push(smoothed);
            let mut gradients = GradientsParams::from_grads(outcome.loss.backward(), &network);
            if let Some(by) = train.gradient_clipping {
                gradients = clip(gradients, &network, by);
            }
            network = optimizer.step(rate, network, gradients);
        }
        Ok(test)
    }

    /// A rate to train at: a quarter of the one at which the loss was lowest, before it rose again.
    /// `None` where the loss hardly fell at any rate, which is then not what is wrong.
    pub fn suggestion(&self) -> Option<f64> {
        let first = *self.losses.first()?;
        let pairs = self.rates.iter().zip(&self.losses);
        let (rate, lowest) =
            pairs.reduce(|best, next| if next.1 < best.1 { next } else { best })?;
        (*lowest < 0.93 * first).then_some(rate / 4.0)
    }
}

/// The images of a step; a split with few of them is gone through again.
fn fill(setup: TrainingSetup, step: usize, batch: &mut Batch) {
    let train = setup.spec.train();
    let images = train.batch_size.min(BATCH_MOST);
    let key = EpochKey { study: train.seed, trial: u64::from(setup.trial), epoch: 0 };
    let data = setup.data;
    let batches = Batches::shuffled(&data.train, data.normalization, images, LastBatch::Keep, key);
    batches.fill(step % batches.steps().max(1), batch);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(losses: &[f64]) -> RangeTest {
        let rates = (0..losses.len()).map(|step| 10_f64.powi(step as i32 - 6)).collect();
        RangeTest { rates, losses: losses.to_vec() }
    }

    #[test]
    fn a_quarter_of_the_rate_with_the_lowest_loss_is_suggested() {
        let suggestion = test(&[2.3, 2.3, 2.2, 1.5, 0.9, 2.0]).suggestion();
        assert!(suggestion.is_some_and(|rate| (rate - 0.0025).abs() < 1e-9), "{suggestion:?}");
    }

    #[test]
    fn a_loss_that_never_falls_suggests_nothing() {
        assert_eq!(test(&[2.3, 2.3, 2.29, 2.28, 2.4]).suggestion(), None);
        assert_eq!(test(&[]).suggestion(), None);
    }
}
