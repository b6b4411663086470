//! What inheritance is worth: the same growth with inherited weights and without.
//!
//! `cargo run --release --example inheritance -- SEEDS` grows a small network by fixed edits, one
//! a trial: four that deepen and widen it, each for an epoch, and then twice as many epochs each
//! time. All runs make the same edits, and a trial has the same rate schedule in all:
//!
//! - grafted: a trial begins with what its parent learned, and more epochs go on where it left off;
//! - refreshed: so too, but a grafted network is shrunk and perturbed before it trains
//!   ([`TrainState::refreshed`]);
//! - fresh: every trial begins anew and trains all its epochs.
//!
//! Counted are images and seconds over all trials until 97, 98 and 99 % of the validation images
//! are named right, and, to tell what growing costs somebody who knows the last network beforehand,
//! the images of the trial that gets there alone.

use std::path::PathBuf;
use std::time::Instant;

use burgeon::data::{Dataset, Subset};
use burgeon::kernel::Executor;
use burgeon::model::{DeviceChoice, OpenDevice, Weights};
use burgeon::spec::{
    Conv, Edit, InputShape, Layer, Pool, Schedule, Spec, StudyDocument, StudyFile,
};
use burgeon::study::{Launch, Silent};
use burgeon::train::{
    EpochRecord, Flow, Profiling, StepProgress, TrainState, TrainingSetup, Watch, WatchError, train,
};

type Failure = Box<dyn std::error::Error>;

const TARGETS: [f64; 3] = [0.97, 0.98, 0.99];
/// Images between two looks at the validation images.
const SLICE: usize = 11_000;
/// Slices that an epoch of the 55,000 training images has.
const SLICES_AN_EPOCH: usize = 5;
/// Slices after which a run is given up: forty epochs.
const SLICES_MOST: usize = 40 * SLICES_AN_EPOCH;

/// In all arms.
const LABEL_SMOOTHING: f64 = 0.1;

#[derive(Clone, Copy, PartialEq)]
enum Start {
    Grafted,
    Refreshed,
    Fresh,
}

const STARTS: [Start; 3] = [Start::Grafted, Start::Refreshed, Start::Fresh];

/// What it took to reach a target.
#[derive(Clone, Copy)]
struct Cost {
    /// Images over all trials.
    images: usize,
    /// Images of the trial that got there.
    of_trial: usize,
    /// Seconds of training over all trials.
    seconds: f64,
}

/// The cost of each target; `None` where it was not reached.
type Reached = [Option<Cost>; 3];

fn main() -> Result<(), Failure> {
    let seeds = std::env::args().nth(1).map_or(Ok(10), |seeds| seeds.parse::<u64>())?;
    let launch =
        Launch { data: std::env::var_os("BURGEON_DATA").map(PathBuf::from), ..Launch::default() };
    let study = StudyDocument::new("inheritance", seedling(0)?.file().to_toml());
    let (_, loaded) = launch.prepare(&study, &mut Silent)?;
    Executor::configure_global(None)?;
    let device = DeviceChoice::Cpu.open()?;
    let mut results = STARTS.map(|_| Vec::new());
    for seed in 1..=seeds {
        for (at, start) in STARTS.into_iter().enumerate() {
            let reached = grow(start, seed, &loaded.dataset, &device)?;
            println!("seed {seed:>2} {:<9} {}", name(start), words(&reached));
            results[at].push(reached);
        }
    }
    println!();
    for (target, percent) in TARGETS.iter().enumerate() {
        for (at, start) in STARTS.into_iter().enumerate() {
            summarize(percent * 100.0, name(start), results[at].iter().map(|run| run[target]));
        }
    }
    Ok(())
}

fn name(start: Start) -> &'static str {
    match start {
        Start::Grafted => "grafted",
        Start::Refreshed => "refreshed",
        Start::Fresh => "fresh",
    }
}

fn seedling(seed: u64) -> Result<Spec, Failure> {
    let layers = vec![
        Layer::Conv(Conv::same(4, 5)),
        Layer::MaxPool(Pool::of(2)),
        Layer::Conv(Conv::same(8, 5)),
        Layer::MaxPool(Pool::of(2)),
    ];
    let mut file = StudyFile::new("inheritance", layers);
    file.train.seed = seed;
    file.train.epochs = SLICES_AN_EPOCH;
    file.train.learning_rate = 0.004;
    // A network that is sure of nearly every image sends too little gradient back to what is new.
    file.train.label_smoothing = LABEL_SMOOTHING;
    file.train.schedule = Schedule::Cosine { floor: 0.0 };
    Ok(Spec::new(file, InputShape::MNIST)?)
}

/// The edits that make trial 2 and those after it of the trial before.
fn edits() -> impl Iterator<Item = Edit> {
    let grow = [
        Edit::AddConvBlock { at: 4, filters: 32, kernel: 3, pool: false },
        Edit::Widen { layer: 0, width: 12 },
        Edit::Widen { layer: 2, width: 24 },
        Edit::AddDense { at: 5, units: 64 },
    ];
    let longer = (1..).map(|times| Edit::SetEpochs { epochs: (1 << times) * SLICES_AN_EPOCH });
    grow.into_iter().chain(longer)
}

