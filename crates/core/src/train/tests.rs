//! Trainings of some steps on some digits: how they end, stop and go on.

use super::probe::{probe, some_images};
use super::*;
use crate::data::{DataRequest, Dataset, Images, Subset, load};
use crate::model::{DeviceChoice, Graft, Network, OpenDevice, WeightArray, Weights};
use crate::record::Ending;
use crate::spec::{
    Activation, Amount, BatchNorm, Conv, Dense, Dropout, EarlyStopping, Edit, GateSpec, InputShape,
    Layer, MuonParameters, Optimizer, Pool, Spec, StudyFile,
};

const BATCH: usize = 16;
const STEPS: usize = 6;

fn digits() -> Dataset {
    let request = DataRequest {
        validation: Some(Amount::Count(300)),
        train: Some(BATCH * STEPS),
        test: Some(Amount::Count(10)),
        ..DataRequest::synthetic(1)
    };
    load(&request, &mut |_| {}).unwrap().dataset
}

fn spec(change: impl FnOnce(&mut StudyFile)) -> Spec {
    let layers = vec![
        Layer::Conv(Conv::same(4, 3)),
        Layer::MaxPool(Pool::of(4)),
        Layer::Dense(Dense { activation: Activation::Tanh, ..Dense::of(8) }),
    ];
    let mut file = StudyFile::new("small", layers);
    file.train.batch_size = BATCH;
    file.train.epochs = 3;
    change(&mut file);
    Spec::new(file, InputShape::MNIST).unwrap()
}

fn cpu() -> OpenDevice {
    DeviceChoice::Cpu.open().unwrap()
}

fn setup<'a>(spec: &'a Spec, data: &'a Dataset, device: &'a OpenDevice) -> TrainingSetup<'a> {
    TrainingSetup { spec, data, device, trial: 1, profiling: Profiling::Off }
}

/// Answers as it is told, and keeps what it is given.
struct Script<'a> {
    /// What to answer after so many steps of this life.
    step: &'a dyn Fn(usize) -> Flow,
    /// What to answer when asked for so many times between steps.
    working: &'a dyn Fn(Phase, usize) -> Flow,
    give_up: bool,
    steps: usize,
    asked: usize,
    saved: Option<TrainState>,
    records: Vec<EpochRecord>,
}

impl<'a> Script<'a> {
    fn new(step: &'a dyn Fn(usize) -> Flow, working: &'a dyn Fn(Phase, usize) -> Flow) -> Self {
        let (saved, records) = (None, Vec::new());
        Self { step, working, give_up: false, steps: 0, asked: 0, saved, records }
    }
}

impl Watch for Script<'_> {
    fn step(&mut self, _: &StepProgress) -> Flow {
        self.steps += 1;
        (self.step)(self.steps)
    }

    fn working(&mut self, phase: Phase) -> Flow {
        self.asked += 1;
        (self.working)(phase, self.asked)
    }

    fn give_up(&mut self, so_far: &SoFar) -> Option<String> {
        (self.give_up && so_far.course.len() >= 3).then(|| "no hope".into())
    }

    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError> {
        self.records.push(record.clone());
        Ok(Flow::Continue)
    }

    fn wants_checkpoint(&mut self, _: &StepProgress) -> bool {
        false
    }

    fn checkpoint(&mut self, state: &TrainState) -> Result<(), WatchError> {
        self.saved = Some(state.clone());
        Ok(())
    }
}

fn on(_: usize) -> Flow {
    Flow::Continue
}

fn on_in(_: Phase, _: usize) -> Flow {
    Flow::Continue
}

fn fresh(spec: &Spec) -> TrainState {
    TrainState::start(Weights::initial(spec, 1))
}

/// The state without what a clock said, and without the optimizer's record, whose arrays have no
/// order; what it does to the weights shows that it is the same.
fn timeless(mut state: TrainState) -> TrainState {
    state.optimizer.clear();
    let best = state.best.as_mut().map(|best| &mut best.record);
    for record in state.curve.iter_mut().chain(best) {
        record.seconds = 0.0;
        record.evaluation_seconds = None;
    }
    state.sums.seconds = 0.0;
    state
}

