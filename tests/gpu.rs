//! The GPU backend: it trains, and it computes what the CPU computes.
//!
//! `cargo test --features wgpu --test gpu`; needs a Vulkan driver, of which Debian's
//! mesa-vulkan-drivers is one in software.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use burgeon::data::Normalization;
use burgeon::spec::{InputShape, Spec, StudyDocument};
use burgeon::study::{Ended, Growth, Launch, Settings};
use burgeon::unstable::model::{
    Classifier, DeviceChoice, ModelFile, Preparation, Subject, Weights,
};

const LENET: &str = include_str!("../models/lenet.toml");

fn lenet(overrides: &[&str]) -> StudyDocument {
    let overrides = overrides.iter().map(|set| set.parse().unwrap()).collect();
    StudyDocument::new("lenet.toml", LENET).with_overrides(overrides)
}

fn probabilities(spec: &Spec, device: DeviceChoice, image: &[u8]) -> Vec<f32> {
    let preparation = Preparation::grey(
        InputShape::MNIST,
        Normalization::of_all(0.13, 0.31),
        (0..10).map(|class| class.to_string()).collect(),
        Subject::Digit,
    );
    let file = ModelFile { weights: Weights::initial(spec, 1), preparation };
    let device = device.open().unwrap().device;
    Classifier::new(spec, file, &device).unwrap().logits(&[image]).unwrap().concat()
}

#[test]
fn the_same_weights_give_the_same_logits_on_cpu_and_gpu() {
    for overrides in [
        &[][..],
        &[
            "model.layers=[{conv={filters=8,kernel=3,activation=\"none\"}},{batch-norm={activation=\"gelu\"}},{avg-pool={size=2}},\"global-avg-pool\"]",
        ],
        &[
            "model.layers=[{conv={filters=4,kernel=3}},{max-pool={size=3,stride=2,padding=\"same\"}},{residual={layers=[{conv={filters=4,kernel=3,groups=4}},{conv={filters=6,kernel=3,stride=2}},\"batch-norm\"]}},{avg-pool={size=3,padding=1}}]",
        ],
    ] {
        let spec = lenet(overrides).validate(InputShape::MNIST).unwrap();
        for seed in 0..3_u32 {
            let image: Vec<u8> = (0..784_u32)
                .map(|at| (at.wrapping_mul(2_654_435_761 + seed) >> 24) as u8)
                .collect();
            let cpu = probabilities(&spec, DeviceChoice::Cpu, &image);
            let gpu = probabilities(&spec, DeviceChoice::Gpu(0), &image);
            let worst = cpu.iter().zip(&gpu).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 1e-4, "{worst}: {cpu:?} {gpu:?}");
        }
    }
}

#[test]
fn a_short_training_on_the_gpu_learns() {
    let runs = tempfile::tempdir().unwrap();
    let study = lenet(&[
        "data.source=synthetic",
        "data.train=2000",
        "data.validation=500",
        "train.epochs=1",
        "train.batch-size=50",
        "gate.accuracy=0.3",
    ]);
    let settings = Settings {
        device: DeviceChoice::Gpu(0),
        growth: Growth::Off,
        runs: runs.path().into(),
        ..Settings::default()
    };
    let ended = Launch::new(study).settings(settings).run().unwrap();
    let Ended::Finished(finished) = ended else { panic!("nobody asked to stop") };
    assert!(finished.result.validation_accuracy > 0.3, "{finished:?}");
}

#[test]
fn a_gpu_that_is_not_there_is_named() {
    let error = DeviceChoice::Gpu(99).open().unwrap_err().to_string();
    assert!(error.contains("gpu:99"), "{error}");
}
