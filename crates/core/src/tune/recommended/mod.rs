//! Recommended ranges of settings, and the settings of a study outside of them.
//!
//! Small networks on small images train well within wide ranges; a setting far outside of them is
//! a suspect whenever a trial fails. Every range here is wider than what
//! textbooks recommend, so that a study that works is never touched.

pub(super) mod geometry;
mod suspect;

use self::geometry::geometry;
pub use self::suspect::{Effect, Suspect};
use crate::spec::mean_share;
use crate::spec::{
    Activation, AdamParameters, Augment, BatchNorm, Conv, Edit, GradientClipping, Layer,
    MuonParameters, Optimizer, Schedule, SgdParameters, Spec, TrainSpec,
};

/// A batch size with which small networks learn much from each image, and no slower than with larger ones.
pub const RECOMMENDED_BATCH: usize = 64;

/// The batch size for a number of training images: smaller for few images, so that there are enough steps.
pub(super) fn recommended_batch(images: usize) -> usize {
    (images / 16).next_power_of_two().clamp(16, RECOMMENDED_BATCH)
}

/// A learning rate that works for most small networks, by optimizer.
pub fn recommended_rate(optimizer: &Optimizer) -> f64 {
    match optimizer {
        Optimizer::Sgd(sgd) => round_to_digits(0.1 * (1.0 - sgd.momentum).max(0.01), 3),
        Optimizer::Adam(_) | Optimizer::AdamW(_) | Optimizer::Muon(_) => 0.001,
    }
}

/// A few digits tell rates apart well enough, and people read them more easily.
pub(super) fn round_to_digits(rate: f64, digits: usize) -> f64 {
    // The text of a float is the shortest that reads back as it.
    format!("{rate:.*e}", digits.saturating_sub(1)).parse().unwrap_or(rate)
}

/// Mean step length over a trial, momentum included, as a multiple of the recommended one.
pub fn relative_step_length(train: &TrainSpec) -> f64 {
    let peak = train.learning_rate
        / match &train.optimizer {
            Optimizer::Sgd(sgd) => 0.1 * (1.0 - sgd.momentum),
            Optimizer::Adam(_) | Optimizer::AdamW(_) | Optimizer::Muon(_) => 0.001,
        };
    // A schedule that only peaks at a rate may peak several times higher than a constant rate.
    peak * mean_share(train)
}

/// All settings outside their recommended ranges, the most serious first. `images` is how many an epoch has.
pub fn suspects(spec: &Spec, images: usize) -> Vec<Suspect> {
    let found = [
        step_length(spec.train()),
        tiny_batches(spec.train(), images),
        clipping(spec.train()),
        held_back(spec),
        initial_biases(spec),
        vanishing_gradients(spec),
        geometry(spec),
        batch_norm_mismatch(spec, images),
        too_few_steps(spec.train(), images),
        early_end(spec.train()),
    ];
    found.into_iter().flatten().collect()
}

const STEP_LENGTH_HIGH: f64 = 6.0;
const STEP_LENGTH_LOW: f64 = 0.2;

fn step_length(train: &TrainSpec) -> Vec<Suspect> {
    let mut found = Vec::new();
    let usual = recommended_optimizer(&train.optimizer);
    let mut corrected = train.clone();
    if usual != train.optimizer {
        let effect =
            if is_slow(&train.optimizer) { Effect::StepsTooShort } else { Effect::StepsTooLong };
        let what = format!("the {}", unusual_parameters(&train.optimizer));
        corrected.optimizer = usual.clone();
        found.push(Suspect { effect, what, edits: vec![Edit::SetOptimizer { optimizer: usual }] });
    }
    if let Some(suspect) = schedule(train) {
        corrected.schedule = Schedule::Constant {};
        corrected.warm_up = 0.0;
        found.push(suspect);
    }
    // What remains after those are corrected is due to the learning rate itself.
    let step_length = relative_step_length(&corrected);
    let rate = recommended_rate(&corrected.optimizer);
    let times = train.learning_rate / rate;
    if !(STEP_LENGTH_LOW..=STEP_LENGTH_HIGH).contains(&step_length) {
        let (effect, what) = if step_length > 1.0 {
            let what = format!(
                "the learning rate of {} is {times:.0} times the recommended one",
                train.learning_rate
            );
            (Effect::StepsTooLong, what)
        } else {
            let what = format!(
                "the learning rate of {} is {:.0} times smaller than the recommended one",
                train.learning_rate,
                1.0 / times
            );
            (Effect::StepsTooShort, what)
        };
        found.push(Suspect { effect, what, edits: vec![Edit::SetLearningRate { rate }] });
    }
    found
}

