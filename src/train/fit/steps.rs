//! The steps of one epoch.

use std::time::Instant;

use burgeon_kernel::backend::cross_entropy;
use burn::optim::GradientsParams;

use super::{EpochEnd, Fit, Pending};
use crate::data::batch::{Batch, Batches, EpochKey, LastBatch};
use crate::model::{Mode, ReadError, read_scalar};
use crate::spec::learning_rate;
use crate::sys::{Purpose, counter_seed};
use crate::train::average::move_towards;
use crate::train::clip::clip;
use crate::train::evaluate::images_tensor;
use crate::train::profile::Part;
use crate::train::setup::{TrainError, labels_tensor};
use crate::train::state::EPOCH_PARTS;
use crate::train::{Flow, Watch};

/// Steps after which losses are read from devices that compute while the host runs ahead.
const STEPS_IN_FLIGHT: usize = 16;

impl Fit<'_> {
    pub(super) fn epoch(&mut self, watch: &mut dyn Watch) -> Result<EpochEnd, TrainError> {
        let setup = self.setup;
        let train = setup.spec.train();
        let key = EpochKey {
            study: train.seed,
            trial: u64::from(setup.trial),
            epoch: self.state.position.epoch as u64,
        };
        let augmenter = self.augmenter.clone();
        let subset = &setup.data.train;
        let normalization = setup.data.normalization;
        let mut batches =
            Batches::shuffled(subset, normalization, train.batch_size, LastBatch::Keep, key)
                .augmented(&augmenter, key)
                .starting_at(self.state.position.step);
        let steps = batches.steps();
        let mut batch = Batch::default();
        let mut since = Instant::now();
        while batches.fill_next(&mut batch) {
            self.step(&mut batch, steps)?;
            self.state.position.step += 1;
            let is_last = self.state.position.step == steps;
            let in_flight = if setup.device.is_asynchronous { STEPS_IN_FLIGHT } else { 1 };
            if (is_last || self.pending.len() >= in_flight)
                && let Some(what) = self.read_pending()?
            {
                return Ok(EpochEnd::Diverged(what));
            }
            let passed = since.elapsed().as_secs_f64();
            since = Instant::now();
            self.state.sums.seconds += passed;
            self.seconds_in_process += passed;
            let progress = self.progress(steps);
            let flow = watch.step(&progress);
            self.lap(Part::Rest);
            if is_last {
                break;
            }
            if epoch_part_of(self.state.position.step, steps)
                > epoch_part_of(self.state.position.step - 1, steps)
            {
                if let Some(what) = self.read_pending()? {
                    return Ok(EpochEnd::Diverged(what));
                }
                let course = self.state.sums.course();
                if let Some(why) = watch.give_up(&self.so_far(&course, steps)) {
                    return Ok(EpochEnd::GivenUp(why));
                }
            }
            if flow != Flow::Continue || watch.wants_checkpoint(&progress) {
                if let Some(what) = self.read_pending()? {
                    return Ok(EpochEnd::Diverged(what));
                }
                if flow != Flow::OutOfTime {
                    self.save(watch)?;
                }
                since = Instant::now();
            }
            match flow {
                Flow::Continue => {}
                Flow::Stop => return Ok(EpochEnd::Stopped),
                Flow::OutOfTime => return Ok(EpochEnd::OutOfTime),
            }
        }
        Ok(EpochEnd::Done)
    }

    fn step(&mut self, batch: &mut Batch, steps: usize) -> Result<(), TrainError> {
        let train = self.setup.spec.train();
        let position = self.state.position;
        let dropout_seed = counter_seed(
            train.seed,
            u64::from(self.setup.trial),
            Purpose::Dropout,
            position.epoch as u64,
            position.step as u64,
        );
        let images = images_tensor(batch, &self.setup.data.train, &self.device);
        let labels = labels_tensor(&batch.labels, &self.device);
        self.lap(Part::Data);
        let mode = Mode::Train { dropout_seed };
        let logits = match &mut self.profiler {
            None => self.network.forward(images, mode),
            Some(profiler) => {
                profiler.count_step(batch.len(), steps);
                let marks = profiler.marks();
                let passed = |layer| profiler.lap(Part::Forward(layer));
                self.network.forward_marked(images, mode, &marks, passed)
            }
        };
        let outcome = cross_entropy(logits, labels, train.label_smoothing as f32);
        self.lap(Part::Loss);
        let mut gradients = GradientsParams::from_grads(outcome.loss.backward(), &self.network);
        if let Some(profiler) = &mut self.profiler {
            profiler.lap_backward();
        }
        if let Some(by) = train.gradient_clipping {
            gradients = clip(gradients, &self.network, by)?;
        }
        let rate =
            learning_rate(train, position.epoch * steps + position.step, train.epochs * steps);
        let network = self.network.clone();
        self.network = self.optimizer.step(rate, network, gradients);
        if let (Some(average), Some(decay)) = (&mut self.state.average, train.weight_average) {
            let taken = position.epoch * steps + position.step;
            move_towards(average, &self.network.weights(self.setup.spec)?, decay, taken)?;
        }
        self.lap(Part::Optimizer);
        self.pending.push(Pending {
            loss: outcome.loss.inner(),
            correct: outcome.correct.inner(),
            images: batch.len(),
            part: epoch_part_of(position.step, steps),
        });
        Ok(())
    }

    /// Reads the losses of pending steps; returns a message if one is not finite.
    fn read_pending(&mut self) -> Result<Option<String>, ReadError> {
        for pending in self.pending.drain(..) {
            let loss = f64::from(read_scalar(pending.loss)?);
            let correct = read_scalar(pending.correct)?;
            let images = pending.images as u64;
            self.state.sums.loss += loss * images as f64;
            self.state.sums.correct += correct as u64;
            self.state.sums.images += images;
            let part = &mut self.state.sums.course[pending.part];
            part.loss += loss * images as f64;
            part.images += images;
            self.images_in_process += images;
            if !loss.is_finite() {
                let position = self.state.position;
                return Ok(Some(format!(
                    "the training loss became {loss} in epoch {}, by step {}",
                    position.epoch + 1,
                    position.step
                )));
            }
        }
        Ok(None)
    }
}

/// The eighth of an epoch that a step, counted from 0, belongs to.
fn epoch_part_of(step: usize, steps: usize) -> usize {
    step * EPOCH_PARTS / steps.max(1)
}
