use super::*;
use crate::record::{ConfidenceGroup, EpochRecord, LayerProbe, Probe, SampleTraining};
use crate::spec::{
    BatchNorm, Conv, Dense, Dropout, Goal, GradientClipping, InputShape, Pool, Schedule,
    SgdParameters, StudyDocument, StudyFile,
};

mod members;

/// A LeNet with one epoch and a gate of 97 %.
fn file() -> StudyFile {
    let layers = vec![
        Layer::Conv(Conv::same(6, 5)),
        Layer::MaxPool(Pool::of(2)),
        Layer::Conv(Conv::same(16, 5)),
        Layer::MaxPool(Pool::of(2)),
        Layer::Dense(Dense::of(120)),
    ];
    let mut file = StudyFile::new("sick", layers);
    file.train.epochs = 1;
    file.gate.accuracy = 0.97;
    file
}

fn spec(file: StudyFile) -> Spec {
    Spec::new(file, InputShape::MNIST).unwrap()
}

fn probe() -> Probe {
    let layer =
        |layer, gradient| LayerProbe { layer, dead: 0.0, saturated: 0.0, gradient, weight: 0.1 };
    Probe {
        images: 256,
        training_images: 55_000,
        accuracy: 0.0,
        pixel_deviation: 1.0,
        layers: vec![layer(0, 0.01), layer(5, 0.01)],
        missing_classes: Vec::new(),
        unnamed_classes: Vec::new(),
        mirror_cost: None,
        by_confidence: Vec::new(),
        sample: None,
    }
}

/// An epoch that ended with these accuracies on training and validation images.
fn epoch(number: usize, train: f64, validation: f64) -> EpochRecord {
    let loss = |accuracy: f64| if accuracy < 0.2 { 2.31 } else { 2.0 * (1.0 - accuracy) };
    EpochRecord {
        epoch: number,
        train_loss: loss(train),
        train_accuracy: train,
        validation_loss: loss(validation),
        validation_accuracy: validation,
        learning_rate: 0.001,
        seconds: 1.0,
        images: 55_000,
        course: Vec::new(),
        probe: Some(probe()),
        recalls: Vec::new(),
        given_up: None,
        evaluation_seconds: None,
    }
}

fn failed(file: StudyFile, curve: Vec<EpochRecord>) -> TrialRecord {
    TrialRecord::new(1, spec(file), curve)
}

/// What is diagnosed, and what is proposed.
fn treat(trial: &TrialRecord) -> (Diagnosis, Proposal) {
    let finding = diagnose(trial, false);
    assert!(!finding.evidence.is_empty());
    (finding.diagnosis, Grow.propose(std::slice::from_ref(trial), &[]).unwrap())
}

fn guessing() -> Vec<EpochRecord> {
    vec![epoch(1, 0.1, 0.1)]
}

