//! What a training step, a batch, an epoch's data and an event cost.
//!
//! `cargo bench`, or `cargo bench -- step` for one of them. Runs on the built-in digits, so that
//! it needs nothing but the repository.

use std::hint::black_box;
use std::sync::Arc;

use burgeon::model::{DeviceChoice, Weights};
use burgeon::record::{EpochRecord, StepProgress};
use burgeon::train::{
    Flow, Profiling, TrainState, TrainingSetup, Watch, WatchError, evaluate, train,
};
use burgeon::unstable::data::{Batch, Batches, EpochKey, LastBatch};
use burgeon::unstable::ledger::{Event, Ledger};
use burgeon::unstable::sys::clock::RealClock;
use burgeon::unstable::sys::fence::Fence;
use burgeon::unstable::sys::files::RealFiles;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

mod support;

use support::{digits, lenet, one_image};

struct Silent;

impl Watch for Silent {
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

fn steps(c: &mut Criterion) {
    let device = DeviceChoice::Cpu.open().unwrap_or_else(|error| panic!("{error}"));
    let mut data = digits(64 * 64);
    // An epoch without its evaluation is what a step costs.
    data.validation = one_image(&data);
    let mut group = c.benchmark_group("step");
    group.sample_size(10);
    for batch_size in [64, 256] {
        let spec = lenet(batch_size);
        group.throughput(Throughput::Elements(data.train.len() as u64));
        group.bench_function(format!("lenet-5, batch {batch_size}"), |b| {
            b.iter(|| {
                let setup = TrainingSetup {
                    spec: &spec,
                    data: &data,
                    device: &device,
                    trial: 1,
                    profiling: Profiling::Off,
                };
                let state = TrainState::start(Weights::initial(&spec, 1));
                black_box(train(setup, state, &mut Silent).map(|trained| trained.ending).ok())
            });
        });
    }
    group.finish();
}

fn evaluation(c: &mut Criterion) {
    let device = DeviceChoice::Cpu.open().unwrap_or_else(|error| panic!("{error}"));
    let data = digits(1000);
    let spec = lenet(64);
    let network = burgeon::model::Network::new(&spec, &Weights::initial(&spec, 1), &device.device)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut group = c.benchmark_group("evaluate");
    group.throughput(Throughput::Elements(data.test.len() as u64));
    group.bench_function("lenet-5", |b| {
        b.iter(|| {
            black_box(evaluate(&network, &data.test, data.normalization, 10, &device.device))
        });
    });
    group.finish();
}

fn batches(c: &mut Criterion) {
    let data = digits(10_000);
    let key = EpochKey { study: 42, trial: 1, epoch: 0 };
    let mut group = c.benchmark_group("data");
    group.throughput(Throughput::Elements(data.train.len() as u64));
    group.bench_function("an epoch's batches of 64", |b| {
        let mut batch = Batch::default();
        b.iter(|| {
            let mut batches =
                Batches::shuffled(&data.train, data.normalization, 64, LastBatch::Keep, key);
            while batches.fill_next(&mut batch) {
                black_box(&batch.pixels);
            }
        });
    });
    group.throughput(Throughput::Elements(64));
    group.bench_function("a batch of 64", |b| {
        let mut batch = Batch::default();
        let batches = Batches::shuffled(&data.train, data.normalization, 64, LastBatch::Keep, key);
        b.iter(|| batches.fill(black_box(3), &mut batch));
    });
    group.finish();
}

fn ledger(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("events.jsonl");
    let clock = Arc::new(RealClock::default());
    let mut ledger = Ledger::open(&RealFiles, &path, Fence::none(), clock)
        .unwrap_or_else(|error| panic!("{error}"));
    c.bench_function("ledger/append and fsync", |b| {
        b.iter(|| {
            let event = Event::DataFallback { reason: "a bench".into() };
            ledger.append(event).unwrap_or_else(|error| panic!("{error}"));
        });
    });
}

criterion_group!(benches, steps, evaluation, batches, ledger);
criterion_main!(benches);
