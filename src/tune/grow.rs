//! The default policy: diagnosis → the cheapest edit that can help.

use super::diagnosis::{Diagnosis, diagnose, usual_rate};
use super::history::{TrialEnding, TrialRecord};
use super::policy::{Inherit, Policy, Proposal};
use crate::spec::{Activation, AdamParameters, Edit, FeatureShape, Layer, Optimizer, Spec};

/// Grows the best trial so far, one edit at a time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grow;

impl Policy for Grow {
    fn propose(&self, history: &[TrialRecord]) -> Option<Proposal> {
        let parent = best(history)?;
        let finding = diagnose(parent, false);
        let tried = |edits: &[Edit]| {
            let mut children = history.iter().filter(|trial| trial.parent == Some(parent.trial));
            children.any(|trial| trial.edits == edits)
        };
        remedies(finding.diagnosis, parent)
            .into_iter()
            .filter(|remedy| !tried(&remedy.edits))
            .find_map(|remedy| {
                let spec = remedy.apply(&parent.spec)?;
                Some(Proposal {
                    parent: parent.trial,
                    reason: format!(
                        "{}: {}; {}",
                        finding.diagnosis, finding.evidence, remedy.because
                    ),
                    edits: remedy.edits,
                    inherit: remedy.inherit,
                    spec,
                })
            })
    }
}

/// The trial to grow from: the most accurate one; a later one wins over an equal one, because
/// growth that did not hurt is growth.
fn best(history: &[TrialRecord]) -> Option<&TrialRecord> {
    history
        .iter()
        .reduce(|best, trial| if trial.accuracy() >= best.accuracy() { trial } else { best })
}

struct Remedy {
    edits: Vec<Edit>,
    because: &'static str,
    inherit: Inherit,
}

impl Remedy {
    fn new(edit: Edit, because: &'static str, inherit: Inherit) -> Self {
        Self { edits: vec![edit], because, inherit }
    }

    /// The edited spec; `None` where the edits do not apply or the result would not work.
    fn apply(&self, spec: &Spec) -> Option<Spec> {
        let mut edits = self.edits.iter();
        let edited = edits.try_fold(spec.clone(), |spec, edit| edit.apply(&spec)).ok()?;
        (edited != *spec).then_some(edited)
    }
}

/// What can help, the most promising first. Behind the remedies of the diagnosis stand all the
/// others, so that the policy goes on while anything is left to try.
fn remedies(diagnosis: Diagnosis, parent: &TrialRecord) -> Vec<Remedy> {
    let spec = &parent.spec;
    let first = match diagnosis {
        Diagnosis::Diverged | Diagnosis::LearningRateTooHigh => vec![slower(spec)],
        Diagnosis::LearningRateTooLow => vec![faster(spec, parent)],
        Diagnosis::Stalled => activation(spec).into_iter().chain([slower(spec)]).collect(),
        Diagnosis::StillImproving => vec![longer(parent)],
        Diagnosis::Underfit | Diagnosis::Overfit | Diagnosis::Healthy => Vec::new(),
    };
    // A layer of a few filters holds back whatever stands before and behind it.
    let growth = match narrowest(spec) {
        Some((width, ..)) if width < 8 => [wider(spec), block(spec)],
        _ => [block(spec), wider(spec)],
    };
    let growth = growth.into_iter().chain([activation(spec), dense(spec), optimizer(spec)]);
    let last = [longer(parent), slower(spec), faster(spec, parent)];
    first.into_iter().chain(growth.flatten()).chain(last).collect()
}

fn slower(spec: &Spec) -> Remedy {
    let rate = spec.train().learning_rate;
    let usual = usual_rate(&spec.train().optimizer);
    Remedy::new(
        Edit::SetLearningRate { rate: if rate > 2.0 * usual { usual } else { rate / 10.0 } },
        "shorter steps, from fresh weights because the present ones are spoiled",
        Inherit::Nothing,
    )
}