#[test]
fn every_unusual_setting_is_named_and_made_usual() {
    type Case = (&'static str, fn(&mut StudyFile), Diagnosis, fn(&Spec) -> bool);
    let cases: [Case; 19] = [
        (
            "a high rate",
            |file| file.train.learning_rate = 0.1,
            Diagnosis::LearningRateTooHigh,
            |spec| spec.train().learning_rate == 0.001,
        ),
        (
            "a low rate",
            |file| file.train.learning_rate = 1e-5,
            Diagnosis::LearningRateTooLow,
            |spec| spec.train().learning_rate == 0.001,
        ),
        (
            "much momentum",
            |file| {
                let sgd = SgdParameters { momentum: 0.999, nesterov: false };
                file.train.optimizer = Optimizer::Sgd(sgd);
                file.train.learning_rate = 0.01;
            },
            Diagnosis::LearningRateTooHigh,
            |spec| matches!(&spec.train().optimizer, Optimizer::Sgd(sgd) if sgd.momentum == 0.9),
        ),
        (
            "clipped gradients",
            |file| file.train.gradient_clipping = Some(GradientClipping::Norm(1e-4)),
            Diagnosis::LearningRateTooLow,
            |spec| spec.train().gradient_clipping.is_none(),
        ),
        (
            "a rate that never rises",
            |file| {
                let (peak_at, start, floor) = (0.99, 0.0, 0.0);
                file.train.schedule = Schedule::OneCycle { peak_at, start, floor };
            },
            Diagnosis::LearningRateTooLow,
            |spec| matches!(spec.train().schedule, Schedule::Cosine { .. }),
        ),
        (
            "much dropout",
            |file| file.model.layers.push(Layer::Dropout(Dropout { rate: 0.9 })),
            Diagnosis::OverRegularized,
            |spec| matches!(spec.layers()[5], Layer::Dropout(Dropout { rate }) if rate < 0.5),
        ),
        (
            "much weight decay",
            |file| file.train.weight_decay = 1.0,
            Diagnosis::OverRegularized,
            |spec| spec.train().weight_decay == 0.0,
        ),
        (
            "much smoothing",
            |file| file.train.label_smoothing = 0.9,
            Diagnosis::OverRegularized,
            |spec| spec.train().label_smoothing == 0.0,
        ),
        (
            "wild distortion",
            |file| file.train.augment.rotate = 180.0,
            Diagnosis::OverRegularized,
            |spec| spec.train().augment.rotate <= 15.0,
        ),
        (
            "units that start dead",
            |file| {
                let conv = Conv { initial_bias: -10.0, ..Conv::same(6, 5) };
                file.model.layers[0] = Layer::Conv(conv);
            },
            Diagnosis::Stalled,
            |spec| matches!(&spec.layers()[0], Layer::Conv(conv) if conv.initial_bias == 0.0),
        ),
        (
            "huge batches",
            |file| file.train.batch_size = 4096,
            Diagnosis::StillImproving,
            |spec| spec.train().batch_size == 64,
        ),
        (
            "no pixels left",
            |file| file.model.layers[3] = Layer::MaxPool(Pool::of(14)),
            Diagnosis::Underfit,
            |spec| super::super::recommended::geometry::final_side(spec) >= 3,
        ),
        (
            "pixels skipped",
            |file| file.model.layers[1] = Layer::MaxPool(Pool { stride: Some(2), ..Pool::of(1) }),
            Diagnosis::Underfit,
            |spec| matches!(&spec.layers()[1], Layer::MaxPool(pool) if pool.stride() == pool.size),
        ),
        (
            "pixels smeared",
            |file| {
                let smear = Layer::MaxPool(Pool { stride: Some(1), ..Pool::of(8) });
                file.model.layers.splice(0..0, [smear.clone(), smear]);
            },
            Diagnosis::Underfit,
            |spec| matches!(spec.layers()[0], Layer::Conv(_)),
        ),
        (
            "pixels seen one at a time",
            |file| {
                file.model.layers[0] = Layer::Conv(Conv::same(6, 1));
                file.model.layers[2] = Layer::Conv(Conv::same(16, 1));
            },
            Diagnosis::Underfit,
            |spec| matches!(&spec.layers()[0], Layer::Conv(conv) if conv.kernel == 5),
        ),
        (
            "a mean over everything",
            |file| {
                file.model.layers.truncate(1);
                file.model.layers.push(Layer::GlobalAvgPool {});
            },
            Diagnosis::Underfit,
            |spec| super::super::recommended::geometry::final_side(spec) == 7,
        ),
        (
            "much of everything that holds back",
            |file| {
                file.model.layers.push(Layer::Dropout(Dropout { rate: 0.6 }));
                file.train.label_smoothing = 0.3;
                file.train.augment.rotate = 35.0;
            },
            Diagnosis::OverRegularized,
            |spec| spec.train().label_smoothing == 0.0 && spec.train().augment.rotate <= 15.0,
        ),
        (
            "batches of one image",
            |file| file.train.batch_size = 1,
            Diagnosis::LearningRateTooHigh,
            |spec| spec.train().batch_size == 64,
        ),
        (
            "statistics that never move",
            |file| {
                let norm = BatchNorm { momentum: 1e-6, ..BatchNorm::default() };
                file.model.layers.insert(1, Layer::BatchNorm(norm));
            },
            Diagnosis::Stalled,
            |spec| matches!(&spec.layers()[1], Layer::BatchNorm(norm) if norm.momentum > 0.01),
        ),
    ];
    for (name, break_it, diagnosis, is_repaired) in cases {
        let mut file = file();
        break_it(&mut file);
        let (found, proposal) = treat(&failed(file, guessing()));
        assert_eq!(found, diagnosis, "{name}");
        assert!(is_repaired(&proposal.spec), "{name}: {:?}", proposal.edits);
    }
}

#[test]
fn settings_as_textbooks_have_them_are_never_suspects() {
    let usual: [fn(&mut StudyFile); 7] = [
        |_| {},
        |file| {
            file.train.optimizer = Optimizer::Sgd(SgdParameters::default());
            file.train.learning_rate = 0.01;
        },
        |file| {
            file.train.schedule = Schedule::one_cycle();
            file.train.learning_rate = 0.01;
        },
        |file| {
            let dropout = Layer::Dropout(Dropout { rate: 0.5 });
            file.model.layers.extend([dropout.clone(), Layer::Dense(Dense::of(84)), dropout]);
        },
        |file| file.train.weight_decay = 1e-4,
        |file| file.train.label_smoothing = 0.1,
        |file| file.train.augment.rotate = 15.0,
    ];
    for change in usual {
        let mut file = file();
        change(&mut file);
        assert_eq!(suspects(&spec(file), 55_000), []);
    }
    for model in ["lenet", "compact", "single-conv", "speedrun", "mlp"] {
        let text = std::fs::read_to_string(format!("../../models/{model}.toml")).unwrap();
        let file = StudyDocument::new(model, text).parse().unwrap();
        assert_eq!(suspects(&spec(file), 55_000), [], "{model}");
    }
}

#[test]
fn an_overfit_trial_gets_other_images_and_keeps_its_weights() {
    let mut file = file();
    file.data.train = Some(1000);
    let mut trial = failed(file, vec![epoch(1, 0.999, 0.94)]);
    trial.curve[0].images = 1000;
    trial.curve[0].probe = None;
    let (diagnosis, proposal) = treat(&trial);
    assert_eq!((diagnosis, proposal.inherit), (Diagnosis::Overfit, Inherit::Weights));
    assert!(proposal.spec.train().augment.is_on(), "{:?}", proposal.edits);
}

#[test]
fn a_network_that_is_sure_is_refreshed_as_it_grows_and_gets_smoothed_labels() {
    let treated = |accuracy: f64, gate: f64| {
        let mut file = file();
        file.model.layers.truncate(2);
        file.gate.accuracy = gate;
        let curve = (1..=6).map(|number| epoch(number, accuracy, accuracy)).collect();
        let (_, proposal) = treat(&failed(file, curve));
        (proposal.inherit, proposal.spec.train().label_smoothing)
    };
    assert_eq!(treated(0.98, 0.985), (Inherit::Refreshed, 0.1));
    assert_eq!(treated(0.90, 0.93), (Inherit::Weights, 0.0));
}

#[test]
fn a_trial_that_was_rising_trains_on_from_its_last_state() {
    let mut file = file();
    file.train.epochs = 2;
    let (diagnosis, proposal) =
        treat(&failed(file, vec![epoch(1, 0.90, 0.91), epoch(2, 0.95, 0.955)]));
    assert_eq!((diagnosis, proposal.inherit), (Diagnosis::StillImproving, Inherit::State));
    assert!(matches!(proposal.edits[0], Edit::AddEpochs { .. }), "{:?}", proposal.edits);
}

#[test]
fn a_tiny_network_grows_the_more_the_further_it_is_from_its_gate() {
    let layers = vec![Layer::Conv(Conv::same(1, 3)), Layer::MaxPool(Pool::of(2))];
    let grown = |gate: f64| {
        let mut file = file();
        file.model.layers = layers.clone();
        file.gate.accuracy = gate;
        let (diagnosis, proposal) = treat(&failed(file, vec![epoch(1, 0.83, 0.84)]));
        assert_eq!(diagnosis, Diagnosis::Underfit);
        assert_eq!(proposal.inherit, Inherit::Nothing);
        assert!(proposal.forecast.is_some());
        let width = family::width_of(&proposal.spec).unwrap();
        width * proposal.spec.train().epochs
    };
    assert!(grown(0.995) > grown(0.88));
}

#[test]
fn more_steps_come_from_smaller_batches_where_the_rate_does_not_belong_to_the_batch() {
    let treated = |optimizer: Optimizer| {
        let mut file = file();
        file.model.layers.truncate(2);
        file.train.batch_size = 256;
        file.train.learning_rate = recommended_rate(&optimizer);
        file.train.optimizer = optimizer;
        file.gate.accuracy = 0.95;
        let train = treat(&failed(file, vec![epoch(1, 0.90, 0.90)])).1.spec.train().clone();
        (train.batch_size, train.epochs)
    };
    let (batch, epochs) = treated(Optimizer::default());
    let (kept, more_epochs) = treated(Optimizer::Sgd(SgdParameters::default()));
    assert_eq!((batch, kept), (RECOMMENDED_BATCH, 256));
    assert!(3 * epochs < more_epochs, "{epochs} and {more_epochs}");
}

#[test]
fn images_without_anything_on_them_end_the_search() {
    let mut trial = failed(file(), guessing());
    trial.curve[0].probe = Some(Probe { pixel_deviation: 0.0, ..probe() });
    assert_eq!(diagnose(&trial, false).diagnosis, Diagnosis::DataSuspicious);
    assert_eq!(Grow.propose(&[trial], &[]), None);
}

#[test]
fn dead_units_are_found_by_the_probe() {
    let mut trial = failed(file(), guessing());
    let mut sick = probe();
    sick.layers[0].dead = 1.0;
    trial.curve[0].probe = Some(sick);
    let finding = diagnose(&trial, false);
    assert_eq!(finding.diagnosis, Diagnosis::Stalled);
    assert!(finding.evidence.contains("100 % of the units of layer 1 are dead"), "{finding:?}");
}

#[test]
fn nothing_is_tried_twice_and_every_parent_is_known() {
    let mut history = vec![failed(file(), vec![epoch(1, 0.90, 0.90)])];
    while let Some(proposal) = Grow.propose(&history, &[]) {
        assert!(
            !history.iter().any(|trial| {
                trial.parent == Some(proposal.parent) && trial.edits == proposal.edits
            }),
            "{:?}",
            proposal.edits
        );
        let trial = history.len() as u32 + 1;
        assert!(proposal.parent < trial);
        history.push(TrialRecord {
            trial,
            parent: Some(proposal.parent),
            edits: proposal.edits,
            ..failed(proposal.spec.file().clone(), vec![epoch(1, 0.5, 0.5)])
        });
        assert!(history.len() < 40);
    }
    assert!(history.len() > 4);
}

#[test]
fn a_network_without_conv_layers_gets_them_first() {
    let mut file = file();
    file.model.layers = vec![Layer::Dense(Dense::of(16)); 3];
    let (_, proposal) = treat(&failed(file, vec![epoch(1, 0.90, 0.91)]));
    let layers = proposal.spec.layers();
    assert!(matches!(layers[0], Layer::Conv(_)), "{:?}", proposal.edits);
}

#[test]
fn with_two_classes_chance_is_not_learning() {
    let mut file = file();
    file.gate.accuracy = 0.9;
    let input = InputShape { classes: 2, ..InputShape::MNIST };
    let two = |train: f64, validation: f64| {
        let mut trial = failed(file.clone(), vec![epoch(1, train, validation)]);
        trial.spec = Spec::new(file.clone(), input).unwrap();
        trial.curve[0].train_loss = 0.69;
        diagnose(&trial, false).evidence
    };
    assert!(two(0.51, 0.52).contains("guessing"), "{}", two(0.51, 0.52));
    assert!(!two(0.80, 0.80).contains("guessing"), "{}", two(0.80, 0.80));
}
