//! The training loop.

use std::time::Instant;

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Bytes, Device, Tensor};

use super::average::move_towards;
use super::clip::clip;
use super::evaluate::{Evaluation, evaluate_while, images_tensor};
use super::optimizer::optimizer;
use super::probe::probe;
use super::profile::{Part, Profiler, Profiling};
use super::setup::{TrainError, TrainingSetup, check_images, labels_tensor};
use super::state::{BestEpoch, EPOCH_PARTS, RunningSums, TrainState};
use super::{Flow, Phase, Watch};
use crate::data::augment::{Augmentation, Augmenter};
use crate::data::batch::{Batch, Batches, EpochKey, LastBatch};
use crate::model::{Mode, Network, OptimizerRecord, ReadError, Weights, read_scalar};
use crate::record::{Ending, EpochRecord, Probe, SoFar, StepProgress};
use crate::spec::learning_rate;
use crate::sys::{Purpose, counter_seed};
use burgeon_kernel::Executor;
use burgeon_kernel::backend::cross_entropy;

/// Steps after which losses are read from devices that compute while the host runs ahead.
const STEPS_IN_FLIGHT: usize = 16;

/// The result of a training that ended or was stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The state at the end, from which training could continue.
    pub state: TrainState,
    /// Why it ended.
    pub ending: Ending,
    /// For [`Ending::Diverged`] and [`Ending::GivenUp`], the reason as a clause.
    pub why: Option<String>,
}

/// Trains a network from `state` to the spec's last epoch, or until `watch` or the training itself ends
/// it earlier.
///
/// This is one training without gate, growth, run folder or report; [`Launch`](crate::study::Launch)
/// adds those.
///
/// ```
/// use burgeon::model::{DeviceChoice, Weights};
/// use burgeon::prelude::*;
/// use burgeon::record::StepProgress;
/// use burgeon::train::{Flow, Profiling, TrainState, TrainingSetup, Watch, WatchError, train};
///
/// struct Quiet;
///
/// impl Watch for Quiet {
///     fn step(&mut self, _progress: &StepProgress) -> Flow {
///         Flow::Continue
///     }
///     fn epoch(&mut self, _record: &EpochRecord) -> Result<Flow, WatchError> {
///         Ok(Flow::Continue)
///     }
///     fn wants_checkpoint(&mut self, _progress: &StepProgress) -> bool {
///         false
///     }
///     fn checkpoint(&mut self, _state: &TrainState) -> Result<(), WatchError> {
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Images of 8×8 pixels, in which the left or the right half is white.
/// let halves = |count: usize| {
///     let white = |at: usize| u8::from((at % 8 < 4) == (at / 64).is_multiple_of(2)) * 255;
///     let pixels: Vec<u8> = (0..count * 64).map(white).collect();
///     Images::new(pixels, [0_u8, 1].repeat(count / 2), 8, 8)
/// };
/// let data = Dataset::new(halves(200)?, halves(40)?, halves(40)?, 2)?;
/// let mut file = StudyFile::new("halves", vec![Layer::Dense(Dense::of(4))]);
/// (file.train.epochs, file.train.batch_size) = (5, 10);
/// let spec = Spec::new(file, InputShape { channels: 1, height: 8, width: 8, classes: 2 })?;
/// let device = DeviceChoice::Cpu.open()?;
/// let setup =
///     TrainingSetup { spec: &spec, data: &data, device: &device, trial: 1, profiling: Profiling::Off };
/// let trained = train(setup, TrainState::start(Weights::initial(&spec, 1)), &mut Quiet)?;
/// assert_eq!((trained.ending, trained.state.curve.len()), (Ending::Completed, 5));
/// let best = trained.state.best.ok_or("five epochs have a best one")?;
/// assert!(best.record.validation_accuracy > 0.9);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When the state does not fit the spec, the spec does not fit the data, the device fails, or `watch`
/// returns an error. A loss, gradient or weight that is not finite is not an error: it ends the training
/// with [`Ending::Diverged`].
pub fn train(
    setup: TrainingSetup,
    state: TrainState,
    watch: &mut dyn Watch,
) -> Result<Trained, TrainError> {
    run(Fit::new(setup, state)?, watch)
}

/// How long the network of a fold is trained, and after which epoch it is kept and evaluated: as the trial's own was.
/// So nothing is chosen by the images of the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoldPlan {
    /// The last epoch of the trial.
    pub last_epoch: usize,
    /// Its best epoch.
    pub judged_epoch: usize,
}

