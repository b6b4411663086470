//! What data costs: loading, drawing, batches with and without distortion.

use std::hint::black_box;
use std::sync::Arc;

use burgeon::unstable::data::augment::{Augmentation, Augmenter, Elastic};
use burgeon::unstable::data::{
    Batch, Batches, EpochKey, Images, LastBatch, Split, Subset, synthetic,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const KEY: EpochKey = EpochKey { study: 1, trial: 1, epoch: 1 };
const BATCH_SIZE: usize = 64;

fn subset() -> Subset {
    let pixels: Arc<[u8]> =
        (0..6400 * 784).map(|i: usize| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    Subset::all(Images::new(pixels, [0; 6400], 28, 28).unwrap_or_else(|error| panic!("{error}")))
}

fn batches(criterion: &mut Criterion) {
    let elastic = Some(Elastic { alpha: 34.0, sigma: 4.0 });
    let affine =
        Augmentation { shift: 2, rotate_degrees: 10.0, scale: 0.1, ..Augmentation::default() };
    let settings = [
        ("plain", Augmentation::default()),
        ("shift", Augmentation { shift: 2, ..Augmentation::default() }),
        ("affine", affine),
        ("affine and elastic", Augmentation { elastic, ..affine }),
    ];
    let subset = subset();
    let normalization = subset.normalization();
    let mut group = criterion.benchmark_group("batch of 64");
    group.throughput(Throughput::Elements(BATCH_SIZE as u64));
    for (name, settings) in settings {
        let augmenter = Augmenter::new(settings);
        let batches = Batches::shuffled(&subset, normalization, BATCH_SIZE, LastBatch::Drop, KEY)
            .augmented(&augmenter, KEY);
        let (mut batch, mut step) = (Batch::default(), 0);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                batches.fill(step % batches.steps(), &mut batch);
                step += 1;
                black_box(&batch);
            });
        });
    }
}

fn drawing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("built-in digits");
    group.throughput(Throughput::Elements(2000)).sample_size(10);
    group.bench_function("2000", |bencher| {
        bencher.iter(|| synthetic::digits(Split::Train, 2000, 1, |_| {}))
    });
}

fn order(criterion: &mut Criterion) {
    criterion.bench_function("order of 60000", |bencher| bencher.iter(|| KEY.order(60_000)));
}

criterion_group!(benches, batches, drawing, order);
criterion_main!(benches);
