//! The searches on response surfaces instead of trainings.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::axis::Setting;
use super::domain::{Domain, Point};
use crate::record::{EpochRecord, Inherit};
use crate::spec::{
    Conv, Dense, Edit, InputShape, Layer, Optimizer, Policy as PolicyName, Schedule, Spec,
    StudyDocument, StudyFile,
};
use crate::sys::CounterRng;
use crate::tune::{Asha, Policy, Proposal, Random, Tpe, TrialRecord, family};

const POLICIES: [&dyn Policy; 3] = [&Random, &Tpe, &Asha];

/// Training images of the first trial.
const IMAGES: u64 = 7000;

fn first(seed: u64, epochs: &[usize]) -> TrialRecord {
    let mut file = StudyFile::new("search", vec![Layer::Conv(Conv::same(2, 3))]);
    file.tune.trials = 1000;
    file.tune.space.epochs = epochs.to_vec();
    file.train.seed = seed;
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    trial(1, None, Vec::new(), spec, 0.1)
}

fn trial(
    trial: u32,
    parent: Option<u32>,
    edits: Vec<Edit>,
    spec: Spec,
    accuracy: f64,
) -> TrialRecord {
    let record = EpochRecord {
        epoch: spec.train().epochs,
        train_accuracy: accuracy,
        validation_accuracy: accuracy,
        images: IMAGES,
        ..EpochRecord::default()
    };
    TrialRecord { parent, edits, ..TrialRecord::new(trial, spec, vec![record]) }
}

type Surface = fn(&Spec) -> f64;

/// Trials until there are this many, of which `jobs` run at a time and are judged in the order of their numbers.
fn search_with_jobs(
    policy: &dyn Policy,
    first: TrialRecord,
    surface: Surface,
    trials: usize,
    jobs: usize,
) -> Vec<TrialRecord> {
    let mut history = vec![first];
    let mut running: VecDeque<Proposal> = VecDeque::new();
    while history.len() < trials {
        while running.len() < jobs {
            let next = policy.propose(&history, running.make_contiguous()).unwrap();
            running.push_back(next);
        }
        let done = running.pop_front().unwrap();
        let (number, parent) = (history.len() as u32 + 1, Some(done.parent));
        let accuracy = surface(&done.spec);
        history.push(trial(number, parent, done.edits, done.spec, accuracy));
    }
    history
}

fn search(policy: &dyn Policy, seed: u64, surface: Surface, trials: usize) -> Vec<TrialRecord> {
    search_with_jobs(policy, first(seed, &[]), surface, trials, 1)
}

fn filters(spec: &Spec) -> f64 {
    let of = |layer: &Layer| if let Layer::Conv(conv) = layer { Some(conv.filters) } else { None };
    spec.layers().iter().find_map(of).unwrap_or(1) as f64
}

/// A miss in each of several settings costs accuracy; the optimum is as good as never the plain family's member.
fn far_from_habit(spec: &Spec) -> f64 {
    let train = spec.train();
    let is_sgd = matches!(train.optimizer, Optimizer::Sgd(_));
    let has_norm = spec.layers().iter().any(|layer| matches!(layer, Layer::BatchNorm(_)));
    let rate = (train.learning_rate.log10() + 1.3).abs() / 3.0;
    let width = (filters(spec) / 28.0).ln().abs() / 3.0;
    let flags = [
        !is_sgd,
        has_norm,
        train.schedule != Schedule::Constant {},
        !train.augment.flip,
        train.batch_size != 128,
    ];
    let missed = flags.iter().filter(|&&missed| missed).count() as f64 / 5.0;
    1.0 - 0.3 * rate.min(1.0) - 0.2 * width.min(1.0) - 0.4 * missed
}