/// As [`train`], for a fold of a cross-validation: the validation images of `setup` are those of the fold, and are
/// evaluated once. Other epochs have no validation figures: they are NaN.
///
/// # Errors
///
/// As [`train`].
pub(crate) fn train_fold(
    setup: TrainingSetup,
    plan: FoldPlan,
    state: TrainState,
    watch: &mut dyn Watch,
) -> Result<Trained, TrainError> {
    run(Fit { plan: Some(plan), ..Fit::new(setup, state)? }, watch)
}

fn run(mut fit: Fit, watch: &mut dyn Watch) -> Result<Trained, TrainError> {
    let (setup, (ending, why)) = (fit.setup, fit.run(watch)?);
    if let Some(profiler) = fit.profiler.take() {
        let on_cpu = !setup.device.is_asynchronous;
        let executor = on_cpu.then(Executor::current);
        watch.profile(&profiler.finish(executor.as_deref()))?;
    }
    Ok(Trained { state: fit.into_state()?, ending, why })
}

struct Fit<'a> {
    setup: TrainingSetup<'a>,
    /// For the network of a fold.
    plan: Option<FoldPlan>,
    device: Device,
    network: Network,
    optimizer: ModuleOptimizer,
    /// Its weights and optimizer bytes are stale while the training runs.
    state: TrainState,
    augmenter: Augmenter,
    pending: Vec<Pending>,
    images_in_process: u64,
    seconds_in_process: f64,
    profiler: Option<Profiler>,
}

/// A step whose loss the host has not read yet.
struct Pending {
    loss: Tensor<1>,
    correct: Tensor<1>,
    images: usize,
    part: usize,
}

/// Why a training ended, with a reason where that needs one.
type Ended = (Ending, Option<String>);

/// How one epoch ended.
enum EpochEnd {
    Done,
    Stopped,
    OutOfTime,
    Diverged(String),
    GivenUp(String),
}

/// The evaluation of an epoch.
struct EpochEvaluation {
    weights: Weights,
    /// `None` for an epoch of a fold's network that is not evaluated.
    validation: Option<Evaluation>,
    probe: Option<Probe>,
}