/// The same optimizer with parameters within their usual ranges.
fn recommended_optimizer(optimizer: &Optimizer) -> Optimizer {
    let is_recommended = |adam: &AdamParameters| {
        (0.5..=0.99).contains(&adam.beta_1)
            && (0.9..=0.99995).contains(&adam.beta_2)
            && adam.epsilon <= 1e-4
    };
    match optimizer {
        Optimizer::Sgd(sgd) if sgd.momentum > 0.98 => Optimizer::Sgd(SgdParameters::default()),
        Optimizer::Muon(muon) if muon.momentum > 0.98 => Optimizer::Muon(MuonParameters::default()),
        Optimizer::Adam(adam) if !is_recommended(adam) => {
            Optimizer::Adam(AdamParameters::default())
        }
        Optimizer::AdamW(adam) if !is_recommended(adam) => {
            Optimizer::AdamW(AdamParameters::default())
        }
        usual => usual.clone(),
    }
}

fn is_slow(optimizer: &Optimizer) -> bool {
    matches!(optimizer, Optimizer::Adam(adam) | Optimizer::AdamW(adam) if adam.epsilon > 1e-4)
}

fn unusual_parameters(optimizer: &Optimizer) -> String {
    match optimizer {
        Optimizer::Sgd(sgd) => {
            let times = 1.0 / (1.0 - sgd.momentum).max(1e-9);
            format!("momentum of {} makes steps {times:.0} times longer", sgd.momentum)
        }
        Optimizer::Muon(muon) => {
            format!("momentum of {} keeps old gradients for long", muon.momentum)
        }
        Optimizer::Adam(adam) | Optimizer::AdamW(adam) => {
            let AdamParameters { beta_1, beta_2, epsilon } = adam;
            format!(
                "optimizer's decays of {beta_1} and {beta_2} with an epsilon of {epsilon} are far from the recommended 0.9, 0.999 and 1e-8"
            )
        }
    }
}

/// A schedule that spends most of a trial far below its rate.
fn schedule(train: &TrainSpec) -> Option<Suspect> {
    let share = mean_share(train);
    let peaks_late = match train.schedule {
        Schedule::OneCycle { peak_at, .. } => peak_at > 0.7,
        _ => false,
    };
    (share < 0.15 || train.warm_up > 0.6 || peaks_late).then(|| Suspect {
        effect: Effect::StepsTooShort,
        what: format!(
            "the {} schedule with a warm-up of {} averages {:.0} % of its peak learning rate",
            train.schedule.name(),
            train.warm_up,
            share * 100.0
        ),
        edits: vec![Edit::SetSchedule { schedule: Schedule::Cosine { floor: 0.0 }, warm_up: 0.0 }],
    })
}

/// Gradients of smaller batches are too noisy for the recommended learning rates.
const BATCH_LEAST: usize = 8;

fn tiny_batches(train: &TrainSpec, images: usize) -> Vec<Suspect> {
    let batch = train.batch_size;
    if batch >= BATCH_LEAST.min(images) {
        return Vec::new();
    }
    vec![Suspect {
        effect: Effect::StepsTooLong,
        what: format!("gradients of batches of {batch} are too noisy for this learning rate"),
        edits: vec![Edit::SetBatchSize { images: recommended_batch(images) }],
    }]
}

