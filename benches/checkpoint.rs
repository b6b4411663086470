//! What saving the state costs a training.
//!
//! `cargo bench --bench checkpoint` ends with the share of an epoch that one checkpoint takes: its
//! snapshot, handing it over, and what its writing beside the training takes from the cores. An
//! epoch with many checkpoints is run in turn with one that has none, so that the difference is
//! well above the noise.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burgeon::data::Dataset;
use burgeon::model::{DeviceChoice, OpenDevice, Weights};
use burgeon::record::{EpochRecord, StepProgress};
use burgeon::spec::Spec;
use burgeon::train::{Flow, Profiling, TrainState, TrainingSetup, Watch, WatchError, train};
use burgeon::unstable::checkpoint::{BackgroundWriter, CheckpointStore, Owner, to_parts};
use burgeon::unstable::sys::fence::Fence;
use burgeon::unstable::sys::files::RealFiles;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

mod support;

use support::{digits, lenet, one_image};

const STEPS_BETWEEN: usize = 39;
const PAIRS: usize = 15;

/// Saves every so many steps, as a study does.
struct Saving {
    writer: BackgroundWriter,
    every: Option<usize>,
    saved: usize,
}

impl Watch for Saving {
    fn step(&mut self, _: &StepProgress) -> Flow {
        Flow::Continue
    }
    fn epoch(&mut self, _: &EpochRecord) -> Result<Flow, WatchError> {
        Ok(Flow::Continue)
    }
    fn wants_checkpoint(&mut self, progress: &StepProgress) -> bool {
        self.every.is_some_and(|every| progress.step.is_multiple_of(every))
    }
    fn checkpoint(&mut self, state: &TrainState) -> Result<(), WatchError> {
        let (meta, parts) = to_parts(state, &owner())?;
        self.writer.submit(meta, parts)?;
        self.saved += 1;
        Ok(())
    }
}

fn owner() -> Owner {
    Owner { trial: 1, spec_hash: "study".into(), data_hash: "data".into() }
}

fn writer(folder: &tempfile::TempDir, name: &str) -> BackgroundWriter {
    let folder = folder.path().join(name);
    CheckpointStore::open(Arc::new(RealFiles), folder, Fence::none())
        .and_then(BackgroundWriter::new)
        .unwrap_or_else(|error| panic!("{error}"))
}

struct Epoch {
    spec: Spec,
    data: Dataset,
    device: OpenDevice,
}

impl Epoch {
    fn new() -> Self {
        let mut data = digits(60_000);
        data.validation = one_image(&data);
        let device = DeviceChoice::Cpu.open().unwrap_or_else(|error| panic!("{error}"));
        Self { spec: lenet(64), data, device }
    }

    /// Trains one epoch; its duration, the state it ends with, and how often it was saved.
    fn run(&self, every: Option<usize>) -> (Duration, TrainState, usize) {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let mut watch = Saving { writer: writer(&folder, "checkpoints"), every, saved: 0 };
        let setup = TrainingSetup {
            spec: &self.spec,
            data: &self.data,
            device: &self.device,
            trial: 1,
            profiling: Profiling::Off,
        };
        let state = TrainState::start(Weights::initial(&self.spec, 1));
        let began = Instant::now();
        let trained = train(setup, state, &mut watch).unwrap_or_else(|error| panic!("{error}"));
        let passed = began.elapsed();
        (passed, trained.state, watch.saved)
    }
}

fn checkpoint(c: &mut Criterion) {
    let epoch = Epoch::new();
    let (_, state, _) = epoch.run(None);
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));

    let mut group = c.benchmark_group("checkpoint of LeNet-5");
    group.bench_function("take apart", |b| b.iter(|| black_box(to_parts(&state, &owner()).ok())));
    let mut handed = writer(&folder, "handed-over");
    group.bench_function("hand over", |b| {
        let prepare = |writer: &mut BackgroundWriter| {
            writer.flush().unwrap_or_else(|error| panic!("{error}"));
            to_parts(&state, &owner()).unwrap_or_else(|error| panic!("{error}"))
        };
        b.iter_custom(|count| {
            (0..count)
                .map(|_| {
                    let (meta, parts) = prepare(&mut handed);
                    let began = Instant::now();
                    handed.submit(meta, parts).unwrap_or_else(|error| panic!("{error}"));
                    began.elapsed()
                })
                .sum()
        });
    });
    let mut store =
        CheckpointStore::open(Arc::new(RealFiles), folder.path().join("written"), Fence::none())
            .unwrap_or_else(|error| panic!("{error}"));
    group.bench_function("write and fsync, beside the training", |b| {
        b.iter_batched(
            || to_parts(&state, &owner()).unwrap_or_else(|error| panic!("{error}")),
            |(meta, parts)| {
                let views: Vec<_> = parts.iter().map(|(name, bytes)| (&**name, &**bytes)).collect();
                store.write(meta, &views).unwrap_or_else(|error| panic!("{error}"))
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    share_of_an_epoch(&epoch);
}

fn share_of_an_epoch(epoch: &Epoch) {
    let mut shares = Vec::with_capacity(PAIRS);
    let mut epochs = Vec::with_capacity(PAIRS);
    for _ in 0..PAIRS {
        let (with, _, saved_with) = epoch.run(Some(STEPS_BETWEEN));
        let (without, _, saved_without) = epoch.run(None);
        // Both save at the epoch's end.
        let more = saved_with - saved_without;
        assert!(more > 1, "an epoch is longer than {STEPS_BETWEEN} steps");
        let one = (with.as_secs_f64() - without.as_secs_f64()) / more as f64;
        shares.push(100.0 * one / without.as_secs_f64());
        epochs.push(without.as_secs_f64());
    }
    println!(
        "one checkpoint takes {:.2} % of an epoch of LeNet-5 ({:.2} s), median of {PAIRS} pairs",
        median(&mut shares),
        median(&mut epochs)
    );
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

criterion_group!(benches, checkpoint);
criterion_main!(benches);