#[test]
fn a_training_out_of_time_ends_at_the_step_and_evaluates_what_it_has() {
    let (spec, data, device) = (spec(|_| {}), digits(), cpu());
    let third = |steps| if steps >= 3 { Flow::OutOfTime } else { Flow::Continue };
    let late = |phase, _| match phase {
        Phase::Training => Flow::OutOfTime,
        Phase::Evaluating => Flow::Continue,
    };
    let mut watch = Script::new(&third, &late);
    let trained = train(setup(&spec, &data, &device), fresh(&spec), &mut watch).unwrap();
    assert_eq!((trained.ending, watch.steps), (Ending::OutOfTime, 3));
    assert_eq!(trained.state.curve.len(), 1);
    assert_eq!(trained.state.curve[0].images, 3 * BATCH as u64);
    assert!(trained.state.curve[0].probe.is_some());
    assert_eq!(watch.saved.unwrap().best.unwrap().record, trained.state.curve[0]);
}

#[test]
fn a_training_without_time_to_evaluate_keeps_the_best_epoch_before() {
    let (spec, data, device) = (spec(|_| {}), digits(), cpu());
    let late = |steps| if steps > STEPS + 2 { Flow::OutOfTime } else { Flow::Continue };
    let has_run = std::cell::Cell::new(false);
    let step = |steps| {
        has_run.set(steps > STEPS + 2);
        late(steps)
    };
    let working = |_, _| if has_run.get() { Flow::OutOfTime } else { Flow::Continue };
    let mut watch = Script::new(&step, &working);
    let trained = train(setup(&spec, &data, &device), fresh(&spec), &mut watch).unwrap();
    assert_eq!(trained.ending, Ending::OutOfTime);
    assert_eq!(trained.state.curve.len(), 1);
    assert_eq!(watch.saved.unwrap().best.unwrap().record, trained.state.curve[0]);
    // Whoever goes on has no more time either, and takes no step.
    let mut again = Script::new(&on, &working);
    let ended = train(setup(&spec, &data, &device), trained.state.clone(), &mut again).unwrap();
    assert_eq!((ended.ending, again.steps), (Ending::OutOfTime, 0));
}

#[test]
fn a_training_without_time_for_any_evaluation_has_no_best_epoch() {
    let (spec, data, device) = (spec(|_| {}), digits(), cpu());
    let mut watch = Script::new(&|_| Flow::OutOfTime, &|_, _| Flow::OutOfTime);
    let trained = train(setup(&spec, &data, &device), fresh(&spec), &mut watch).unwrap();
    assert_eq!((trained.ending, watch.steps), (Ending::OutOfTime, 1));
    assert!(trained.state.curve.is_empty() && trained.state.best.is_none());
}

#[test]
fn a_stop_at_any_moment_between_steps_leads_to_the_same_bits() {
    for optimizer in [Optimizer::default(), Optimizer::Muon(MuonParameters::default())] {
        stops_lead_to_the_same_bits(&spec(|file| file.train.optimizer = optimizer));
    }
}

fn stops_lead_to_the_same_bits(spec: &Spec) {
    let (data, device) = (digits(), cpu());
    let mut whole = Script::new(&on, &on_in);
    let expected = train(setup(spec, &data, &device), fresh(spec), &mut whole).unwrap();
    assert!(whole.asked > 10, "{}", whole.asked);
    for moment in 1..=whole.asked {
        let stop = |_, asked| if asked == moment { Flow::Stop } else { Flow::Continue };
        let mut watch = Script::new(&on, &stop);
        let stopped = train(setup(spec, &data, &device), fresh(spec), &mut watch).unwrap();
        if stopped.ending == Ending::Completed {
            // Asked before an epoch, where only the time can end a training.
            continue;
        }
        assert_eq!(stopped.ending, Ending::Stopped, "at {moment}");
        let mut rest = Script::new(&on, &on_in);
        let saved = watch.saved.unwrap();
        let ended = train(setup(spec, &data, &device), saved, &mut rest).unwrap();
        let is_same = timeless(ended.state) == timeless(expected.state.clone());
        assert!(is_same, "other bits after a stop at {moment}");
    }
}

