//! The training loop: epochs of steps, each evaluated, until something ends it.

mod evaluation;
mod steps;

use burgeon_kernel::Executor;
use burgeon_pixels::Augmenter;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Bytes, Device, Tensor};

use super::evaluate::Evaluation;
use super::optimizer::optimizer;
use super::profile::{Part, Profiler, Profiling};
use super::resident::Resident;
use super::setup::{TrainError, TrainingSetup, check_images};
use super::state::TrainState;
use super::{Flow, Phase, Watch};
use crate::model::{Network, OptimizerRecord, Weights};
use crate::record::{Ending, Probe, SoFar, StepProgress};

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
    /// On a GPU.
    resident: Option<Resident>,
    /// The weights and the optimizer's bytes, if they were read from a GPU since the last step.
    fresh: Option<(Weights, Vec<u8>)>,
    pending: Vec<Pending>,
    images_in_process: u64,
    seconds_in_process: f64,
    profiler: Option<Profiler>,
}

/// A step whose loss the host has not read yet.
struct Pending {
    /// Loss and correct predictions; `None` if the epoch's notes have them.
    outcome: Option<(Tensor<1>, Tensor<1>)>,
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
    /// Seconds of evaluating the validation images.
    seconds: f64,
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
        let mut network = Network::new(setup.spec, &state.weights, &device)?;
        let augmenter = Augmenter::new((&setup.spec.train().augment).into());
        let resident = Resident::new(setup, &state, &augmenter)?;
        if let Some(adam) = resident.as_ref().and_then(|resident| resident.adam.as_ref()) {
            network = adam.adopt(network);
        }
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
            augmenter,
            resident,
            fresh: None,
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
            let end = match self.epoch(watch)? {
                EpochEnd::Stopped => return Ok((Ending::Stopped, None)),
                EpochEnd::Diverged(what) => return Ok((Ending::Diverged, Some(what))),
                // Part of an epoch is nothing for a fold, but another trial may continue from it.
                EpochEnd::OutOfTime if self.plan.is_some() => {
                    self.save(watch)?;
                    return Ok((Ending::OutOfTime, None));
                }
                end => end,
            };
            let evaluated = self.evaluate_epoch(&end, watch)?;
            let given_up = if let EpochEnd::GivenUp(why) = end { Some(why) } else { None };
            let evaluation = match evaluated {
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

    fn so_far<'s>(&'s self, course: &'s [f64], steps: usize) -> SoFar<'s> {
        let sums = &self.state.sums;
        SoFar {
            curve: &self.state.curve,
            course,
            accuracy: sums.correct as f64 / sums.images.max(1) as f64,
            steps: self.state.position.epoch * steps + self.state.position.step,
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
        (self.state.weights, self.state.optimizer) = match self.fresh.take() {
            Some(fresh) => fresh,
            None => self.read_state()?,
        };
        Ok(())
    }

    /// The weights of the network, and the optimizer's state as bytes.
    fn read_state(&self) -> Result<(Weights, Vec<u8>), TrainError> {
        let spec = self.setup.spec;
        if let Some(adam) = self.resident.as_ref().and_then(|resident| resident.adam.as_ref()) {
            return adam.read(&self.network, spec);
        }
        let weights = self.network.weights(spec)?;
        let record = self.optimizer.into_bytes();
        let bytes = record.map_err(|error| TrainError::Optimizer(error.to_string()))?;
        Ok((weights, bytes.to_vec()))
    }

    /// The weights of the network. On a GPU they are read with the optimizer's state, which a checkpoint needs next.
    fn current_weights(&mut self) -> Result<Weights, TrainError> {
        if self.resident.is_none() {
            return Ok(self.network.weights(self.setup.spec)?);
        }
        let fresh = match self.fresh.take() {
            Some(fresh) => fresh,
            None => self.read_state()?,
        };
        Ok(self.fresh.insert(fresh).0.clone())
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