/// Only the product of rate and batch matters, beside the epochs.
fn settings_that_depend_on_each_other(spec: &Spec) -> f64 {
    let train = spec.train();
    let ratio = train.learning_rate / train.batch_size as f64;
    1.0 - (ratio.log10() + 4.0).abs() / 8.0 - 0.2 / train.epochs as f64
}

/// What most images are like: batch-norm, a falling rate, some width and epochs.
fn like_images(spec: &Spec) -> f64 {
    let train = spec.train();
    let has_norm = spec.layers().iter().any(|layer| matches!(layer, Layer::BatchNorm(_)));
    let good = match train.optimizer {
        Optimizer::Sgd(_) => 0.03_f64,
        _ => 0.003,
    };
    let rate = (train.learning_rate / good).ln().powi(2) / 20.0;
    let falls = train.schedule != Schedule::Constant {};
    let size = 0.3 / (filters(spec).sqrt() * (train.epochs as f64).sqrt());
    1.0 - size - rate.min(0.5) - 0.05 * f64::from(u8::from(!has_norm) + u8::from(!falls))
}

const SURFACES: [Surface; 3] = [far_from_habit, settings_that_depend_on_each_other, like_images];

#[test]
fn the_estimator_finds_what_chance_misses() {
    for (at, surface) in SURFACES.into_iter().enumerate() {
        let mean = |policy: &dyn Policy| {
            let late = |seed| {
                let history = search(policy, seed, surface, 60);
                history[40..].iter().map(TrialRecord::accuracy).sum::<f64>() / 20.0
            };
            (1..=5).map(late).sum::<f64>() / 5.0
        };
        let best = |policy: &dyn Policy| {
            let best = |seed| {
                let history = search(policy, seed, surface, 40);
                history.iter().map(TrialRecord::accuracy).fold(0.0, f64::max)
            };
            (1..=5).map(best).sum::<f64>() / 5.0
        };
        let (tpe, random) = (mean(&Tpe), mean(&Random));
        assert!(tpe > random + 0.04, "surface {at}: late trials: tpe {tpe}, random {random}");
        let (tpe, random) = (best(&Tpe), best(&Random));
        assert!(tpe > random, "surface {at}: best trial: tpe {tpe}, random {random}");
    }
}

#[test]
fn a_policy_asked_again_says_the_same() {
    for policy in POLICIES {
        for jobs in [1, 3] {
            let history = search_with_jobs(policy, first(5, &[1, 3, 9]), like_images, 40, jobs);
            let proposed = |trial: &TrialRecord| Proposal {
                parent: trial.parent.unwrap(),
                edits: trial.edits.clone(),
                reason: String::new(),
                inherit: Inherit::Nothing,
                spec: trial.spec.clone(),
                forecast: None,
            };
            for cut in jobs..history.len() {
                // Those before it that were still in training then.
                let judged = cut + 1 - jobs;
                let running: Vec<Proposal> = history[judged..cut].iter().map(proposed).collect();
                let again = policy.propose(&history[..judged], &running).unwrap();
                assert_eq!(again.edits, history[cut].edits, "trial {}", cut + 1);
            }
        }
    }
}

#[test]
fn trials_at_the_same_time_differ() {
    for policy in POLICIES {
        for judged in [1, 20] {
            let history = search(policy, 3, like_images, judged);
            let mut running: Vec<Proposal> = Vec::new();
            for _ in 0..8 {
                let next = policy.propose(&history, &running).unwrap();
                assert!(running.iter().all(|other| other.spec != next.spec));
                running.push(next);
            }
        }
    }
}