fn faster(spec: &Spec, parent: &TrialRecord) -> Remedy {
    let rate = spec.train().learning_rate;
    let usual = usual_rate(&spec.train().optimizer);
    Remedy::new(
        Edit::SetLearningRate { rate: if rate < usual / 2.0 { usual } else { rate * 3.0 } },
        "longer steps from where it stands",
        unless_diverged(parent, Inherit::Weights),
    )
}

fn longer(parent: &TrialRecord) -> Remedy {
    Remedy::new(
        Edit::AddEpochs { epochs: parent.spec.train().epochs.max(1) },
        "training goes on from its last state",
        unless_diverged(parent, Inherit::State),
    )
}

fn unless_diverged(parent: &TrialRecord, inherit: Inherit) -> Inherit {
    if parent.ending == TrialEnding::Diverged { Inherit::Nothing } else { inherit }
}

/// A conv block behind the present ones while the image is large enough to halve; otherwise one
/// before them.
fn block(spec: &Spec) -> Option<Remedy> {
    let convs = spec.layers().iter().filter_map(|layer| match layer {
        Layer::Conv(conv) => Some(conv.filters),
        _ => None,
    });
    let (count, widest) =
        convs.fold((0, 0), |(count, widest), filters| (count + 1, widest.max(filters)));
    if count >= 6 {
        return None;
    }
    let (end, shape) = spec.end_of_features();
    let side = match shape {
        Some(FeatureShape::Image { height, width, .. }) => height.min(width),
        _ => 0,
    };
    let input_side = spec.input().height.min(spec.input().width);
    let (at, pool) = if side >= 7 { (end, true) } else { (0, false) };
    let kernel = match if at == 0 { input_side } else { side } {
        0..3 => return None,
        3..12 => 3,
        _ => 5,
    };
    Some(Remedy::new(
        Edit::AddConvBlock { at, filters: (2 * widest).clamp(8, 64), kernel, pool },
        "another layer sees larger parts of the image",
        Inherit::Weights,
    ))
}

fn wider(spec: &Spec) -> Option<Remedy> {
    let (width, layer, step) = narrowest(spec)?;
    Some(Remedy::new(
        Edit::Widen { layer, width: (2 * width).max(step) },
        "the narrowest layer lets through too little",
        Inherit::Weights,
    ))
}

/// The narrowest layer that may still be widened: its width, its index, and the width that a
/// widened one has at least.
fn narrowest(spec: &Spec) -> Option<(usize, usize, usize)> {
    let layers = spec.layers().iter().enumerate();
    let widths = layers.filter_map(|(index, layer)| match layer {
        Layer::Conv(conv) if conv.filters < 64 => Some((conv.filters, index, 8)),
        Layer::Dense(dense) if dense.units < 128 => Some((dense.units, index, 32)),
        _ => None,
    });
    widths.min()
}

fn dense(spec: &Spec) -> Option<Remedy> {
    let denses = spec.layers().iter().filter(|layer| matches!(layer, Layer::Dense(_))).count();
    (denses < 2).then(|| {
        Remedy::new(
            Edit::AddDense { at: spec.layers().len(), units: 64 },
            "a hidden layer combines what the features say",
            Inherit::Weights,
        )
    })
}

fn activation(spec: &Spec) -> Option<Remedy> {
    let squashes = spec.layers().iter().filter_map(Layer::activation);
    let squashes = squashes
        .into_iter()
        .any(|activation| matches!(activation, Activation::Sigmoid | Activation::Tanh));
    squashes.then_some(Remedy::new(
        Edit::SetActivation { activation: Activation::Relu },
        "relu lets gradients through where sigmoid and tanh flatten out",
        Inherit::Nothing,
    ))
}

fn optimizer(spec: &Spec) -> Option<Remedy> {
    let optimizer = Optimizer::Adam(AdamParameters::default());
    matches!(spec.train().optimizer, Optimizer::Sgd(_)).then(|| Remedy {
        edits: vec![
            Edit::SetLearningRate { rate: usual_rate(&optimizer) },
            Edit::SetOptimizer { optimizer },
        ],
        because: "adam finds a step length for every weight by itself",
        inherit: Inherit::Weights,
    })
}