#[test]
fn a_stop_while_a_given_up_epoch_is_evaluated_leads_to_the_same_end() {
    let (spec, data, device) = (spec(|_| {}), digits(), cpu());
    let mut whole = Script { give_up: true, ..Script::new(&on, &on_in) };
    let expected = train(setup(&spec, &data, &device), fresh(&spec), &mut whole).unwrap();
    assert_eq!((expected.ending, expected.why.as_deref()), (Ending::GivenUp, Some("no hope")));
    let mut watch = Script { give_up: true, ..Script::new(&on, &|_, _| Flow::Stop) };
    let stopped = train(setup(&spec, &data, &device), fresh(&spec), &mut watch).unwrap();
    assert_eq!(stopped.ending, Ending::Stopped);
    let mut rest = Script { give_up: true, ..Script::new(&on, &on_in) };
    let state = watch.saved.unwrap_or_else(|| fresh(&spec));
    let ended = train(setup(&spec, &data, &device), state, &mut rest).unwrap();
    assert_eq!((ended.ending, ended.why), (expected.ending, expected.why));
    assert!(timeless(ended.state) == timeless(expected.state), "other bits");
}

#[test]
fn a_training_that_no_longer_improves_stops_after_the_patience_it_was_given() {
    let stopping = |patience, min_improvement| {
        let spec = spec(|file| {
            file.train.epochs = 9;
            file.train.learning_rate = 1e-9;
            file.train.early_stopping = Some(EarlyStopping { patience, min_improvement });
        });
        let mut watch = Script::new(&on, &on_in);
        let trained = train(setup(&spec, &digits(), &cpu()), fresh(&spec), &mut watch).unwrap();
        (trained.ending, watch.records.len())
    };
    // The first epoch improves on nothing; those after it are no better.
    assert_eq!(stopping(1, 0.0), (Ending::StoppedEarly, 2));
    assert_eq!(stopping(3, 0.0), (Ending::StoppedEarly, 4));
    assert_eq!(stopping(9, 0.0), (Ending::Completed, 9));
}

#[test]
fn an_improvement_that_is_too_small_is_none() {
    let mut state = fresh(&spec(|_| {}));
    let epoch = |accuracy: f64| -> EpochRecord {
        let epoch = serde_json::json!({
            "epoch": 1, "train_loss": 0.1, "train_accuracy": 0.5, "validation_loss": 0.1,
            "validation_accuracy": accuracy, "learning_rate": 0.1, "seconds": 1.0
        });
        serde_json::from_value(epoch).unwrap()
    };
    state.curve = [0.5, 0.51, 0.52].map(epoch).to_vec();
    assert_eq!(state.epochs_without_improvement(0.0, &GateSpec::default()), 0);
    assert_eq!(state.epochs_without_improvement(0.05, &GateSpec::default()), 2);
}

#[test]
fn a_range_test_rises_over_six_decades_and_ends_where_the_loss_explodes() {
    let (spec, data, device) = (spec(|_| {}), digits(), cpu());
    let weights = Weights::initial(&spec, 1);
    let run = |middle| {
        test_rates(setup(&spec, &data, &device), &weights, middle, &mut || true).unwrap().unwrap()
    };
    let tame = run(1e-9);
    assert_eq!((tame.rates.len(), tame.losses.len()), (100, 100));
    assert!(tame.rates.is_sorted());
    assert!(
        (tame.rates[0] / 1e-12 - 1.0).abs() < 1e-6 && (tame.rates[99] / 1e-6 - 1.0).abs() < 1e-6
    );
    assert_eq!(tame.suggestion(), None, "nothing is learned at such rates");
    let usual = run(1e-3);
    let suggestion = usual.suggestion().unwrap();
    assert!((1e-5..0.1).contains(&suggestion), "{suggestion}");
    let wild = run(1e3);
    assert!(wild.rates.len() < 100, "{wild:?}");
    assert_eq!(wild.rates.len(), wild.losses.len());
}

