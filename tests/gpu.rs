//! The GPU backend: it trains, and it computes what the CPU computes.
//!
//! `cargo test --features wgpu --test gpu`; needs a Vulkan driver, of which Debian's
//! mesa-vulkan-drivers is one in software.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use burgeon::data::{Dataset, Images, Normalization};
use burgeon::record::{EpochRecord, StepProgress};
use burgeon::spec::{InputShape, Spec, StudyDocument};
use burgeon::study::{Ended, Growth, Launch, Settings};
use burgeon::unstable::model::{
    Classifier, DeviceChoice, ModelFile, OptimizerRecord, Preparation, Subject, Weights,
};

use burgeon::train::{
    Flow, Profiling, TrainState, Trained, TrainingSetup, Watch, WatchError, train,
};

const LENET: &str = include_str!("../models/lenet.toml");
const COMPACT: &str = include_str!("../models/compact.toml");
const CIFAR: &str = include_str!("../models/cifar.toml");

const CIFAR_SHAPE: InputShape = InputShape { channels: 3, height: 32, width: 32, classes: 10 };

fn document(text: &str, overrides: &[&str]) -> StudyDocument {
    let overrides = overrides.iter().map(|set| set.parse().unwrap()).collect();
    StudyDocument::new("study.toml", text).with_overrides(overrides)
}

fn lenet(overrides: &[&str]) -> StudyDocument {
    document(LENET, overrides)
}

/// One test at a time, because what a device is asked to do is counted for the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
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
    let _alone = alone();
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
    let _alone = alone();
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
    let _alone = alone();
    let error = DeviceChoice::Gpu(99).open().unwrap_err().to_string();
    assert!(error.contains("gpu:99"), "{error}");
}

/// What a device was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cost {
    /// Kernels started.
    launches: i64,
    /// Writes of the host into the device's memory: tensors, and numbers that kernels are started with, unless the
    /// same ones are there from an earlier start.
    uploads: i64,
    /// Buffers that the host read.
    downloads: i64,
    /// Times that the host waited until the device had done all that it had been asked.
    synchronisations: i64,
    /// Times that the host waited for older work, because so much was under way.
    throttles: i64,
}

impl Cost {
    fn minus(self, other: Self) -> Self {
        Self {
            launches: self.launches - other.launches,
            uploads: self.uploads - other.uploads,
            downloads: self.downloads - other.downloads,
            synchronisations: self.synchronisations - other.synchronisations,
            throttles: self.throttles - other.throttles,
        }
    }
}

/// Counts what wgpu logs of its calls, in words that this release of it uses; [`the_counters_count`] would tell if
/// another used others.
struct Counter {
    so_far: Mutex<(Cost, Last)>,
}

/// The last call that tells reads in one go from reads one by one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Submit,
    Read,
}

static COUNTER: Counter = Counter {
    so_far: Mutex::new((
        Cost { launches: 0, uploads: 0, downloads: 0, synchronisations: 0, throttles: 0 },
        Last::Submit,
    )),
};

impl Counter {
    /// Counts from the first call on.
    fn cost(&self) -> Cost {
        static STARTED: std::sync::Once = std::sync::Once::new();
        STARTED.call_once(|| {
            log::set_logger(&COUNTER).unwrap();
            log::set_max_level(log::LevelFilter::Trace);
        });
        self.so_far.lock().unwrap().0
    }
}

impl log::Log for Counter {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.target().starts_with("wgpu_core")
    }

    fn log(&self, record: &log::Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        let mut so_far = self.so_far.lock().unwrap();
        let (cost, last) = &mut *so_far;
        if text.starts_with("ComputePass::dispatch") {
            cost.launches += 1;
        } else if text == "Queue::write_buffer" || text == "Queue::create_staging_buffer" {
            cost.uploads += 1;
        } else if text == "Queue::submit" {
            *last = Last::Submit;
        } else if text.starts_with("Buffer::map_async") {
            cost.downloads += 1;
            // Buffers that are read together are copied by one submission, and waited for together.
            cost.synchronisations += i64::from(*last == Last::Submit);
            *last = Last::Read;
        } else if text == "Queue::on_submitted_work_done" {
            cost.synchronisations += 1;
        } else if text.starts_with("Device::poll Wait") && text.contains("submission_index: Some(")
        {
            cost.throttles += 1;
        }
    }

    fn flush(&self) {}
}

