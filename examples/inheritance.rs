//! Measures the benefit of inherited weights: the same growth with and without them.
//!
//! `cargo run --profile quick --example inheritance -- SEEDS GROWTH` grows a small network by fixed edits,
//! one a trial, until 99 % of the validation images are classified correctly. Without `GROWTH` it grows it in
//! each of three ways:
//!
//! - `large`: four edits that at least triple a layer or add a large one, with an epoch each;
//! - `small`: eight edits that double a layer or add one of similar size, with an epoch each;
//! - `longer`: the same edits, and after each of them one more epoch, as people do by hand.
//!
//! All runs of a growth make the same edits, with the same epochs and learning-rate schedule in each trial:
//!
//! - grafted: a trial starts from its parent's weights, and additional epochs continue its training;
//! - refreshed: the same, but grafted weights are shrunk and perturbed before training
//!   ([`TrainState::refreshed`]);
//! - fresh: every trial starts from fresh weights and trains all its epochs.
//!
//! It counts images and seconds over all trials until 97, 98 and 99 % are reached; and also the images of
//! only the last trial, for comparison with training the final network alone.

use std::path::PathBuf;
use std::time::Instant;

use burgeon::data::{Dataset, Subset};
use burgeon::model::{DeviceChoice, OpenDevice, Weights};
use burgeon::record::{EpochRecord, StepProgress};
use burgeon::spec::{
    Conv, Edit, InputShape, Layer, Pool, Schedule, Spec, StudyDocument, StudyFile,
};
use burgeon::unstable::study::{Settings, Silent};
use burgeon::unstable::train::{
    Flow, Profiling, TrainState, TrainingSetup, Watch, WatchError, Workers, train,
};

type Failure = Box<dyn std::error::Error>;

const TARGETS: [f64; 3] = [0.97, 0.98, 0.99];
/// Number of training images between two evaluations.
const SLICE: usize = 11_000;
/// Number of slices in an epoch of 55,000 training images.
const SLICES_AN_EPOCH: usize = 5;
/// Number of slices after which a run is given up: forty epochs.
const SLICES_MOST: usize = 40 * SLICES_AN_EPOCH;

/// More trials than fit into those slices.
const TRIALS_MOST: usize = 40;

/// Label smoothing of all runs.
const LABEL_SMOOTHING: f64 = 0.1;

#[derive(Clone, Copy, PartialEq)]
enum Start {
    Grafted,
    Refreshed,
    Fresh,
}

const STARTS: [Start; 3] = [Start::Grafted, Start::Refreshed, Start::Fresh];

/// The edits of trial 2 and later ones, each applied to the trial before.
struct Growth {
    name: &'static str,
    edits: Vec<Edit>,
}

/// The cost of reaching a target.
#[derive(Clone, Copy)]
struct Cost {
    /// Images over all trials.
    images: usize,
    /// Images of only the trial that reached it.
    of_trial: usize,
    /// Seconds of training over all trials.
    seconds: f64,
}

/// The cost of each target; `None` if it was not reached.
type Reached = [Option<Cost>; 3];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().map_or(Ok(10), |seeds| seeds.parse::<u64>())?;
    let growths = growths(arguments.next().as_deref())?;
    let launch = Settings {
        data: std::env::var_os("BURGEON_DATA").map(PathBuf::from),
        ..Settings::default()
    };
    let study = StudyDocument::new("inheritance", seedling(0)?.file().to_toml());
    let (_, loaded) = launch.prepare(&study, &mut Silent)?;
    let workers = Workers::new(None)?;
    let _entered = workers.enter();
    let device = DeviceChoice::Cpu.open()?;
    for growth in growths {
        let mut results = STARTS.map(|_| Vec::new());
        for seed in 1..=seeds {
            for (at, start) in STARTS.into_iter().enumerate() {
                let reached = grow(&growth, start, seed, &loaded.dataset, &device)?;
                println!(
                    "{:<6} seed {seed:>2} {:<9} {}",
                    growth.name,
                    name(start),
                    words(&reached)
                );
                results[at].push(reached);
            }
        }
        println!();
        for (target, percent) in TARGETS.iter().enumerate() {
            for (at, start) in STARTS.into_iter().enumerate() {
                let runs = results[at].iter().map(|run| run[target]);
                let what =
                    format!("{:<6} {:.0} % {:<9}", growth.name, percent * 100.0, name(start));
                summarize(&what, runs);
            }
        }
        println!();
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
    // Without label smoothing, a network that is confident about nearly every image gives new layers and
    // units too small gradients.
    file.train.label_smoothing = LABEL_SMOOTHING;
    file.train.schedule = Schedule::Cosine { floor: 0.0 };
    Ok(Spec::new(file, InputShape::MNIST)?)
}