#[test]
fn a_range_test_that_is_told_to_stop_answers_nothing() {
    let (spec, data, device) = (spec(|_| {}), digits(), cpu());
    let weights = Weights::initial(&spec, 1);
    let mut left = 7;
    let mut keep_going = || {
        left -= 1;
        left > 0
    };
    let stopped =
        test_rates(setup(&spec, &data, &device), &weights, 1e-3, &mut keep_going).unwrap();
    assert_eq!((stopped, left), (None, 0));
}

#[test]
fn a_probe_sees_dead_units_saturation_and_classes_that_are_missing() {
    let (spec, mut data, device) = (spec(|_| {}), digits(), cpu());
    let keeps = |index: &u32| data.train.label(*index as usize) != 3;
    let indices: Vec<u32> = (0..data.train.len() as u32).filter(keeps).collect();
    data.train = data.train.with_indices(indices).unwrap();
    let mut weights = Weights::initial(&spec, 1);
    let healthy = look(&spec, &data, &device, &weights);
    assert_eq!(healthy.missing_classes, [3]);
    assert_eq!(healthy.layers.iter().map(|layer| layer.layer).collect::<Vec<_>>(), [0, 2, 3]);
    assert!(healthy.pixel_deviation > 0.5 && healthy.layers[1].saturated < 0.5, "{healthy:?}");
    assert!(healthy.layers.iter().all(|layer| layer.gradient > 0.0 && layer.weight > 0.0));
    // A ReLU far below zero returns nothing but zeros, and the rest then sees no difference.
    let bias = |weights: &Weights| {
        let is_first = |(name, array): &(&str, &WeightArray)| {
            name.ends_with(".bias") && array.values.len() == 4
        };
        weights.iter().find(is_first).map(|(name, _)| name.to_owned()).unwrap()
    };
    weights.insert(bias(&weights), WeightArray::filled(vec![4], -1e4));
    let dead = look(&spec, &data, &device, &weights);
    assert_eq!(dead.layers[0].dead, 1.0, "{dead:?}");
    assert_eq!(dead.layers[0].gradient, 0.0, "{dead:?}");
}

#[test]
fn a_look_is_taken_with_images_of_all_classes_where_they_take_turns_in_the_file() {
    let (spec, mut data, device) = (spec(|_| {}), digits(), cpu());
    for (count, seen) in [(2560, 256), (1280, 160), (2561, 256), (90, 12)] {
        let labels: Vec<u8> = (0..count).map(|at| (at % 10) as u8).collect();
        data.train = Subset::all(Images::new(vec![0; count * 28 * 28], labels, 28, 28).unwrap());
        let of_trial =
            |trial| some_images(TrainingSetup { trial, ..setup(&spec, &data, &device) }, seen).1;
        let first = of_trial(1);
        let classes = first.class_counts(10);
        assert_eq!(first.len(), seen);
        if seen > 100 {
            // As many of each as chance gives, five standard deviations allowed.
            assert!(classes.iter().all(|&of| of > 0 && of < seen / 4), "{count}: {classes:?}");
        }
        let mut indices = first.indices().to_vec();
        indices.dedup();
        assert_eq!(indices.len(), seen, "each image once");
        assert_eq!(of_trial(1).indices(), first.indices());
        assert_ne!(of_trial(2).indices(), first.indices());
    }
}