#[test]
fn trials_in_training_repel_those_drawn_next() {
    let history = search(&Tpe, 3, far_from_habit, 40);
    let domain = Domain::of(&history[0]);
    let near_the_best: Vec<Proposal> = {
        let mut ranked: Vec<&TrialRecord> = history.iter().skip(1).collect();
        ranked.sort_by(|a, b| b.accuracy().total_cmp(&a.accuracy()));
        let copies = std::iter::repeat_n(ranked[0], 30).map(|best| {
            Proposal::new(&history[0], best.edits.clone(), "", Inherit::Nothing).unwrap()
        });
        copies.collect()
    };
    let best = domain.point_of(&near_the_best[0].spec).unwrap();
    let shared = |proposal: &Proposal| {
        let point = domain.point_of(&proposal.spec).unwrap();
        point.0.iter().zip(&best.0).filter(|(a, b)| a == b).count()
    };
    let alone = shared(&Tpe.propose(&history, &[]).unwrap());
    let beside = shared(&Tpe.propose(&history, &near_the_best).unwrap());
    assert!(beside < alone, "{beside} settings are those of the running trials, otherwise {alone}");
}

#[test]
fn a_search_begins_with_the_plain_familys_member() {
    let history = search(&Tpe, 1, like_images, 2);
    let spec = &history[1].spec;
    let member = family::Member::of(IMAGES as usize, family::FIRST_COMPUTE);
    let stages = |layers: &[Layer]| -> Vec<Layer> {
        layers.iter().filter(|layer| !matches!(layer, Layer::Dense(_))).cloned().collect()
    };
    assert_eq!(stages(spec.layers()), stages(&family::layers(InputShape::MNIST, 12, 0.0)));
    assert_eq!((member.width, spec.train().epochs), (11, member.epochs));
    assert_eq!(spec.train().schedule, Schedule::one_cycle());
    assert_eq!(spec.train().learning_rate, family::PEAK_RATE);
}

#[test]
fn only_the_best_third_trains_on_from_where_it_stands() {
    for jobs in [1, 2, 4] {
        let history = search_with_jobs(&Asha, first(2, &[1, 3, 9]), like_images, 80, jobs);
        let promoted: Vec<&TrialRecord> =
            history.iter().filter(|trial| trial.parent.is_some_and(|parent| parent > 1)).collect();
        assert!(promoted.len() > 12);
        let mut parents = BTreeSet::new();
        for child in promoted {
            let parent = &history[child.parent.unwrap() as usize - 1];
            assert!(parents.insert(parent.trial), "promoted twice");
            let rung = parent.spec.train().epochs;
            assert_eq!(child.edits, [Edit::AddEpochs { epochs: 2 * rung }]);
            // Those that had been judged when it was proposed.
            let known = &history[1..child.trial as usize - jobs];
            let here: Vec<f64> = known
                .iter()
                .filter(|trial| trial.spec.train().epochs == rung)
                .map(TrialRecord::score)
                .collect();
            let better = here.iter().filter(|&&score| score > parent.score()).count();
            assert!(better < (here.len() / 3).max(1), "{better} of {} are better", here.len());
        }
        assert!(history.iter().any(|trial| trial.spec.train().epochs == 9));
    }
}

#[test]
fn a_promoted_trial_inherits_its_parents_state() {
    let mut history = vec![first(2, &[1, 4])];
    for _ in 0..12 {
        let next = Asha.propose(&history, &[]).unwrap();
        let is_promoted = matches!(next.edits[..], [Edit::AddEpochs { .. }]);
        let expected = if is_promoted { Inherit::State } else { Inherit::Nothing };
        assert_eq!(next.inherit, expected);
        let (number, parent) = (history.len() as u32 + 1, Some(next.parent));
        let score = like_images(&next.spec);
        history.push(trial(number, parent, next.edits, next.spec, score));
    }
}