fn clipping(train: &TrainSpec) -> Vec<Suspect> {
    let bound = match train.gradient_clipping {
        Some(GradientClipping::Norm(bound)) if bound < 0.2 => bound,
        Some(GradientClipping::Value(bound)) if bound < 5e-3 => bound,
        _ => return Vec::new(),
    };
    vec![Suspect {
        effect: Effect::StepsTooShort,
        what: format!("gradients are clipped to {bound}, which is too small to learn from"),
        edits: vec![Edit::SetGradientClipping { clipping: None }],
    }]
}

fn held_back(spec: &Spec) -> Vec<Suspect> {
    let mut found = Vec::new();
    let mut suspect = |what: String, edit: Edit| {
        found.push(Suspect { effect: Effect::HeldBack, what, edits: vec![edit] });
    };
    let train = spec.train();
    let rates = spec.layers().iter().filter_map(|layer| match layer {
        Layer::Dropout(dropout) => Some(dropout.rate),
        _ => None,
    });
    let (most, kept) =
        rates.fold((0.0, 1.0), |(most, kept), rate| (rate.max(most), kept * (1.0 - rate)));
    let Augment { shift, rotate, scale, elastic, cutout, .. } = train.augment;
    let side = spec.input().height.min(spec.input().width) as f64;
    let distortion = [
        f64::from(shift) / (side / 5.0),
        rotate / 40.0,
        scale / 0.4,
        elastic / 4.0,
        f64::from(cutout) / (side / 1.5),
    ];
    // Each as a share of what a network tolerates on its own; several of them add up.
    let hidden = (most / 0.65).max((1.0 - kept) / 0.8);
    let smoothed = train.label_smoothing / 0.35;
    let distorted = distortion.into_iter().fold(0.0, f64::max);
    let is_much = hidden + smoothed + distorted > 2.0;
    let holds_back = |share: f64| share > 1.0 || is_much && share > 0.5;
    if holds_back(hidden) {
        suspect(
            format!("dropout removes {:.0} % of the activations", (1.0 - kept) * 100.0),
            Edit::SetDropout { rate: 0.2 },
        );
    }
    let decay_limit = match train.optimizer {
        Optimizer::Sgd(_) => 0.01,
        Optimizer::Adam(_) => 0.003,
        Optimizer::AdamW(_) | Optimizer::Muon(_) => 0.5,
    };
    if train.weight_decay > decay_limit {
        suspect(
            format!("a weight decay of {} pulls the weights to zero", train.weight_decay),
            Edit::SetWeightDecay { decay: 0.0 },
        );
    }
    if holds_back(smoothed) {
        suspect(
            format!(
                "label smoothing of {} leaves little information in the labels",
                train.label_smoothing
            ),
            Edit::SetLabelSmoothing { share: 0.0 },
        );
    }
    if holds_back(distorted) {
        let augment = moderate_augment(spec);
        suspect(
            "training images are distorted beyond recognition".into(),
            Edit::SetAugment { augment },
        );
    }
    found
}

/// Distortions mild enough for small drawings. Flips and changes of colour stay as the study sets them, because only
/// its author knows whether they preserve the class.
pub fn moderate_augment(spec: &Spec) -> Augment {
    let side = spec.input().height.min(spec.input().width);
    let present = spec.train().augment;
    Augment {
        shift: (side as u32 / 14).max(1),
        rotate: 10.0,
        scale: 0.1,
        elastic: 1.0,
        cutout: present.cutout.min(side as u32 / 4),
        ..present
    }
}