#[test]
fn a_probe_tells_whether_left_and_right_matter() {
    // One half of each image is bright: the left or the right one, or the upper or the lower one.
    let halves = |is_bright: fn(usize, usize) -> bool| {
        let image = |class: usize| {
            let pixel =
                move |at: usize| u8::from(is_bright(at % 28, at / 28) == (class == 0)) * 200;
            (0..28 * 28).map(pixel)
        };
        let images = |count: usize| {
            let labels: Vec<u8> = (0..count).map(|at| (at % 2) as u8).collect();
            let pixels: Vec<u8> = labels.iter().flat_map(|&label| image(label.into())).collect();
            Subset::all(Images::new(pixels, labels, 28, 28).unwrap())
        };
        Dataset { train: images(160), validation: images(40), test: images(10), ..digits() }
    };
    let spec = spec(|file| {
        file.model.layers = vec![Layer::Dense(Dense::of(8))];
        file.train.learning_rate = 0.01;
    });
    let device = cpu();
    let cost = |data: &Dataset| {
        let mut watch = Script::new(&on, &on_in);
        train(setup(&spec, data, &device), fresh(&spec), &mut watch).unwrap();
        watch.records.last().unwrap().probe.as_ref().unwrap().mirror_cost
    };
    assert_eq!(cost(&halves(|x, _| x < 14)), Some(1.0));
    assert_eq!(cost(&halves(|_, y| y < 14)), Some(0.0));
}

#[test]
fn a_sample_training_tells_how_hard_the_data_is() {
    let data = digits();
    let spec = spec(|file| file.gate.accuracy = 0.9);
    let device = cpu();
    let sampled = |data: &Dataset| {
        sample::sample(setup(&spec, data, &device), &mut || true).unwrap().unwrap()
    };
    let easy = sampled(&data);
    let relabelled = |split: &Subset| {
        let pixels: Vec<u8> = (0..split.len()).flat_map(|at| split.image(at).to_vec()).collect();
        let labels: Vec<u16> = (0..split.len())
            .map(|at| ((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u16 % 10)
            .collect();
        Subset::all(Images::of_shape(pixels, labels, [1, 28, 28]).unwrap())
    };
    let hard = sampled(&Dataset {
        train: relabelled(&data.train),
        validation: relabelled(&data.validation),
        ..data.clone()
    });
    assert!(easy.score > 0.5 && hard.score < 0.3, "{easy:?}, {hard:?}");
    assert_eq!((easy.images, easy.score), (300, sampled(&data).score));
    assert!(easy.flops > 0.0);
    let mut steps = 0;
    let mut stop = || {
        steps += 1;
        steps < 40
    };
    let stopped = sample::sample(setup(&spec, &data, &device), &mut stop).unwrap();
    assert_eq!(stopped, None);
}

/// A watch that asks for a sample of the data.
struct Sampling<'a>(Script<'a>);

impl Watch for Sampling<'_> {
    fn step(&mut self, progress: &StepProgress) -> Flow {
        self.0.step(progress)
    }
    fn samples_data(&self) -> bool {
        true
    }
    fn epoch(&mut self, record: &EpochRecord) -> Result<Flow, WatchError> {
        self.0.epoch(record)
    }
    fn wants_checkpoint(&mut self, progress: &StepProgress) -> bool {
        self.0.wants_checkpoint(progress)
    }
    fn checkpoint(&mut self, state: &TrainState) -> Result<(), WatchError> {
        self.0.checkpoint(state)
    }
}

#[test]
fn a_sample_is_trained_after_a_first_epoch_that_misses_the_gate_and_changes_nothing_else() {
    let data = digits();
    let device = cpu();
    let run = |gate: f64, samples: bool| {
        let spec = spec(|file| {
            file.gate.accuracy = gate;
            file.train.epochs = 2;
        });
        let mut watch = Sampling(Script::new(&on, &on_in));
        let trained = match samples {
            true => train(setup(&spec, &data, &device), fresh(&spec), &mut watch),
            false => train(setup(&spec, &data, &device), fresh(&spec), &mut watch.0),
        };
        let records = watch.0.records;
        let samples = records.iter().map(|record| record.probe.as_ref().unwrap().sample);
        (samples.collect::<Vec<_>>(), trained.unwrap().state.weights)
    };
    let (samples, weights) = run(0.99, true);
    assert!(samples[0].is_some() && samples[1].is_none());
    assert!(run(0.02, true).0.iter().all(Option::is_none));
    let (samples, others) = run(0.99, false);
    assert!(samples.iter().all(Option::is_none));
    assert_eq!(weights, others);
}