#[test]
fn the_counters_count() {
    let _alone = alone();
    use burgeon::burn::tensor::Tensor;
    let device = DeviceChoice::Gpu(0).open().unwrap().device;
    // A first time, so that the numbers of the kernel are there.
    let sum = |values: [f32; 3]| {
        let tensor = Tensor::<1>::from_data(values, &device);
        (tensor.clone() + tensor).into_data().try_to_vec::<f32>().unwrap()
    };
    COUNTER.cost();
    assert_eq!(sum([1.0, 2.0, 3.0]), [2.0, 4.0, 6.0]);
    let before = COUNTER.cost();
    assert_eq!(sum([4.0, 5.0, 6.0]), [8.0, 10.0, 12.0]);
    let cost = COUNTER.cost().minus(before);
    let once = Cost { launches: 1, uploads: 1, downloads: 1, synchronisations: 1, throttles: 0 };
    assert_eq!(cost, once);
}

/// Images whose pixels follow from their position, in the classes 0 to 9.
fn images(count: usize, shape: InputShape) -> Images {
    let InputShape { channels, height, width, classes } = shape;
    let len = channels * height * width;
    let pixel = |at: usize| {
        let (image, at) = (at / len, at % len);
        // A bar whose place tells the class, in noise.
        let noise = ((image * len + at) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let noise = (noise ^ (noise >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 58;
        let is_bar = at % width / 2 == image % classes;
        noise as u8 + if is_bar { 180 } else { 0 }
    };
    let labels: Vec<u16> = (0..count).map(|image| (image % classes) as u16).collect();
    let pixels: Vec<u8> = (0..count * len).map(pixel).collect();
    Images::of_shape(pixels, labels, [channels, height, width]).unwrap()
}

/// Notes the cost so far at the end of each epoch, and stops after the third.
#[derive(Default)]
struct Epochs(Vec<Cost>);

impl Watch for Epochs {
    fn step(&mut self, _progress: &StepProgress) -> Flow {
        Flow::Continue
    }
    fn epoch(&mut self, _record: &EpochRecord) -> Result<Flow, WatchError> {
        self.0.push(COUNTER.cost());
        Ok(if self.0.len() == 3 { Flow::Stop } else { Flow::Continue })
    }
    fn wants_checkpoint(&mut self, _progress: &StepProgress) -> bool {
        false
    }
    fn checkpoint(&mut self, _state: &TrainState) -> Result<(), WatchError> {
        Ok(())
    }
}

fn trained(
    spec: &Spec,
    shape: InputShape,
    count: usize,
    device: DeviceChoice,
    watch: &mut dyn Watch,
) -> Trained {
    let split = |count| images(count, shape);
    let data = Dataset::new(split(count), split(20), split(20), 10).unwrap();
    let device = device.open().unwrap();
    let setup =
        TrainingSetup { spec, data: &data, device: &device, trial: 1, profiling: Profiling::Off };
    train(setup, TrainState::start(Weights::initial(spec, 1)), watch).unwrap()
}

/// What a step costs, and what an epoch costs beside its steps: its evaluation and its checkpoint. Of the third epoch,
/// when kernels are compiled and what does not change is on the device.
fn cost(text: &str, shape: InputShape, overrides: &[&str], batch: usize) -> (Cost, Cost) {
    let batch_size = format!("train.batch-size={batch}");
    let mut all = vec!["train.epochs=5", batch_size.as_str()];
    all.extend(overrides);
    let spec = document(text, &all).validate(shape).unwrap();
    let third = |steps: usize| {
        COUNTER.cost();
        let mut epochs = Epochs::default();
        trained(&spec, shape, steps * batch, DeviceChoice::Gpu(0), &mut epochs);
        epochs.0[2].minus(epochs.0[1])
    };
    let one = third(1);
    let step = third(2).minus(one);
    (step, one.minus(step))
}

#[test]
fn a_step_and_an_epoch_cost_no_more_than_they_should() {
    let _alone = alone();
    // Images of compact are distorted, which the CPU does: they and their labels travel.
    for (name, text, launches, uploads) in [("lenet", LENET, 20, 0), ("compact", COMPACT, 210, 2)] {
        let (step, epoch) = cost(text, InputShape::MNIST, &[], 16);
        println!("{name}: a step {step:?}, and an epoch beside its steps {epoch:?}");
        assert!(step.launches <= launches && step.uploads <= uploads, "{name}: {step:?}");
        assert!(step.downloads == 0 && step.synchronisations == 0, "{name}: {step:?}");
        assert!(epoch.synchronisations <= 3, "{name}: {epoch:?}");
    }
}

#[test]
#[ignore = "takes minutes on a device in software"]
fn a_step_of_cifar_waits_for_nothing() {
    let _alone = alone();
    let (step, epoch) = cost(CIFAR, CIFAR_SHAPE, &["data.path=."], 4);
    println!("cifar: a step {step:?}, and an epoch beside its steps {epoch:?}");
    assert!(step.downloads == 0 && step.synchronisations == 0, "{step:?}");
}

/// How far the changes of weights by two trainings lie apart, relative to the largest change of each array, or to a
/// hundredth of the largest of all where an array hardly changes.
fn distance(spec: &Spec, a: &Trained, b: &Trained) -> f32 {
    let start = Weights::initial(spec, 1);
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, f32::max);
    let arrays = || start.iter().zip(a.state.weights.iter()).zip(b.state.weights.iter());
    let change = |from: &[f32], to: &[f32]| {
        largest(&mut from.iter().zip(to).map(|(from, to)| (to - from).abs()))
    };
    let least = 0.01
        * largest(&mut arrays().map(|(((_, start), (_, a)), _)| change(&start.values, &a.values)));
    largest(&mut arrays().map(|(((name, start), (_, a)), (other, b))| {
        assert_eq!(name, other);
        change(&a.values, &b.values) / change(&start.values, &a.values).max(least)
    }))
}

const SGD: &str = "train.optimizer={sgd={momentum=0.0}}";

/// What one epoch of so many images in batches of 20 does on the CPU and on the GPU.
fn on_both(text: &str, shape: InputShape, count: usize, set: &[&str]) -> (Spec, Trained, Trained) {
    let mut all = vec!["train.epochs=1", "train.batch-size=20", "train.schedule=constant"];
    all.extend(set);
    let spec = document(text, &all).validate(shape).unwrap();
    let on = |device| trained(&spec, shape, count, device, &mut Epochs::default());
    let (cpu, gpu) = (on(DeviceChoice::Cpu), on(DeviceChoice::Gpu(0)));
    (spec, cpu, gpu)
}

/// Plain descent, by which a weight changes as its gradient says.
#[test]
fn a_gradient_on_the_gpu_is_that_of_the_cpu() {
    let _alone = alone();
    for (name, text, shape, set) in [
        ("lenet", LENET, InputShape::MNIST, &[][..]),
        (
            "others",
            LENET,
            InputShape::MNIST,
            &[
                "model.layers=[{conv={filters=5,kernel=4,stride=2,activation=\"tanh\",padding=\"same\"}},{max-pool={size=2}},{conv={filters=7,kernel=3,activation=\"leaky-relu\"}},{dense={units=9,activation=\"sigmoid\"}}]",
            ],
        ),
        ("compact", COMPACT, InputShape::MNIST, &[]),
    ] {
        let set = [&[SGD, "train.learning-rate=0.5"], set].concat();
        let (spec, cpu, gpu) = on_both(text, shape, 20, &set);
        let apart = distance(&spec, &cpu, &gpu);
        assert!(apart <= 1e-3, "{name}: {apart}");
    }
}

/// A number that lies at the bend of relu, or as close to another in a max-pool as the last bits, changes gradients by a
/// hundredth where there are so few images; so they are compared with smooth functions in their place.
#[test]
#[ignore = "takes minutes on a device in software"]
fn a_gradient_of_cifar_on_the_gpu_is_that_of_the_cpu() {
    let _alone = alone();
    let smooth = CIFAR.replace("\"relu\"", "\"gelu\"").replace("max-pool", "avg-pool");
    let set = [SGD, "train.learning-rate=0.5", "data.path=."];
    let (spec, cpu, gpu) = on_both(&smooth, CIFAR_SHAPE, 20, &set);
    let apart = distance(&spec, &cpu, &gpu);
    assert!(apart <= 3e-3, "{apart}");
}

/// What batch-norm sees of the images, and the loss.
#[test]
fn a_forward_pass_of_cifar_on_the_gpu_is_that_of_the_cpu() {
    let _alone = alone();
    let (_, cpu, gpu) = on_both(CIFAR, CIFAR_SHAPE, 20, &[SGD, "data.path=."]);
    for ((name, a), (_, b)) in cpu.state.weights.iter().zip(gpu.state.weights.iter()) {
        if name.contains("running") {
            let apart = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs());
            let worst = apart.fold(0.0, f32::max);
            assert!(worst <= 1e-4, "{name}: {worst}");
        }
    }
    let (cpu, gpu) = (cpu.state.curve[0].train_loss, gpu.state.curve[0].train_loss);
    assert!((cpu - gpu).abs() <= 1e-4, "{cpu} {gpu}");
}

/// The batches are the same, the last and smaller one too, and what is noted of them.
#[test]
fn an_epoch_on_the_gpu_is_that_of_the_cpu() {
    let _alone = alone();
    for set in [
        &[SGD, "train.learning-rate=0.05"][..],
        &[SGD, "train.learning-rate=0.05", "train.gradient-clipping={norm=0.1}"],
        &[SGD, "train.learning-rate=0.05", "train.augment={shift=2}"],
    ] {
        let (spec, cpu, gpu) = on_both(LENET, InputShape::MNIST, 50, set);
        let apart = distance(&spec, &cpu, &gpu);
        assert!(apart <= 2e-3, "{set:?}: {apart}");
        let (cpu, gpu) = (&cpu.state.curve[0], &gpu.state.curve[0]);
        assert!((cpu.train_loss - gpu.train_loss).abs() <= 1e-4, "{cpu:?} {gpu:?}");
        assert!((cpu.validation_loss - gpu.validation_loss).abs() <= 1e-4, "{cpu:?} {gpu:?}");
        assert_eq!((cpu.images, cpu.train_accuracy), (gpu.images, gpu.train_accuracy));
        assert_eq!(cpu.course.len(), gpu.course.len());
    }
}

/// Adam blows up what is almost zero, so a few weights may go another way; their mean distance is small against a step.
#[test]
fn steps_of_adam_on_the_gpu_are_those_of_the_cpu() {
    let _alone = alone();
    for optimizer in ["adam", "adamw"] {
        let optimizer = format!("train.optimizer={optimizer}");
        let set = [optimizer.as_str(), "train.weight-decay=0.1", "train.learning-rate=0.001"];
        let (spec, cpu, gpu) = on_both(LENET, InputShape::MNIST, 50, &set);
        let (mut apart, mut count) = (0.0, 0);
        for ((_, a), (_, b)) in cpu.state.weights.iter().zip(gpu.state.weights.iter()) {
            apart += a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).sum::<f32>();
            count += a.values.len();
        }
        let mean = apart / count as f32;
        assert!(mean <= 2e-5, "{optimizer}: {mean}");
        // Either can go on from the other's state.
        OptimizerRecord::read(&gpu.state.optimizer, &spec).unwrap();
    }
}

