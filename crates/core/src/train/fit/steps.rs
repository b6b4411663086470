//! The steps of one epoch.

use std::time::{Duration, Instant};

use burgeon_kernel::backend::{cross_entropy, noted_cross_entropy};
use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};

use super::{EpochEnd, Fit, Pending};
use crate::data::batch::{Batch, Batches, EpochKey, LastBatch};
use crate::model::{Mode, ReadError, read_scalar, read_values};
use crate::spec::learning_rate;
use crate::sys::{Purpose, counter_seed};
use crate::train::average::move_towards;
use crate::train::clip::{clip, clip_on_device};
use crate::train::evaluate::images_tensor;
use crate::train::profile::Part;
use crate::train::resident::Resident;
use crate::train::setup::{TrainError, labels_tensor};
use crate::train::state::EPOCH_PARTS;
use crate::train::{Flow, Watch};

/// Steps after which losses are read from devices that compute while the host runs ahead.
const STEPS_IN_FLIGHT: usize = 16;

/// Where images stay on the device, losses are read at the end of an epoch, but in longer ones this often, for those who
/// watch.
const READ_EVERY: Duration = Duration::from_secs(30);

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
        if let Some(resident) = &mut self.resident {
            let position = (self.state.position.epoch, self.state.position.step);
            resident.begin(setup, &key.order(subset.len()), position);
        }
        let mut batch = Batch::default();
        let mut since = Instant::now();
        let mut last_read = since;
        while self.state.position.step < steps {
            let Some((images, labels, count)) = self.next_batch(&mut batches, &mut batch) else {
                break;
            };
            self.step(images, labels, count, steps)?;
            self.state.position.step += 1;
            let is_last = self.state.position.step == steps;
            let is_due = match &self.resident {
                Some(_) => last_read.elapsed() >= READ_EVERY,
                None if setup.device.is_asynchronous => self.pending.len() >= STEPS_IN_FLIGHT,
                None => true,
            };
            if is_last || is_due {
                if let Some(what) = self.read_pending()? {
                    return Ok(EpochEnd::Diverged(what));
                }
                last_read = Instant::now();
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
            // A GPU would have to be waited for, so it is judged within an epoch only where most is decided: in the first.
            let is_judged = self.resident.is_none() || self.state.curve.is_empty();
            if is_judged
                && epoch_part_of(self.state.position.step, steps)
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

    /// Images, labels and their number for the step that comes next.
    fn next_batch(
        &self,
        batches: &mut Batches,
        batch: &mut Batch,
    ) -> Option<(Tensor<4>, Tensor<1, Int>, usize)> {
        let subset = &self.setup.data.train;
        if let Some(resident) = &self.resident
            && let (Some(images), Some(notes)) = (&resident.train, &resident.notes)
        {
            let size = self.setup.spec.train().batch_size;
            let count = size.min(subset.len() - self.state.position.step * size);
            let (images, labels) = images.batch(notes, count);
            return Some((Tensor::from_inner(images), labels, count));
        }
        batches.fill_next(batch).then(|| {
            let images = images_tensor(batch, subset, &self.device);
            let labels = labels_tensor(&batch.labels, &self.device);
            (images, labels, batch.len())
        })
    }

    fn step(
        &mut self,
        images: Tensor<4>,
        labels: Tensor<1, Int>,
        count: usize,
        steps: usize,
    ) -> Result<(), TrainError> {
        self.fresh = None;
        let train = self.setup.spec.train();
        let position = self.state.position;
        let dropout_seed = counter_seed(
            train.seed,
            u64::from(self.setup.trial),
            Purpose::Dropout,
            position.epoch as u64,
            position.step as u64,
        );
        self.lap(Part::Data);
        let mode = Mode::Train { dropout_seed };
        let logits = match &mut self.profiler {
            None => self.network.forward(images, mode),
            Some(profiler) => {
                profiler.count_step(count, steps);
                let marks = profiler.marks();
                let passed = |layer| profiler.lap(Part::Forward(layer));
                self.network.forward_marked(images, mode, &marks, passed)
            }
        };
        let smoothing = train.label_smoothing as f32;
        let notes = self.resident.as_ref().and_then(|resident| resident.notes.as_ref());
        let outcome = match notes {
            Some(notes) => noted_cross_entropy(logits, labels, smoothing, notes),
            None => cross_entropy(logits, labels, smoothing),
        };
        let is_noted = notes.is_some();
        self.lap(Part::Loss);
        let mut gradients = GradientsParams::from_grads(outcome.loss.backward(), &self.network);
        if let Some(profiler) = &mut self.profiler {
            profiler.lap_backward();
        }
        if let Some(by) = train.gradient_clipping {
            gradients = match self.resident {
                Some(_) => clip_on_device(gradients, &self.network, by),
                None => clip(gradients, &self.network, by)?,
            };
        }
        if let Some(Resident { adam: Some(adam), notes: Some(notes), .. }) = &mut self.resident {
            adam.step(&self.network, gradients, notes)?;
        } else {
            let taken = position.epoch * steps + position.step;
            let rate = learning_rate(train, taken, train.epochs * steps);
            let network = self.network.clone();
            self.network = self.optimizer.step(rate, network, gradients);
        }
        if let (Some(average), Some(decay)) = (&mut self.state.average, train.weight_average) {
            let taken = position.epoch * steps + position.step;
            move_towards(average, &self.network.weights(self.setup.spec)?, decay, taken)?;
        }
        self.lap(Part::Optimizer);
        self.pending.push(Pending {
            outcome: (!is_noted).then(|| (outcome.loss.inner(), outcome.correct.inner())),
            images: count,
            part: epoch_part_of(position.step, steps),
        });
        Ok(())
    }

    /// Reads the losses of pending steps; returns a message if one is not finite.
    fn read_pending(&mut self) -> Result<Option<String>, ReadError> {
        let notes = self.resident.as_ref().and_then(|resident| resident.notes.as_ref());
        let noted = match notes {
            Some(notes) if !self.pending.is_empty() => read_values(notes.losses())?,
            _ => Vec::new(),
        };
        let first = self.state.position.step - self.pending.len();
        for (at, pending) in self.pending.drain(..).enumerate() {
            let (loss, correct) = match pending.outcome {
                Some((loss, correct)) => (read_scalar(loss)?, read_scalar(correct)?),
                None => (noted[2 * (first + at)], noted[2 * (first + at) + 1]),
            };
            let loss = f64::from(loss);
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