fn look(
    spec: &Spec,
    data: &Dataset,
    device: &OpenDevice,
    weights: &Weights,
) -> crate::record::Probe {
    let confusion = (0..10).flat_map(|label| (0..10).map(move |named| ((label, named), 1)));
    let validation = Evaluation {
        loss: 1.0,
        classes: 10,
        confusion: confusion.collect(),
        by_confidence: Vec::new(),
    };
    probe(setup(spec, data, device), weights, &validation, &mut || true).unwrap().unwrap()
}

/// A small network with everything that networks for photos have.
fn residual() -> Spec {
    let norm = |activation| Layer::BatchNorm(BatchNorm { activation, ..BatchNorm::default() });
    let conv = |filters, stride| {
        Layer::Conv(Conv { stride, activation: Activation::None, ..Conv::same(filters, 3) })
    };
    let stem = Pool { stride: Some(4), ..Pool::of(3).padded(1) };
    let identity = vec![conv(4, 1), norm(Activation::Relu), conv(4, 1), norm(Activation::None)];
    let depthwise = Layer::Conv(Conv { groups: 4, ..Conv::same(4, 3) });
    let dropout = Layer::Dropout(Dropout { rate: 0.2 });
    let projected = vec![depthwise, dropout, conv(8, 2), norm(Activation::None)];
    spec(|file| {
        file.model.layers = vec![
            Layer::Conv(Conv::same(4, 3)),
            Layer::MaxPool(stem),
            Layer::residual(identity),
            Layer::residual(projected),
            Layer::GlobalAvgPool {},
        ];
        file.train.epochs = 8;
        file.train.learning_rate = 0.02;
    })
}

#[test]
fn a_residual_network_learns_and_goes_on_with_the_same_bits() {
    let (spec, data, device) = (residual(), digits(), cpu());
    let expected =
        train(setup(&spec, &data, &device), fresh(&spec), &mut Script::new(&on, &on_in)).unwrap();
    let losses: Vec<f64> = expected.state.curve.iter().map(|epoch| epoch.train_loss).collect();
    assert!(losses[7] < 0.7 * losses[0], "{losses:?}");
    for steps in [1, STEPS + 2] {
        let stop = |taken| if taken == steps { Flow::Stop } else { Flow::Continue };
        let mut watch = Script::new(&stop, &on_in);
        let stopped = train(setup(&spec, &data, &device), fresh(&spec), &mut watch).unwrap();
        assert_eq!(stopped.ending, Ending::Stopped);
        let saved = watch.saved.unwrap();
        let ended =
            train(setup(&spec, &data, &device), saved, &mut Script::new(&on, &on_in)).unwrap();
        assert!(timeless(ended.state) == timeless(expected.state.clone()), "stopped at {steps}");
    }
}

