//! The step loop.

use std::time::Instant;

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Bytes, Device, Int, Tensor, TensorData};

use super::clip::clip;
use super::evaluate::{Evaluation, evaluate_while, images_tensor};
use super::optimizer::optimizer;
use super::probe::probe;
use super::profile::{Part, Profiler, Profiling};
use super::state::{BestEpoch, RunningSums, STRETCHES, TrainState};
use super::{Flow, Phase, Watch, WatchError};
use crate::data::Dataset;
use crate::data::augment::{Augmentation, Augmenter, Elastic};
use crate::data::colour::ColourJitter;
use crate::data::warp::Border;
use crate::data::batch::{Batch, Batches, EpochKey, LastBatch};
use crate::model::{
    GraftError, Mode, Network, OpenDevice, OptimizerRecord, OptimizerRecordError, ReadError,
    Weights, WeightsError, read_scalar,
};
use crate::record::{Ending, EpochRecord, Probe, SoFar, StepProgress};
use crate::spec::{self, Augment, InputShape, Spec, learning_rate};
use crate::sys::{Purpose, counter_seed};
use burgeon_kernel::Executor;
use burgeon_kernel::backend::cross_entropy;

/// Steps between two looks at the losses on devices that compute while the host runs ahead.
const STEPS_IN_FLIGHT: usize = 16;

/// What a training needs besides its state.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSetup<'a> {
    /// What to train, and how.
    pub spec: &'a Spec,
    /// What to train on. The test split is never touched.
    pub data: &'a Dataset,
    /// Where.
    pub device: &'a OpenDevice,
    /// The trial within its study; part of every counter.
    pub trial: u32,
    /// Whether to find out where the time goes.
    pub profiling: Profiling,
}

/// A training that ended by itself or was stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Where it stands now.
    pub state: TrainState,
    /// How it ended.
    pub ending: Ending,
    /// What stopped being a number, or why it was given up, in words.
    pub why: Option<String>,
}