fn grow(start: Start, seed: u64, data: &Dataset, device: &OpenDevice) -> Result<Reached, Failure> {
    let mut race = Race { data, device, seed, slices: 0, seconds: 0.0, reached: [None; 3] };
    let spec = seedling(seed)?;
    let state = TrainState::start(Weights::initial(&spec, 1));
    let mut state = race.train(&spec, state, 1)?;
    let mut parent = spec;
    for (trial, edit) in (2..).zip(edits()) {
        if race.slices >= SLICES_MOST || race.reached[2].is_some() {
            break;
        }
        let child = edit.apply(&parent)?;
        let begin = match (start, &edit) {
            (Start::Fresh, _) => TrainState::start(Weights::initial(&child, trial)),
            (_, Edit::SetEpochs { .. }) => state,
            (Start::Grafted, _) => state.grafted(&parent, &child, &[edit], trial)?.0,
            (Start::Refreshed, _) => {
                let (state, mut report) = state.grafted(&parent, &child, &[edit], trial)?;
                state.refreshed(&child, trial, &mut report)?
            }
        };
        state = race.train(&child, begin, trial)?;
        parent = child;
    }
    Ok(race.reached)
}

struct Race<'a> {
    data: &'a Dataset,
    device: &'a OpenDevice,
    seed: u64,
    slices: usize,
    seconds: f64,
    reached: Reached,
}

impl Race<'_> {
    /// Trains to the end of a trial, a slice at a time: what the study calls an epoch is a slice
    /// here, so that the schedule runs over them.
    fn train(&mut self, spec: &Spec, state: TrainState, trial: u32) -> Result<TrainState, Failure> {
        let mut state = state;
        let first = self.slices;
        while state.position.epoch < spec.train().epochs && self.slices < SLICES_MOST {
            let slices = self.data.train.len() / SLICE;
            let from = (self.slices + self.seed as usize) % slices * SLICE;
            let indices = self.data.train.indices()[from..from + SLICE].to_vec();
            let data = Dataset { train: self.subset(indices), ..self.data.clone() };
            let setup = TrainingSetup {
                spec,
                data: &data,
                device: self.device,
                trial,
                profiling: Profiling::Off,
            };
            let began = Instant::now();
            state = train(setup, TrainState { best: None, ..state }, &mut OneEpoch)?.state;
            self.seconds += began.elapsed().as_secs_f64();
            self.slices += 1;
            let accuracy = state.curve.last().map_or(0.0, |last| last.validation_accuracy);
            let cost = Cost {
                images: self.slices * SLICE,
                of_trial: (self.slices - first) * SLICE,
                seconds: self.seconds,
            };
            for (reached, target) in self.reached.iter_mut().zip(TARGETS) {
                if accuracy >= target && reached.is_none() {
                    *reached = Some(cost);
                }
            }
            if self.reached[2].is_some() {
                break;
            }
        }
        Ok(state)
    }

    fn subset(&self, indices: Vec<u32>) -> Subset {
        self.data.train.with_indices(indices)
    }
}

fn words(reached: &Reached) -> String {
    let each = reached.iter().zip(TARGETS).map(|(reached, target)| match reached {
        Some(Cost { images, seconds, .. }) => {
            format!("{:.0} %: {images:>7} images, {seconds:>5.1} s", target * 100.0)
        }
        None => format!("{:.0} %: not reached", target * 100.0),
    });
    each.collect::<Vec<_>>().join("   ")
}

fn summarize(percent: f64, name: &str, runs: impl Iterator<Item = Option<Cost>>) {
    let runs: Vec<Option<Cost>> = runs.collect();
    let spread = |of: fn(&Cost) -> f64| spread(runs.iter().flatten().map(of));
    let images = spread(|cost| cost.images as f64);
    let of_trial = spread(|cost| cost.of_trial as f64);
    let seconds = spread(|cost| cost.seconds);
    println!(
        "{percent:.0} % {name:<9} {} of {} runs: {:.0} ± {:.0} images, {:.1} ± {:.1} s; \
         {:.0} ± {:.0} images in the last trial",
        runs.iter().flatten().count(),
        runs.len(),
        images.0,
        images.1,
        seconds.0,
        seconds.1,
        of_trial.0,
        of_trial.1,
    );
}

/// Mean and standard deviation.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

/// Leaves off after an epoch.
struct OneEpoch;

impl Watch for OneEpoch {
    fn step(&mut self, _: &StepProgress) -> Flow {
        Flow::Continue
    }
    fn epoch(&mut self, _: &EpochRecord) -> Result<Flow, WatchError> {
        Ok(Flow::Stop)
    }
    fn wants_checkpoint(&mut self, _: &StepProgress) -> bool {
        false
    }
    fn checkpoint(&mut self, _: &TrainState) -> Result<(), WatchError> {
        Ok(())
    }
}