#[test]
#[ignore = "takes minutes on a device in software"]
fn a_step_of_muon_on_the_gpu_is_that_of_the_cpu() {
    let _alone = alone();
    let set = ["data.path=.", "train.learning-rate=0.01"];
    let (_, cpu, gpu) = on_both(CIFAR, CIFAR_SHAPE, 20, &set);
    for ((name, a), (_, b)) in cpu.state.weights.iter().zip(gpu.state.weights.iter()) {
        // AdamW's steps, which go another way for gradients that are almost zero, are those of biases.
        if name.ends_with("weight") {
            let apart = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs());
            let worst = apart.fold(0.0, f32::max);
            assert!(worst <= 1e-3, "{name}: {worst}");
        }
    }
}

#[test]
fn a_short_training_with_muon_on_the_gpu_learns() {
    let _alone = alone();
    let set = ["train.epochs=3", "train.batch-size=20", "train.optimizer=muon"];
    let spec = lenet(&set).validate(InputShape::MNIST).unwrap();
    let gpu = DeviceChoice::Gpu(0);
    let muon = trained(&spec, InputShape::MNIST, 400, gpu, &mut Epochs::default());
    assert!(muon.state.curve[2].train_accuracy > 0.5, "{:?}", muon.state.curve);
}

/// Stops after the first epoch, then goes on from what was saved.
#[test]
fn a_training_goes_on_from_its_checkpoint() {
    let _alone = alone();
    struct Once(Option<TrainState>);
    impl Watch for Once {
        fn step(&mut self, _progress: &StepProgress) -> Flow {
            Flow::Continue
        }
        fn epoch(&mut self, _record: &EpochRecord) -> Result<Flow, WatchError> {
            Ok(Flow::Stop)
        }
        fn wants_checkpoint(&mut self, progress: &StepProgress) -> bool {
            progress.epoch == 1 && progress.step == 2
        }
        fn checkpoint(&mut self, state: &TrainState) -> Result<(), WatchError> {
            self.0.get_or_insert_with(|| state.clone());
            Ok(())
        }
    }
    let set = ["train.epochs=2", "train.batch-size=20"];
    let spec = lenet(&set).validate(InputShape::MNIST).unwrap();
    let device = DeviceChoice::Gpu(0).open().unwrap();
    let split = |count| images(count, InputShape::MNIST);
    let data = Dataset::new(split(90), split(20), split(20), 10).unwrap();
    let setup = TrainingSetup {
        spec: &spec,
        data: &data,
        device: &device,
        trial: 1,
        profiling: Profiling::Off,
    };
    let start = TrainState::start(Weights::initial(&spec, 1));
    let through = train(setup, start.clone(), &mut Epochs::default()).unwrap();
    let mut once = Once(None);
    train(setup, start, &mut once).unwrap();
    let saved = once.0.unwrap();
    assert_eq!((saved.position.epoch, saved.position.step), (0, 2));
    let resumed = train(setup, saved, &mut Epochs::default()).unwrap();
    let of = |trained: &Trained| {
        trained.state.curve.iter().map(|epoch| epoch.train_loss).collect::<Vec<_>>()
    };
    let (through, resumed) = (of(&through), of(&resumed));
    assert_eq!(through.len(), 2);
    for (through, resumed) in through.iter().zip(&resumed) {
        assert!((through - resumed).abs() <= 1e-5, "{through} {resumed}");
    }
}