#[test]
fn the_checkpoints_of_those_that_may_be_promoted_stay() {
    let mut first = first(4, &[1, 3, 9]);
    let mut file = first.spec.file().clone();
    file.tune.trials = 60;
    first.spec = Spec::new(file, InputShape::MNIST).unwrap();
    let mut history = vec![first];
    let mut gone = BTreeSet::new();
    while history.len() < 60 {
        for trial in &history {
            match Asha.may_grow_from(trial, &history) {
                true => assert!(!gone.contains(&trial.trial), "{} is gone", trial.trial),
                false => drop(gone.insert(trial.trial)),
            }
        }
        let next = Asha.propose(&history, &[]).unwrap();
        let is_promoted = next.inherit == Inherit::State;
        assert!(!is_promoted || !gone.contains(&next.parent), "{} is gone", next.parent);
        let (number, parent) = (history.len() as u32 + 1, Some(next.parent));
        let score = like_images(&next.spec);
        history.push(trial(number, parent, next.edits, next.spec, score));
    }
    assert!(gone.len() > 20, "{}", gone.len());
}

#[test]
fn lists_of_a_study_are_all_that_is_drawn_from() {
    let text = r#"
        name = "listed"
        [model]
        layers = []
        [tune]
        policy = "tpe"
        [tune.space]
        convs = [0, 1, 2, 3]
        filters = [4, 8, 16, 32]
        kernel = [5]
        dense-layers = [0, 1, 2]
        units = [16, 32]
        activation = ["tanh"]
        dropout = [0.0, 0.5]
        learning-rate = [0.01, 0.01]
        batch-size = [32]
        optimizer = ["sgd", "adamw"]
        epochs = [1, 2]
    "#;
    let file = StudyDocument::new("study.toml", text).parse().unwrap();
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    for policy in POLICIES {
        let first = trial(1, None, Vec::new(), spec.clone(), 0.1);
        let history = search_with_jobs(policy, first, like_images, 30, 1);
        for trial in history[1..].iter().filter(|trial| trial.parent == Some(1)) {
            let mut convs = 0;
            for layer in trial.spec.layers() {
                match layer {
                    Layer::Conv(conv) => {
                        convs += 1;
                        assert!([4, 8, 16, 32].contains(&conv.filters) && conv.kernel == 5);
                    }
                    Layer::Dense(Dense { units, .. }) => assert!([16, 32].contains(units)),
                    _ => {}
                }
                let activation = layer.activation().map_or("tanh", |activation| activation.name());
                assert!(["tanh", "none"].contains(&activation));
            }
            assert!(convs <= 3, "a number of conv layers that is listed");
            let train = trial.spec.train();
            assert_eq!((train.learning_rate, train.batch_size), (0.01, 32));
            assert!(train.epochs <= 2 && train.optimizer.name() != "adam");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn every_point_is_a_valid_study_and_can_be_read_back(
        colour in any::<bool>(),
        height in 8_usize..=128,
        width in 8_usize..=128,
        classes in 2_usize..=2000,
        images in 50_usize..100_000,
        own_filters in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let channels = if colour { 3 } else { 1 };
        let input = InputShape { channels, height, width, classes };
        let mut file = StudyFile::new("space", Vec::new());
        file.tune.policy = PolicyName::Tpe;
        if own_filters {
            file.tune.space.filters = vec![8, 16, 24, 40];
        }
        let spec = Spec::new(file, input).unwrap();
        let domain = Domain::new(&spec, images);
        let mut rng = CounterRng::new(seed);
        let drawn: Vec<Point> =
            (0..3).flat_map(|_| [domain.uniform(&mut rng), domain.by_habit(&mut rng)]).collect();
        for point in drawn.iter().chain([&domain.usual()]) {
            let edits = domain.edits(point, &spec);
            let applied = Edit::apply_all(&edits, &spec);
            prop_assert!(applied.is_ok(), "{}", applied.unwrap_err());
            let trial = applied.unwrap();
            let read = domain.point_of(&trial);
            prop_assert!(read.is_some(), "{edits:?}");
            let read = read.unwrap();
            prop_assert_eq!(domain.edits(&read, &spec), edits);
            let known = |setting| !domain.place(setting, &read.0).is_nan();
            prop_assert!(known(Setting::Schedule) && known(Setting::Epochs) && known(Setting::Shift));
        }
    }
}
