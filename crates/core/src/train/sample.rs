//! How hard the data is: what the narrowest network of the plain family makes of it in a few hundred steps.

use std::time::Instant;

use super::evaluate::spread;
use super::fit::train;
use super::profile::Profiling;
use super::setup::{TrainError, TrainingSetup};
use super::state::TrainState;
use super::{Flow, Phase, Watch, WatchError};
use crate::data::Dataset;
use crate::model::Weights;
use crate::record::{Ending, EpochRecord, SampleTraining, StepProgress};
use crate::spec::pyramid::{NARROWEST, PEAK_RATE, batch, layers};
use crate::spec::{Optimizer, Schedule, Spec, StudyFile, training_flops};
use crate::sys::{Purpose, counter_seed, permutation};

/// Steps of the training, as the least of `tune::family`'s members.
const STEPS: usize = 300;
/// The most validation images that it is evaluated on.
const VALIDATION_IMAGES: usize = 2000;

/// Trains the network on the data of `setup`. `None` if the images are too small for it, it diverges, or `keep_going`
/// returns `false`.
///
/// # Errors
///
/// If the device fails.
pub(super) fn sample(
    setup: TrainingSetup,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Option<SampleTraining>, TrainError> {
    let begun = Instant::now();
    let available = setup.data.train.len();
    let batch_size = batch(available);
    // Of many images, some that are seen once; few are seen in several epochs.
    let images = available.min(STEPS * batch_size);
    let epochs = (STEPS * batch_size).div_ceil(images.max(1));
    let mut file = StudyFile::new("sample", layers(setup.spec.input(), NARROWEST, 0.0));
    file.gate = *setup.spec.gate();
    file.gate.folds = None;
    file.train.seed = setup.spec.train().seed;
    (file.train.epochs, file.train.batch_size) = (epochs, batch_size.min(images.max(1)));
    (file.train.learning_rate, file.train.schedule) = (PEAK_RATE, Schedule::one_cycle());
    file.train.optimizer = Optimizer::default();
    let Ok(spec) = Spec::new(file, setup.spec.input()) else { return Ok(None) };

    let train_split = &setup.data.train;
    let seed = counter_seed(spec.train().seed, u64::from(setup.trial), Purpose::Probe, 0, 1);
    let mut drawn = permutation(available, seed);
    drawn.truncate(images);
    // Sorted for sequential memory access; the epochs shuffle them.
    drawn.sort_unstable();
    let chosen: Vec<_> =
        drawn.into_iter().map(|position| train_split.indices()[position as usize]).collect();
    let data = Dataset {
        // Cannot fail: the indices come from this subset.
        train: train_split.with_indices(chosen).unwrap_or_else(|_| train_split.clone()),
        validation: spread(&setup.data.validation, VALIDATION_IMAGES),
        folds: None,
        ..setup.data.clone()
    };
    let setup = TrainingSetup { spec: &spec, data: &data, profiling: Profiling::Off, ..setup };
    let state = TrainState::start(Weights::initial(&spec, setup.trial));
    let trained = train(setup, state, &mut SampleWatch { keep_going, is_stopped: false })?;
    let best = EpochRecord::best_of(&trained.state.curve, spec.gate());
    let (Ending::Completed, Some(best)) = (trained.ending, best) else { return Ok(None) };
    Ok(Some(SampleTraining {
        flops: training_flops(&spec, images, epochs),
        steps: (epochs * images.div_ceil(spec.train().batch_size)) as u32,
        images: data.validation.len() as u64,
        score: best.score(spec.gate()),
        seconds: begun.elapsed().as_secs_f64(),
    }))
}

/// Asks whether to go on, and records nothing.
struct SampleWatch<'a> {
    keep_going: &'a mut dyn FnMut() -> bool,
    is_stopped: bool,
}

impl SampleWatch<'_> {
    fn flow(&mut self) -> Flow {
        self.is_stopped = self.is_stopped || !(self.keep_going)();
        if self.is_stopped { Flow::Stop } else { Flow::Continue }
    }
}

impl Watch for SampleWatch<'_> {
    fn step(&mut self, _progress: &StepProgress) -> Flow {
        self.flow()
    }

    fn working(&mut self, _phase: Phase) -> Flow {
        self.flow()
    }

    fn epoch(&mut self, _record: &EpochRecord) -> Result<Flow, WatchError> {
        Ok(self.flow())
    }

    fn wants_checkpoint(&mut self, _progress: &StepProgress) -> bool {
        false
    }

    fn checkpoint(&mut self, _state: &TrainState) -> Result<(), WatchError> {
        Ok(())
    }
}