/// The growth of this name, or all.
fn growths(wanted: Option<&str>) -> Result<Vec<Growth>, Failure> {
    let widen = |layer, width| Edit::Widen { layer, width };
    let conv = |filters| Edit::AddConvBlock { at: 4, filters, kernel: 3, pool: false };
    let dense = |units| Edit::AddDense { at: 5, units };
    let epochs = |epochs| Edit::SetEpochs { epochs: epochs * SLICES_AN_EPOCH };
    let doubled = || (1..).map(|times| epochs(1 << times)).take(TRIALS_MOST);
    let large = [conv(32), widen(0, 12), widen(2, 24), dense(64)];
    let small = [
        widen(0, 8),
        widen(2, 16),
        conv(16),
        widen(0, 16),
        widen(2, 32),
        widen(4, 32),
        dense(32),
        widen(5, 64),
    ];
    let in_turn = small.iter().cloned().zip(2..).flat_map(|(edit, more)| [edit, epochs(more)]);
    let longer = in_turn.chain((small.len() + 2..).map(epochs)).take(TRIALS_MOST).collect();
    let growths = vec![
        Growth { name: "large", edits: large.into_iter().chain(doubled()).collect() },
        Growth { name: "small", edits: small.into_iter().chain(doubled()).collect() },
        Growth { name: "longer", edits: longer },
    ];
    let names: Vec<&str> = growths.iter().map(|growth| growth.name).collect();
    match wanted {
        Some(name) if !names.contains(&name) => {
            Err(format!("no growth is named {name}; use one of {}", names.join(", ")).into())
        }
        _ => {
            let is_wanted = |growth: &Growth| wanted.is_none_or(|name| growth.name == name);
            Ok(growths.into_iter().filter(is_wanted).collect())
        }
    }
}

fn grow(
    growth: &Growth,
    start: Start,
    seed: u64,
    data: &Dataset,
    device: &OpenDevice,
) -> Result<Reached, Failure> {
    let mut race = Race { data, device, seed, slices: 0, seconds: 0.0, reached: [None; 3] };
    let spec = seedling(seed)?;
    let state = TrainState::start(Weights::initial(&spec, 1));
    let mut state = race.train(&spec, state, 1)?;
    let mut parent = spec;
    for (trial, edit) in (2..).zip(&growth.edits) {
        if race.slices >= SLICES_MOST || race.reached[2].is_some() {
            break;
        }
        let child = edit.apply(&parent)?;
        let edits = std::slice::from_ref(edit);
        let begin = match (start, edit) {
            (Start::Fresh, _) => TrainState::start(Weights::initial(&child, trial)),
            (_, Edit::SetEpochs { .. }) => state,
            (Start::Grafted, _) => state.grafted(&parent, &child, edits, trial)?.0,
            (Start::Refreshed, _) => {
                let (state, mut report) = state.grafted(&parent, &child, edits, trial)?;
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
    /// Trains a trial to its end, a slice at a time. The study's epochs are slices here, so that its schedule
    /// extends over them.
    fn train(&mut self, spec: &Spec, state: TrainState, trial: u32) -> Result<TrainState, Failure> {
        let mut state = state;
        let first = self.slices;
        while state.position.epoch < spec.train().epochs && self.slices < SLICES_MOST {
            let slices = self.data.train.len() / SLICE;
            let from = (self.slices + self.seed as usize) % slices * SLICE;
            let indices = self.data.train.indices()[from..from + SLICE].to_vec();
            let data = self.data.clone().trained_on(self.subset(indices));
            let data = data.unwrap_or_else(|error| panic!("{error}"));
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
        self.data.train.with_indices(indices).unwrap_or_else(|error| panic!("{error}"))
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

fn summarize(what: &str, runs: impl Iterator<Item = Option<Cost>>) {
    let runs: Vec<Option<Cost>> = runs.collect();
    let spread = |of: fn(&Cost) -> f64| spread(runs.iter().flatten().map(of));
    let images = spread(|cost| cost.images as f64);
    let of_trial = spread(|cost| cost.of_trial as f64);
    let seconds = spread(|cost| cost.seconds);
    println!(
        "{what} {} of {} runs: {:.0} ± {:.0} images, {:.1} ± {:.1} s; {:.0} ± {:.0} images in the \
         last trial",
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

/// Stops after an epoch.
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