#[test]
fn the_average_of_the_weights_is_what_is_judged_and_kept_and_goes_on_with_the_same_bits() {
    let averaged = spec(|file| file.train.weight_average = Some(0.9));
    let (data, device) = (digits(), cpu());
    let whole = |spec: &Spec| {
        train(setup(spec, &data, &device), fresh(spec), &mut Script::new(&on, &on_in)).unwrap()
    };
    let (expected, plain) = (whole(&averaged), whole(&spec(|_| {})));
    assert_eq!(expected.state.weights, plain.state.weights, "training itself sees no average");
    assert!(plain.state.average.is_none());
    let last = expected.state.best.as_ref().unwrap();
    assert_ne!(last.record.validation_loss, plain.state.best.unwrap().record.validation_loss);
    if last.record.epoch == averaged.train().epochs {
        assert_eq!(Some(&last.weights), expected.state.average.as_ref());
    }
    for steps in [1, STEPS, STEPS + 2] {
        let stop = |taken| if taken == steps { Flow::Stop } else { Flow::Continue };
        let mut watch = Script::new(&stop, &on_in);
        train(setup(&averaged, &data, &device), fresh(&averaged), &mut watch).unwrap();
        let saved = watch.saved.unwrap();
        let mut rest = Script::new(&on, &on_in);
        let ended = train(setup(&averaged, &data, &device), saved, &mut rest).unwrap();
        assert!(timeless(ended.state) == timeless(expected.state.clone()), "stopped at {steps}");
    }
}

#[test]
fn a_probe_takes_no_layer_of_a_block_for_one_behind_it() {
    let (data, device) = (digits(), cpu());
    let block = vec![Layer::Conv(Conv::same(4, 3)), Layer::Conv(Conv::same(4, 3))];
    let spec = spec(|file| {
        file.model.layers = vec![
            Layer::Conv(Conv::same(4, 3)),
            Layer::residual(block),
            Layer::MaxPool(Pool::of(4)),
            Layer::Dense(Dense::of(8)),
        ];
    });
    let mut weights = Weights::initial(&spec, 1);
    let shape = weights.get("layers.3.weight").unwrap().shape.clone();
    weights.insert("layers.3.weight", WeightArray::filled(shape, 0.25));
    let seen = look(&spec, &data, &device, &weights);
    assert_eq!(seen.layers.iter().map(|layer| layer.layer).collect::<Vec<_>>(), [0, 3, 4]);
    assert!((seen.layers[1].weight - 0.25).abs() < 1e-6, "{seen:?}");
}

#[test]
fn a_narrowed_network_keeps_more_accuracy_with_its_most_important_channels_than_with_the_first() {
    let request = DataRequest { train: Some(600), ..DataRequest::synthetic(1) };
    let data = load(&request, &mut |_| {}).unwrap().dataset;
    let block = |filters| {
        [
            Layer::Conv(Conv { activation: Activation::None, ..Conv::same(filters, 3) }),
            Layer::BatchNorm(BatchNorm { activation: Activation::Relu, ..BatchNorm::default() }),
            Layer::MaxPool(Pool::of(3)),
        ]
    };
    let edits = [Edit::Narrow { layer: 0, width: 7 }, Edit::Narrow { layer: 3, width: 11 }];
    let (mut important, mut first) = (0.0, 0.0);
    for seed in 1..=3 {
        let parent = spec(|file| {
            file.model.layers = [block(12), block(16)].concat();
            (file.train.epochs, file.train.learning_rate, file.train.seed) = (4, 0.003, seed);
        });
        let child = Edit::apply_all(&edits, &parent).unwrap();
        let device = cpu();
        let mut quiet = Script::new(&on, &on_in);
        let trained = train(setup(&parent, &data, &device), fresh(&parent), &mut quiet).unwrap();
        let weights = trained.state.weights;
        let accuracy = |planned_by: &Weights| {
            let graft = Graft::plan(&parent, &edits, planned_by).unwrap();
            let network = Network::new(&child, &graft.weights(&weights, &child, 2), &device.device);
            let (images, normalization) = (&data.validation, data.normalization);
            evaluate(&network.unwrap(), images, normalization, 10, &device.device)
                .unwrap()
                .accuracy()
        };
        // As if the first ones had the largest scales.
        let mut pretended = weights.clone();
        for (name, array) in pretended.iter_mut() {
            if name.ends_with(".gamma") {
                for (unit, value) in array.values.iter_mut().enumerate() {
                    *value = 50_f32.powi(-(unit as i32));
                }
            }
        }
        important += accuracy(&weights);
        first += accuracy(&pretended);
    }
    assert!(important > first + 0.1, "{important} with the most important, {first} with the first");
}