fn initial_biases(spec: &Spec) -> Vec<Suspect> {
    let biases = spec.layers().iter().filter_map(|layer| match layer {
        Layer::Conv(Conv { initial_bias, .. }) => Some(*initial_bias),
        Layer::Dense(dense) => Some(dense.initial_bias),
        _ => None,
    });
    let worst =
        biases.fold(0.0, |worst: f64, bias| if bias.abs() > worst.abs() { bias } else { worst });
    if worst.abs() <= 0.75 {
        return Vec::new();
    }
    vec![Suspect {
        effect: Effect::BadStart,
        what: format!(
            "initial biases of {worst} put units where their activation is saturated or zero"
        ),
        edits: vec![Edit::SetInitialBias { bias: 0.0 }],
    }]
}

/// Saturating activations shrink the gradient; several in a row make it vanish (Glorot and Bengio
/// 2010). Layers without any activation amount to a single linear one.
fn vanishing_gradients(spec: &Spec) -> Vec<Suspect> {
    let layers = spec.layers();
    let with_weights = |layer: &&Layer| matches!(layer, Layer::Conv(_) | Layer::Dense(_));
    let count =
        |kind: Activation| layers.iter().filter(|layer| layer.activation() == Some(kind)).count();
    let hidden = layers.iter().filter(with_weights).count();
    let has_activation =
        layers.iter().filter_map(Layer::activation).any(|kind| kind != Activation::None);
    let what = if count(Activation::Sigmoid) >= 1 {
        let sigmoid = count(Activation::Sigmoid);
        format!("{sigmoid} sigmoid layers each pass on at most a quarter of the gradient")
    } else if count(Activation::Tanh) >= 3 {
        format!("{} tanh layers saturate one after another", count(Activation::Tanh))
    } else if hidden >= 1 && !has_activation {
        "layers without an activation between them amount to a single linear layer".into()
    } else {
        return Vec::new();
    };
    vec![Suspect {
        effect: Effect::Fading,
        what,
        edits: vec![Edit::SetActivation { activation: Activation::Relu }],
    }]
}

fn batch_norm_mismatch(spec: &Spec, images: usize) -> Vec<Suspect> {
    let steps = (images.div_ceil(spec.train().batch_size) * spec.train().epochs).max(1) as f64;
    let norms = spec.layers().iter().filter_map(|layer| match layer {
        Layer::BatchNorm(norm) => Some(norm),
        _ => None,
    });
    for norm in norms {
        let is_stale = norm.momentum * steps < 3.0;
        if is_stale || norm.momentum > 0.9 || norm.epsilon > 0.1 {
            let BatchNorm { momentum, epsilon, .. } = BatchNorm::default();
            return vec![Suspect {
                effect: Effect::Mismatch,
                what: format!(
                    "batch normalization with a momentum of {} and an epsilon of {} does not track the statistics of the activations",
                    norm.momentum, norm.epsilon
                ),
                edits: vec![Edit::SetBatchNorm { momentum, epsilon }],
            }];
        }
    }
    Vec::new()
}

fn too_few_steps(train: &TrainSpec, images: usize) -> Vec<Suspect> {
    let steps = images.div_ceil(train.batch_size);
    if train.batch_size > 512 && steps * train.epochs < 2000 {
        return vec![Suspect {
            effect: Effect::TooFewSteps,
            what: format!(
                "batches of {} give only {} steps in all",
                train.batch_size,
                steps * train.epochs
            ),
            edits: vec![Edit::SetBatchSize { images: RECOMMENDED_BATCH }],
        }];
    }
    Vec::new()
}

fn early_end(train: &TrainSpec) -> Vec<Suspect> {
    let is_hasty = |stopping: crate::spec::EarlyStopping| {
        stopping.min_improvement > 0.01 || stopping.patience < 2 && train.epochs > 3
    };
    match train.early_stopping {
        Some(stopping) if is_hasty(stopping) => vec![Suspect {
            effect: Effect::EndsEarly,
            what: format!(
                "training stops after {} epochs without an improvement of {}",
                stopping.patience, stopping.min_improvement
            ),
            edits: vec![Edit::SetEarlyStopping { stopping: None }],
        }],
        _ => Vec::new(),
    }
}
