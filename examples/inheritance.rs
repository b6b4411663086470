//! What inheritance is worth: the same growth with grafted weights and from fresh ones.
//!
//! `cargo run --release --example inheritance -- SEEDS` grows a small network by fixed steps, a
//! step every 27,500 images, and trains the last network until it names 99 % of the validation
//! images right, or for as many images as eight epochs have. It counts images and seconds until
//! 97, 98 and 99 % are reached, over all networks together.

use std::path::PathBuf;
use std::time::Instant;

use burgeon::data::{Dataset, Subset};
use burgeon::kernel::Executor;
use burgeon::model::{DeviceChoice, OpenDevice, Weights};
use burgeon::spec::{Conv, Edit, InputShape, Layer, Pool, Spec, StudyDocument, StudyFile};
use burgeon::study::{Launch, Silent};
use burgeon::train::{
    EpochRecord, Flow, Profiling, StepProgress, TrainState, TrainingSetup, Watch, WatchError, train,
};

type Failure = Box<dyn std::error::Error>;

const TARGETS: [f64; 3] = [0.97, 0.98, 0.99];
/// Images between two looks at the validation images.
const SLICE: usize = 5500;
/// Slices that each network but the last trains on.
const SLICES_A_STAGE: usize = 5;
const SLICES_MOST: usize = 80;

#[derive(Clone, Copy, PartialEq)]
enum Start {
    Grafted,
    Fresh,
}

/// Images and seconds until each target; `None` where it was not reached.
type Reached = [Option<(usize, f64)>; 3];

fn main() -> Result<(), Failure> {
    let seeds = std::env::args().nth(1).map_or(Ok(10), |seeds| seeds.parse::<u64>())?;
    let launch =
        Launch { data: std::env::var_os("BURGEON_DATA").map(PathBuf::from), ..Launch::default() };
    let study = StudyDocument::new("inheritance", seedling(0)?.file().to_toml());
    let (_, loaded) = launch.prepare(&study, &mut Silent)?;
    Executor::configure_global(None)?;
    let device = DeviceChoice::Cpu.open()?;
    let mut results = [Vec::new(), Vec::new()];
    for seed in 1..=seeds {
        for (at, start) in [Start::Grafted, Start::Fresh].into_iter().enumerate() {
            let reached = grow(start, seed, &loaded.dataset, &device)?;
            println!("seed {seed:>2} {:<8} {}", name(start), words(&reached));
            results[at].push(reached);
        }
    }
    println!();
    for (target, percent) in TARGETS.iter().enumerate() {
        for (at, start) in [Start::Grafted, Start::Fresh].into_iter().enumerate() {
            summarize(percent * 100.0, name(start), results[at].iter().map(|run| run[target]));
        }
    }
    Ok(())
}

fn name(start: Start) -> &'static str {
    match start {
        Start::Grafted => "grafted",
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
    file.train.epochs = 1;
    Ok(Spec::new(file, InputShape::MNIST)?)
}

fn steps() -> [Edit; 4] {
    [
        Edit::Widen { layer: 0, width: 12 },
        Edit::Widen { layer: 2, width: 24 },
        Edit::AddConvBlock { at: 4, filters: 32, kernel: 3, pool: false },
        Edit::AddDense { at: 5, units: 64 },
    ]
}

fn grow(start: Start, seed: u64, data: &Dataset, device: &OpenDevice) -> Result<Reached, Failure> {
    let mut spec = seedling(seed)?;
    let mut state = TrainState::start(Weights::initial(&spec, 1));
    let mut race = Race { data, device, seed, slices: 0, seconds: 0.0, reached: [None; 3] };
    for (trial, step) in (2..).zip(steps()) {
        for _ in 0..SLICES_A_STAGE {
            state = race.train(&spec, state, trial)?;
        }
        let child = step.apply(&spec)?;
        state = match start {
            Start::Grafted => state.grafted(&spec, &child, std::slice::from_ref(&step), trial)?.0,
            Start::Fresh => TrainState::start(Weights::initial(&child, trial)),
        };
        spec = child;
    }
    while race.slices < SLICES_MOST && race.reached[2].is_none() {
        state = race.train(&spec, state, 6)?;
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
    /// Trains on the next slice of the training images, and notes what was reached.
    fn train(&mut self, spec: &Spec, state: TrainState, trial: u32) -> Result<TrainState, Failure> {
        let slices = self.data.train.len() / SLICE;
        let first = (self.slices + self.seed as usize) % slices * SLICE;
        let indices = self.data.train.indices()[first..first + SLICE].to_vec();
        let data = Dataset { train: self.subset(indices), ..self.data.clone() };
        let mut file = spec.file().clone();
        file.train.epochs = state.position.epoch + 1;
        let longer = Spec::new(file, spec.input())?;
        let setup = TrainingSetup {
            spec: &longer,
            data: &data,
            device: self.device,
            trial,
            profiling: Profiling::Off,
        };
        let began = Instant::now();
        let trained = train(setup, TrainState { best: None, ..state }, &mut Unwatched)?;
        self.seconds += began.elapsed().as_secs_f64();
        self.slices += 1;
        let accuracy = trained.state.curve.last().map_or(0.0, |last| last.validation_accuracy);
        for (reached, target) in self.reached.iter_mut().zip(TARGETS) {
            if accuracy >= target && reached.is_none() {
                *reached = Some((self.slices * SLICE, self.seconds));
            }
        }
        Ok(trained.state)
    }

    fn subset(&self, indices: Vec<u32>) -> Subset {
        self.data.train.with_indices(indices)
    }
}

fn words(reached: &Reached) -> String {
    let each = reached.iter().zip(TARGETS).map(|(reached, target)| match reached {
        Some((images, seconds)) => {
            format!("{:.0} %: {images:>6} images, {seconds:>5.1} s", target * 100.0)
        }
        None => format!("{:.0} %: not reached", target * 100.0),
    });
    each.collect::<Vec<_>>().join("   ")
}

fn summarize(percent: f64, name: &str, runs: impl Iterator<Item = Option<(usize, f64)>>) {
    let runs: Vec<Option<(usize, f64)>> = runs.collect();
    let images = spread(runs.iter().flatten().map(|run| run.0 as f64));
    let seconds = spread(runs.iter().flatten().map(|run| run.1));
    println!(
        "{percent:.0} % {name:<8} {} of {} runs: {:.0} ± {:.0} images, {:.1} ± {:.1} s",
        runs.iter().flatten().count(),
        runs.len(),
        images.0,
        images.1,
        seconds.0,
        seconds.1
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

struct Unwatched;

impl Watch for Unwatched {
    fn step(&mut self, _: &StepProgress) -> Flow {
        Flow::Continue
    }
    fn epoch(&mut self, _: &EpochRecord) -> Result<Flow, WatchError> {
        Ok(Flow::Continue)
    }
    fn wants_checkpoint(&mut self, _: &StepProgress) -> bool {
        false
    }
    fn checkpoint(&mut self, _: &TrainState) -> Result<(), WatchError> {
        Ok(())
    }
}