impl<'a> Fit<'a> {
    fn new(setup: TrainingSetup<'a>, mut state: TrainState) -> Result<Self, TrainError> {
        check_images(setup)?;
        if setup.spec.train().weight_average.is_none() {
            state.average = None;
        } else {
            state.average.get_or_insert_with(|| state.weights.clone()).check(setup.spec)?;
        }
        let device = setup.device.device.clone().autodiff();
        let network = Network::new(setup.spec, &state.weights, &device)?;
        let mut optimizer = optimizer(setup.spec.train());
        if !state.optimizer.is_empty() {
            // Checked first, because burn's reader panics on some invalid records and ignores others.
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
            augmenter: Augmenter::new(Augmentation::of(&setup.spec.train().augment)),
            pending: Vec::new(),
            images_in_process: 0,
            seconds_in_process: 0.0,
            profiler: (setup.profiling == Profiling::On).then(|| Profiler::new(setup.spec)),
            setup,
            plan: None,
        })
    }

    fn run(&mut self, watch: &mut dyn Watch) -> Result<Ended, TrainError> {
        loop {
            // Also before the first epoch: a resumed training may have nothing left to do.
            if let Some(ending) = self.ending() {
                return Ok(ending);
            }
            // A training without a finished epoch takes at least one step and is evaluated.
            if !self.state.curve.is_empty() && watch.working(Phase::Training) == Flow::OutOfTime {
                return Ok((Ending::OutOfTime, None));
            }
            let (given_up, is_partial) = match self.epoch(watch)? {
                EpochEnd::Stopped => return Ok((Ending::Stopped, None)),
                EpochEnd::Diverged(what) => return Ok((Ending::Diverged, Some(what))),
                EpochEnd::GivenUp(why) => (Some(why), true),
                // Part of an epoch is nothing for a fold, but another trial may continue from it.
                EpochEnd::OutOfTime if self.plan.is_some() => {
                    self.save(watch)?;
                    return Ok((Ending::OutOfTime, None));
                }
                EpochEnd::OutOfTime => (None, true),
                EpochEnd::Done => (None, false),
            };
            let evaluation = match self.evaluate_epoch(is_partial, watch)? {
                Ok(evaluation) => evaluation,
                // A resumed training repeats the evaluation from this state. The state of an epoch that
                // was given up is not saved, because only repeating its last step leads here again.
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
            let record = self.finish_epoch(evaluation, given_up, watch);
            self.keep_best(record.clone());
            self.lap(Part::Rest);
            if self.plan.is_none() || self.ending().is_some() || self.is_due(watch) {
                self.save(watch)?;
            }
            if watch.epoch(&record)? == Flow::Stop && self.ending().is_none() {
                if self.plan.is_some() {
                    self.save(watch)?;
                }
                return Ok((Ending::Stopped, None));
            }
        }
    }

    /// Whether a checkpoint is due after an epoch of a fold's network.
    fn is_due(&self, watch: &mut dyn Watch) -> bool {
        let steps = self.setup.data.train.len().div_ceil(self.setup.spec.train().batch_size);
        watch.wants_checkpoint(&self.progress(steps))
    }

    /// Why the training ends between two epochs; `None` if it continues.
    fn ending(&self) -> Option<Ended> {
        let train = self.setup.spec.train();
        let last = self.state.curve.last();
        if let Some(name) = self.state.weights.first_non_finite() {
            return Some((Ending::Diverged, Some(format!("`{name}` is no longer finite"))));
        }
        if let Some(plan) = self.plan {
            let is_over = self.state.position.epoch >= plan.last_epoch;
            return is_over.then_some((Ending::Completed, None));
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

    /// Evaluates the epoch that ended, without changing the state; the inner error says why the evaluation
    /// was stopped.
    fn evaluate_epoch(
        &mut self,
        is_partial: bool,
        watch: &mut dyn Watch,
    ) -> Result<Result<EpochEvaluation, Flow>, TrainError> {
        let setup = self.setup;
        let mut flow = Flow::Continue;
        let mut keep_going = || {
            flow = watch.working(Phase::Evaluating);
            flow == Flow::Continue
        };
        let averaged = self.state.average.as_ref();
        let averaged = averaged.map(|weights| Network::new(setup.spec, weights, &self.device));
        let averaged = averaged.transpose()?;
        let weights = || averaged.as_ref().unwrap_or(&self.network).weights(setup.spec);
        let epoch = self.state.position.epoch + 1;
        if self.plan.is_some_and(|plan| plan.judged_epoch != epoch) {
            return Ok(Ok(EpochEvaluation { weights: weights()?, validation: None, probe: None }));
        }
        let validation = evaluate_while(
            averaged.as_ref().unwrap_or(&self.network),
            &setup.data.validation,
            setup.data.normalization,
            setup.spec.input().classes,
            &self.device,
            &mut keep_going,
        )?;
        let Some(validation) = validation else {
            return Ok(Err(flow));
        };
        let weights = weights()?;
        self.lap(Part::Evaluation);
        // Later probes rarely differ from earlier ones; so only a few are made, which cost little even if
        // epochs are short.
        let is_probed = epoch.is_power_of_two() || epoch == setup.spec.train().epochs || is_partial;
        let mut probed = None;
        if is_probed && self.plan.is_none() && validation.loss.is_finite() {
            probed = probe(setup, &weights, &validation, &mut keep_going)?;
            // Without time for a probe, the evaluation still counts.
            if probed.is_none() && flow == Flow::Stop {
                return Ok(Err(flow));
            }
        }
        Ok(Ok(EpochEvaluation { weights, validation: Some(validation), probe: probed }))
    }

    fn finish_epoch(
        &mut self,
        evaluation: EpochEvaluation,
        given_up: Option<String>,
        watch: &mut dyn Watch,
    ) -> EpochRecord {
        let EpochEvaluation { weights, validation, probe } = evaluation;
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
            validation_loss: validation.as_ref().map_or(f64::NAN, |validation| validation.loss),
            validation_accuracy: validation.as_ref().map_or(f64::NAN, Evaluation::accuracy),
            learning_rate: learning_rate(train, last_step, train.epochs * steps),
            seconds,
            images,
            course,
            probe,
            recalls: validation.as_ref().map_or_else(Vec::new, Evaluation::recalls),
            given_up,
        };
        if record.given_up.is_none() && epoch < train.epochs && self.plan.is_none() {
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
        let is_best = match self.plan {
            Some(plan) => record.epoch == plan.judged_epoch,
            None => self.state.best.as_ref().is_none_or(|best| record.beats(&best.record, gate)),
        };
        if is_best {
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
            images_per_second: self.images_in_process as f64 / self.seconds_in_process.max(1e-9),
        }
    }
}

/// The eighth of an epoch that a step, counted from 0, belongs to.
fn epoch_part_of(step: usize, steps: usize) -> usize {
    step * EPOCH_PARTS / steps.max(1)
}