/// What keeps a training from going on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The weights do not belong to the spec.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The parent's state cannot be carried over.
    #[error(transparent)]
    Graft(#[from] GraftError),
    /// The optimizer's saved state is not of this network.
    #[error("the saved state of the optimizer cannot be used")]
    OptimizerRecord(#[from] OptimizerRecordError),
    /// The spec was made for other images.
    #[error("the network takes {spec}, but the data has {data}")]
    OtherImages {
        /// What the spec was validated for.
        spec: String,
        /// What the data set holds.
        data: String,
    },
    /// The optimizer's saved state cannot be read.
    #[error("the saved state of the optimizer cannot be read: {0}")]
    Optimizer(String),
    /// The watcher could not record or save.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

/// Trains from `state` to the spec's last epoch, or until something ends it.
///
/// # Errors
///
/// When the state does not fit the spec, or the watcher cannot do its part. A non-finite loss,
/// gradient or weight is no error: it ends the training as [`Ending::Diverged`].
pub fn train(
    setup: TrainingSetup,
    state: TrainState,
    watch: &mut dyn Watch,
) -> Result<Trained, TrainError> {
    let mut fit = Fit::new(setup, state)?;
    let (ending, why) = fit.run(watch)?;
    if let Some(profiler) = fit.profiler.take() {
        let on_cpu = !setup.device.is_asynchronous;
        let executor = on_cpu.then(Executor::current);
        watch.profile(&profiler.finish(executor.as_deref()))?;
    }
    Ok(Trained { state: fit.into_state()?, ending, why })
}

struct Fit<'a> {
    setup: TrainingSetup<'a>,
    device: Device,
    network: Network,
    optimizer: ModuleOptimizer,
    /// Its weights and optimizer bytes are stale while the training runs.
    state: TrainState,
    augmenter: Augmenter,
    pending: Vec<Pending>,
    images_here: u64,
    seconds_here: f64,
    profiler: Option<Profiler>,
}

/// A step whose outcome the host has not read yet.
struct Pending {
    loss: Tensor<1>,
    correct: Tensor<1>,
    images: usize,
    stretch: usize,
}

/// How a training ended, and why where that needs words.
type Ended = (Ending, Option<String>);

/// What one epoch ended with.
enum EpochEnd {
    Done,
    Stopped,
    OutOfTime,
    Diverged(String),
    GivenUp(String),
}

/// What an epoch is judged by.
struct Review {
    weights: Weights,
    validation: Evaluation,
    probe: Option<Probe>,
}

impl<'a> Fit<'a> {
    fn new(setup: TrainingSetup<'a>, state: TrainState) -> Result<Self, TrainError> {
        check_images(setup)?;
        let device = setup.device.device.clone().autodiff();
        let network = Network::new(setup.spec, &state.weights, &device)?;
        let mut optimizer = optimizer(setup.spec.train());
        if !state.optimizer.is_empty() {
            // burn's reader panics at some wrong records and passes over others.
            OptimizerRecord::read(&state.optimizer, setup.spec)?;
            optimizer = optimizer
                .from_bytes(Bytes::from_bytes_vec(state.optimizer.clone()))
                .map_err(|error| TrainError::Optimizer(error.to_string()))?;
        }
        Ok(Self {
            device,
            network,
            optimizer,
            state,
            augmenter: Augmenter::new(augmentation(&setup.spec.train().augment)),
            pending: Vec::new(),
            images_here: 0,
            seconds_here: 0.0,
            profiler: (setup.profiling == Profiling::On).then(|| Profiler::new(setup.spec)),
            setup,
        })
    }

    fn run(&mut self, watch: &mut dyn Watch) -> Result<Ended, TrainError> {
        loop {
            // Asked before the first epoch too: a resumed training may have nothing left to do.
            if let Some(ending) = self.ending() {
                return Ok(ending);
            }
            // A training that has nothing to show yet takes one step, and is evaluated, in any case.
            if !self.state.curve.is_empty() && watch.working(Phase::Training) == Flow::OutOfTime {
                return Ok((Ending::OutOfTime, None));
            }
            let (given_up, is_cut) = match self.epoch(watch)? {
                EpochEnd::Stopped => return Ok((Ending::Stopped, None)),
                EpochEnd::Diverged(what) => return Ok((Ending::Diverged, Some(what))),
                EpochEnd::GivenUp(why) => (Some(why), true),
                EpochEnd::OutOfTime => (None, true),
                EpochEnd::Done => (None, false),
            };
            let review = match self.review(is_cut, watch)? {
                Ok(review) => review,
                // The state before the evaluation is as good as any: whoever goes on begins with
                // it. Not so one that was given up, which only the step before can lead to.
                Err(Flow::Stop) => {
                    if given_up.is_none() {
                        self.save(watch)?;
                    }
                    return Ok((Ending::Stopped, None));
                }
                Err(_) => {
                    self.save(watch)?;
                    return Ok((Ending::OutOfTime, None));
                }
            };
            let record = self.finish_epoch(review, given_up, watch);
            self.keep_best(record.clone());
            self.lap(Part::Rest);
            self.save(watch)?;
            if watch.epoch(&record)? == Flow::Stop && self.ending().is_none() {
                return Ok((Ending::Stopped, None));
            }
        }
    }

    /// How the training ends where it stands between two epochs; `None` when it goes on.
    fn ending(&self) -> Option<Ended> {
        let train = self.setup.spec.train();
        let last = self.state.curve.last();
        if let Some(name) = self.state.weights.first_non_finite() {
            return Some((Ending::Diverged, Some(format!("`{name}` is no longer finite"))));
        }
        if last.is_some_and(|last| !last.validation_loss.is_finite()) {
            return Some((Ending::Diverged, Some("the validation loss is not finite".into())));
        }
        if let Some(why) = last.and_then(|last| last.given_up.clone()) {
            return Some((Ending::GivenUp, Some(why)));
        }
        if self.state.position.epoch >= train.epochs {
            return Some((Ending::Completed, None));
        }
        let stopping = train.early_stopping?;
        let gate = self.setup.spec.gate();
        let waited = self.state.epochs_without_improvement(stopping.min_improvement, gate);
        (waited >= stopping.patience && self.state.position.step == 0)
            .then_some((Ending::StoppedEarly, None))
    }

    fn epoch(&mut self, watch: &mut dyn Watch) -> Result<EpochEnd, TrainError> {
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
                && let Some(what) = self.settle()?
            {
                return Ok(EpochEnd::Diverged(what));
            }
            let passed = since.elapsed().as_secs_f64();
            since = Instant::now();
            self.state.sums.seconds += passed;
            self.seconds_here += passed;
            let progress = self.progress(steps);
            let flow = watch.step(&progress);
            self.lap(Part::Rest);
            if is_last {
                break;
            }
            if stretch_of(self.state.position.step, steps)
                > stretch_of(self.state.position.step - 1, steps)
            {
                if let Some(what) = self.settle()? {
                    return Ok(EpochEnd::Diverged(what));
                }
                let course = self.state.sums.course();
                if let Some(why) = watch.give_up(&self.so_far(&course, steps)) {
                    return Ok(EpochEnd::GivenUp(why));
                }
            }
            if flow != Flow::Continue || watch.wants_checkpoint(&progress) {
                if let Some(what) = self.settle()? {
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

    fn step(&mut self, batch: &mut Batch, steps: usize) -> Result<(), ReadError> {
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
        self.lap(Part::Optimizer);
        self.pending.push(Pending {
            loss: outcome.loss.inner(),
            correct: outcome.correct.inner(),
            images: batch.len(),
            stretch: stretch_of(position.step, steps),
        });
        Ok(())
    }

    /// Reads the outcome of the steps in flight; what is not finite is returned in words.
    fn settle(&mut self) -> Result<Option<String>, ReadError> {
        for pending in self.pending.drain(..) {
            let loss = f64::from(read_scalar(pending.loss)?);
            let correct = read_scalar(pending.correct)?;
            let images = pending.images as u64;
            self.state.sums.loss += loss * images as f64;
            self.state.sums.correct += correct as u64;
            self.state.sums.images += images;
            let stretch = &mut self.state.sums.course[pending.stretch];
            stretch.loss += loss * images as f64;
            stretch.images += images;
            self.images_here += images;
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

    /// Evaluates the epoch that has ended or was cut, leaving the state as it is; or why that was
    /// abandoned.
    fn review(
        &mut self,
        is_cut: bool,
        watch: &mut dyn Watch,
    ) -> Result<Result<Review, Flow>, TrainError> {
        let setup = self.setup;
        let mut flow = Flow::Continue;
        let mut go_on = || {
            flow = watch.working(Phase::Evaluating);
            flow == Flow::Continue
        };
        let validation = evaluate_while(
            &self.network,
            &setup.data.validation,
            setup.data.normalization,
            setup.spec.input().classes,
            &self.device,
            &mut go_on,
        )?;
        self.lap(Part::Evaluation);
        let Some(validation) = validation else {
            return Ok(Err(flow));
        };
        let weights = self.network.weights(setup.spec)?;
        // Late looks find what earlier ones found; so few of them cost little even where an epoch
        // is short.
        let epoch = self.state.position.epoch + 1;
        let is_worth_a_look =
            epoch.is_power_of_two() || epoch == setup.spec.train().epochs || is_cut;
        let mut seen = None;
        if is_worth_a_look && validation.loss.is_finite() {
            seen = probe(setup, &weights, &validation, &mut go_on)?;
            // Without time for a look, the evaluation still counts.
            if seen.is_none() && flow == Flow::Stop {
                return Ok(Err(flow));
            }
        }
        Ok(Ok(Review { weights, validation, probe: seen }))
    }

    fn finish_epoch(
        &mut self,
        review: Review,
        given_up: Option<String>,
        watch: &mut dyn Watch,
    ) -> EpochRecord {
        let Review { weights, validation, probe } = review;
        let train = self.setup.spec.train();
        let data = self.setup.data;
        let steps = data.train.len().div_ceil(train.batch_size);
        let last_step = self.state.position.epoch * steps + self.state.position.step.max(1) - 1;
        let course = self.state.sums.course();
        let RunningSums { loss, correct, images, seconds, .. } =
            std::mem::take(&mut self.state.sums);
        self.state.position.epoch += 1;
        self.state.position.step = 0;
        self.state.weights = weights;
        let epoch = self.state.position.epoch;
        let mut record = EpochRecord {
            epoch,
            train_loss: loss / images.max(1) as f64,
            train_accuracy: correct as f64 / images.max(1) as f64,
            validation_loss: validation.loss,
            validation_accuracy: validation.accuracy(),
            learning_rate: learning_rate(train, last_step, train.epochs * steps),
            seconds,
            images,
            course,
            probe,
            recalls: validation.recalls(),
            given_up,
        };
        if record.given_up.is_none() && epoch < train.epochs {
            self.state.curve.push(record.clone());
            record.given_up = watch.give_up(&self.so_far(&[], steps));
            self.state.curve.pop();
        }
        record
    }

    fn so_far<'s>(&'s self, course: &'s [f64], steps: usize) -> SoFar<'s> {
        let sums = &self.state.sums;
        SoFar {
            curve: &self.state.curve,
            course,
            accuracy: sums.correct as f64 / sums.images.max(1) as f64,
            steps: self.state.position.epoch * steps + self.state.position.step,
        }
    }

    fn keep_best(&mut self, record: EpochRecord) {
        self.state.curve.push(record.clone());
        let gate = self.setup.spec.gate();
        if self.state.best.as_ref().is_none_or(|best| record.beats(&best.record, gate)) {
            let weights = self.state.weights.clone();
            self.state.best = Some(BestEpoch { record, weights });
        }
    }

    fn save(&mut self, watch: &mut dyn Watch) -> Result<(), TrainError> {
        self.refresh_state()?;
        watch.checkpoint(&self.state)?;
        self.lap(Part::Checkpoint);
        Ok(())
    }

    fn lap(&mut self, part: Part) {
        if let Some(profiler) = &mut self.profiler {
            profiler.lap(part);
        }
    }

    fn refresh_state(&mut self) -> Result<(), TrainError> {
        self.state.weights = self.network.weights(self.setup.spec)?;
        let record = self.optimizer.into_bytes();
        let bytes = record.map_err(|error| TrainError::Optimizer(error.to_string()))?;
        self.state.optimizer = bytes.to_vec();
        Ok(())
    }

    fn into_state(mut self) -> Result<TrainState, TrainError> {
        self.refresh_state()?;
        Ok(self.state)
    }

    fn progress(&self, steps: usize) -> StepProgress {
        let sums = &self.state.sums;
        let images = sums.images.max(1) as f64;
        StepProgress {
            epoch: self.state.position.epoch + 1,
            epochs: self.setup.spec.train().epochs,
            step: self.state.position.step,
            steps,
            loss: sums.loss / images,
            accuracy: sums.correct as f64 / images,
            images_per_second: self.images_here as f64 / self.seconds_here.max(1e-9),
        }
    }
}

/// Refuses a spec that was validated for images of another size or other classes.
pub(super) fn check_images(setup: TrainingSetup) -> Result<(), TrainError> {
    let InputShape { channels, height, width, classes } = setup.spec.input();
    let found = (setup.data.input_shape(), setup.data.classes.len());
    if found == ([channels, height, width], classes) {
        return Ok(());
    }
    let words = |([channels, height, width], classes): ([usize; 3], usize)| {
        format!("{channels}×{height}×{width} images of {classes} classes")
    };
    let spec = words(([channels, height, width], classes));
    Err(TrainError::OtherImages { spec, data: words(found) })
}

/// The stretch of an epoch that a step, counted from 0, belongs to.
fn stretch_of(step: usize, steps: usize) -> usize {
    step * STRETCHES / steps.max(1)
}

pub(super) fn labels_tensor(labels: &[u16], device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i32> = labels.iter().map(|&label| i32::from(label)).collect();
    let shape = [labels.len()];
    Tensor::from_data(TensorData::new(labels, shape), device)
}

/// Smoothness of the elastic displacement in pixels, as Simard, Steinkraus and Platt found best.
const ELASTIC_SIGMA: f32 = 4.0;

fn augmentation(spec: &Augment) -> Augmentation {
    Augmentation {
        shift: spec.shift,
        rotate_degrees: spec.rotate as f32,
        scale: spec.scale as f32,
        elastic: (spec.elastic > 0.0).then_some(Elastic {
            // So that displacements deviate by as many pixels as the study asks for.
            alpha: spec.elastic as f32 * ELASTIC_SIGMA / 0.16,
            sigma: ELASTIC_SIGMA,
        }),
        flip: spec.flip,
        flip_vertical: spec.flip_vertical,
        border: match spec.border {
            spec::Border::Black => Border::Black,
            spec::Border::Reflect => Border::Reflect,
        },
        colour: ColourJitter {
            brightness: spec.brightness as f32,
            contrast: spec.contrast as f32,
            saturation: spec.saturation as f32,
        },
        cutout: spec.cutout,
    }
}
