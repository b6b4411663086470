//! The default policy: bold when far from the gate, careful when near.
//!
//! It grows the most accurate trial so far. A trial that is far from its gate is followed in one step by a member of
//! the [plain family](super::family), as wide and as long trained as the gate is expected to need on this data; what
//! that member reaches says how hard the data is, and the next one follows from it. Near the gate, and where settings
//! that are wrong explain the failure of a network that is large enough, the diagnosis names the effect, and the
//! cheapest edits that can help are made, with inherited weights. Whatever is unusual and does that effect is made
//! usual first, which costs nothing. What is expected of every proposal is recorded with it.

mod draft;
mod epochs;
mod next_member;
#[cfg(test)]
mod tests;

use self::draft::Draft;
use self::next_member::{continued_member, next_member};
use super::diagnosis::diagnose;
use super::family;
use super::forecaster::{COMPUTE_FACTOR_MIN, Forecaster};
use super::growth::{is_small_for_its_gate, reductions, step_beyond_target, step_towards_target};
use super::history::TrialRecord;
use super::policy::{Policy, Proposal};
use super::recommended::{
    Effect, RECOMMENDED_BATCH, Suspect, moderate_augment, recommended_batch, recommended_rate,
    round_to_digits, suspects,
};
use crate::record::{Diagnosis, Ending, Inherit, RangeTest};
use crate::spec::{Activation, Augment, Edit, Layer, Optimizer, Spec};

/// Grows the best trial so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grow;

impl Policy for Grow {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let parent = best(history)?;
        let finding = diagnose(parent, false);
        let failed = FailedTrial::new(parent);
        if finding.diagnosis == Diagnosis::DataSuspicious && failed.cannot_be_solved() {
            return None;
        }
        let forecaster = Forecaster::new(history)?;
        let tried = |edits: &[Edit]| {
            let mut children = history.iter().filter(|trial| trial.parent == Some(parent.trial));
            children.any(|trial| trial.edits == edits)
        };
        let is_running = |spec: &Spec| running.iter().any(|proposal| proposal.spec == *spec);
        let drafts = ordered_drafts(history, &failed, &forecaster, finding.diagnosis);
        let draft = drafts.into_iter().find(|draft| {
            !draft.edits().is_empty() && !tried(draft.edits()) && !is_running(draft.spec())
        })?;
        let forecast = forecaster.forecast(parent, draft.spec(), draft.inherit());
        let mut proposal = draft.into_proposal(parent.trial, &finding);
        if let Some(why) = &forecast.out_of_reach {
            proposal.reason += &format!("; {why}");
        }
        proposal.forecast = Some(forecast);
        Some(proposal)
    }

    /// The most accurate trial alone: one that another has passed stays behind it.
    fn may_grow_from(&self, trial: &TrialRecord, history: &[TrialRecord]) -> bool {
        best(history).is_some_and(|best| best.trial == trial.trial)
    }
}

/// A trial that makes fewer than so many times the errors that its gate allows is near it.
const NEAR: f64 = 2.2;
/// Weights that come so far on the way from guessing to no error are worth keeping.
const LEARNED: f64 = 0.2;

/// The trial to grow from: the most accurate one; a later one wins over an equal one, because
/// growth that did not hurt is growth.
fn best(history: &[TrialRecord]) -> Option<&TrialRecord> {
    history.iter().reduce(|best, trial| if trial.score() >= best.score() { trial } else { best })
}

/// What can be tried next, the most promising first.
fn ordered_drafts(
    history: &[TrialRecord],
    failed: &FailedTrial,
    forecaster: &Forecaster,
    diagnosis: Diagnosis,
) -> Vec<Draft> {
    let parent = failed.parent;
    let is_member = family::width_of(&parent.spec).is_some();
    let large_step = || next_member(parent, forecaster);
    let small_edits = failed.drafts(diagnosis);
    if is_member {
        let compute = forecaster.next_compute() / forecaster.compute_of(parent).max(1e-9);
        let near = compute < 1.01 * COMPUTE_FACTOR_MIN;
        let mut drafts = vec![large_step()];
        if near {
            drafts.insert(0, continued_member(parent, forecaster));
        }
        drafts.extend(small_edits);
        return drafts;
    }
    // One small edit for a network that is large enough.
    let others = history.iter().filter(|trial| family::width_of(&trial.spec).is_none()).count();
    let is_explained = failed.is_near() || !failed.suspects.is_empty();
    let is_worth_a_try = others < 2 && is_explained && !is_small_for_its_gate(failed.spec);
    let mut drafts: Vec<Draft> = small_edits.collect();
    if !is_worth_a_try {
        drafts.insert(0, large_step());
        return drafts;
    }
    // Near the gate, what was learned is not given up while an edit is left that keeps it.
    let keeps = |draft: &Draft| !draft.edits().is_empty() && draft.inherit() != Inherit::Nothing;
    if failed.is_near()
        && let Some(at) = drafts.iter().position(keeps)
    {
        drafts[..=at].rotate_right(1);
    }
    drafts.insert(1.min(drafts.len()), large_step());
    drafts
}

/// A failed trial that asks for a remedy.
struct FailedTrial<'a> {
    parent: &'a TrialRecord,
    spec: &'a Spec,
    images: usize,
    suspects: Vec<Suspect>,
}

impl<'a> FailedTrial<'a> {
    fn new(parent: &'a TrialRecord) -> Self {
        let images = parent.images_per_epoch();
        let spec = &parent.spec;
        Self { parent, spec, images, suspects: suspects(spec, images) }
    }

    /// What can help, the most promising first. Behind the remedies of the diagnosis stand others,
    /// so that the policy goes on while anything is left to try.
    fn drafts(&self, diagnosis: Diagnosis) -> impl Iterator<Item = Draft> + '_ {
        let first = match diagnosis {
            Diagnosis::Diverged | Diagnosis::LearningRateTooHigh => {
                vec![
                    self.repaired(&[Effect::StepsTooLong, Effect::BadStart]),
                    self.with_lower_rate(),
                ]
            }
            Diagnosis::LearningRateTooLow => {
                vec![self.repaired(&[Effect::StepsTooShort]), self.with_higher_rate()]
            }
            Diagnosis::Stalled => vec![
                self.repaired(&[Effect::BadStart, Effect::Fading, Effect::Mismatch]),
                self.with_batch_norm(),
                self.with_lower_rate(),
            ],
            Diagnosis::OverRegularized => vec![self.repaired(&[Effect::HeldBack])],
            Diagnosis::StillImproving => vec![self.trained_longer()],
            Diagnosis::Overfit => vec![self.augmented(), self.with_dropout()],
            Diagnosis::Underfit | Diagnosis::DataSuspicious | Diagnosis::Healthy => Vec::new(),
        };
        let rest = [
            self.grown(),
            self.trained_longer(),
            self.augmented(),
            self.with_relu(),
            self.with_adam(),
            self.with_lower_rate(),
            self.with_higher_rate(),
        ];
        first.into_iter().chain(rest).collect::<Vec<_>>().into_iter()
    }

    /// No edit brings back what the images do not show.
    fn cannot_be_solved(&self) -> bool {
        self.parent.probe().is_some_and(|probe| {
            let known = 1.0 - probe.missing_classes.len() as f64 / self.spec.input().classes as f64;
            probe.pixel_deviation < 1e-6 || self.spec.gate().accuracy > known
        })
    }

    /// How many times more images the trial gets wrong than its gate allows.
    fn distance(&self) -> f64 {
        let allowed = (1.0 - self.spec.gate().highest_floor()).max(1e-3);
        (1.0 - self.parent.score()) / allowed
    }

    fn is_far(&self) -> bool {
        self.distance() > 2.5
    }

    /// Whether a small edit, or training on, may reach the gate.
    fn is_near(&self) -> bool {
        self.distance() < NEAR
    }

    /// What a remedy may keep: weights that do more than guess.
    fn usable_weights(&self) -> Inherit {
        // Measured from guessing on, which is right for two classes as for a thousand.
        let guess = self.parent.guess();
        let learned = guess + LEARNED * (1.0 - guess);
        match self.parent.ending == Ending::Diverged || self.parent.score() < learned {
            true => Inherit::Nothing,
            false => Inherit::Weights,
        }
    }

    fn draft(&self, inherit: Inherit) -> Draft {
        Draft::new(self.spec, inherit)
    }

    /// Makes usual whatever does one of these effects, and everything unusual where the trial is far
    /// from its gate.
    fn repaired(&self, effects: &[Effect]) -> Draft {
        let mut draft = self.draft(self.usable_weights());
        if !self.suspects.iter().any(|suspect| effects.contains(&suspect.effect)) {
            return draft;
        }
        let (named, others): (Vec<&Suspect>, Vec<&Suspect>) =
            self.suspects.iter().partition(|suspect| effects.contains(&suspect.effect));
        draft.repair(&named);
        self.use_tested_rate(&mut draft);
        if self.is_far() {
            draft.repair(&others);
            if is_small_for_its_gate(self.spec) {
                self.grow(&mut draft);
            }
        }
        self.regularize_few_images(&mut draft);
        self.train_long_enough(&mut draft);
        draft
    }

    /// Where only the rate was wrong, the test of this very network knows a better one than the
    /// usual.
    fn use_tested_rate(&self, draft: &mut Draft) {
        if let [Edit::SetLearningRate { .. }] = draft.edits()
            && self.parent.rates.as_ref().and_then(RangeTest::suggestion).is_some()
        {
            *draft = self.draft(self.usable_weights());
            let because = "the learning rate that a range test found";
            draft.make(Edit::SetLearningRate { rate: self.good_rate() }, because);
        }
    }

    /// Mends what is left, and takes as many steps as the distance from the gate asks for.
    fn grown(&self) -> Draft {
        let mut draft = self.draft(self.usable_weights());
        draft.repair(&self.suspects.iter().collect::<Vec<_>>());
        self.grow(&mut draft);
        if draft.edits().is_empty()
            && let Some((edit, because)) = step_beyond_target(self.spec, self.images)
        {
            draft.make(edit, because);
        }
        self.shrink_and_perturb(&mut draft);
        self.regularize_few_images(&mut draft);
        self.train_long_enough(&mut draft);
        self.anneal(&mut draft);
        draft
    }

    /// A network that is sure of nearly every image sends so little gradient back that what is grafted
    /// onto it hardly learns: half of each weight starts afresh, and smoothed labels keep it from being
    /// sure. The example `inheritance` measures what that is worth.
    fn shrink_and_perturb(&self, draft: &mut Draft) {
        let is_sure = self.parent.curve.last().is_some_and(|last| last.train_accuracy > 0.97);
        let grows = draft.edits().iter().any(Edit::changes_network);
        if !is_sure || !grows || draft.inherit() != Inherit::Weights {
            return;
        }
        draft.refresh(
            "a network that already fits nearly every image learns further once its weights are shrunk and perturbed",
        );
        if draft.spec().train().label_smoothing == 0.0 {
            let because = "label smoothing keeps it from becoming overconfident";
            draft.make(Edit::SetLabelSmoothing { share: 0.1 }, because);
        }
    }

    fn grow(&self, draft: &mut Draft) {
        let steps = self.distance().log2().ceil().clamp(1.0, 6.0) as usize;
        for _ in 0..steps {
            let Some((edit, because)) = step_towards_target(draft.spec(), self.images) else {
                break;
            };
            if !draft.make(edit, because) {
                break;
            }
        }
    }

    /// Trains on from the last state.
    fn trained_longer(&self) -> Draft {
        let is_spoiled = self.usable_weights() == Inherit::Nothing;
        let mut draft = self.draft(if is_spoiled { Inherit::Nothing } else { Inherit::State });
        draft.repair(&self.suspects.iter().collect::<Vec<_>>());
        self.regularize_few_images(&mut draft);
        let more = epochs::more_epochs(self.parent, draft.spec());
        draft.make(Edit::AddEpochs { epochs: more }, "training continues from its last state");
        self.anneal(&mut draft);
        draft
    }

    /// The rate that a range test found, within the range in which rates work for most networks;
    /// the usual one where none was found.
    fn good_rate(&self) -> f64 {
        let usual = recommended_rate(&self.spec.train().optimizer);
        let tested = self.parent.rates.as_ref().and_then(RangeTest::suggestion);
        tested.map_or(usual, |rate| round_to_digits(rate.clamp(usual / 3.0, usual * 3.0), 2))
    }

    fn with_lower_rate(&self) -> Draft {
        let rate = self.spec.train().learning_rate;
        let good = self.good_rate();
        let rate = if rate > 2.0 * good { good } else { round_to_digits(rate / 10.0, 2) };
        let mut draft = self.draft(Inherit::Nothing);
        let because = "shorter steps, from fresh weights because the present ones have diverged";
        draft.make(Edit::SetLearningRate { rate }, because);
        self.train_long_enough(&mut draft);
        draft
    }

    fn with_higher_rate(&self) -> Draft {
        let rate = self.spec.train().learning_rate;
        let good = self.good_rate();
        let rate = if rate < good / 2.0 { good } else { round_to_digits(rate * 3.0, 2) };
        let mut draft = self.draft(self.usable_weights());
        draft.make(Edit::SetLearningRate { rate }, "longer steps from its present weights");
        self.train_long_enough(&mut draft);
        draft
    }

    /// Shows more of what an image may look like, to a network that is no larger than it has to be.
    fn augmented(&self) -> Draft {
        let mut draft = self.draft(self.usable_weights());
        draft.repair(&self.suspects.iter().collect::<Vec<_>>());
        self.shrink(&mut draft);
        self.augment(&mut draft);
        if draft.edits().is_empty() {
            return draft;
        }
        self.train_long_enough(&mut draft);
        self.anneal(&mut draft);
        draft
    }

    /// A network of many times more weights than images learns them by heart, and slowly.
    fn shrink(&self, draft: &mut Draft) {
        if self.spec.table().parameters() < 100 * self.images {
            return;
        }
        for edit in reductions(self.spec, self.images) {
            draft.make(edit, "so many weights can memorize so few images");
        }
    }

    fn augment(&self, draft: &mut Draft) {
        let augment = moderate_augment(self.spec);
        let present = self.spec.train().augment;
        if present != augment && is_weaker(present, augment) {
            let because = "images that are distorted differently in each epoch cannot be memorized";
            draft.make(Edit::SetAugment { augment }, because);
        }
    }

    /// Few images are seen so often that they have to look different every time.
    fn regularize_few_images(&self, draft: &mut Draft) {
        if self.images < 6000 && self.spec.gate().highest_floor() > 0.93 {
            self.shrink(draft);
            self.augment(draft);
        }
        let fitting = recommended_batch(self.images);
        if self.images < 2000 && draft.spec().train().batch_size > fitting {
            let because = "so few images give few steps an epoch";
            draft.make(Edit::SetBatchSize { images: fitting }, because);
        }
    }

    fn with_dropout(&self) -> Draft {
        let mut draft = self.draft(self.usable_weights());
        let has_dropout = self.spec.layers().iter().any(|layer| matches!(layer, Layer::Dropout(_)));
        if !has_dropout {
            let at = self.spec.layers().len();
            let because = "a network that cannot rely on any single unit memorizes less";
            draft.make(Edit::AddDropout { at, rate: 0.3 }, because);
            self.train_long_enough(&mut draft);
        }
        draft
    }

    /// Batch normalization keeps signals within bounds whatever the layers do (Ioffe, Szegedy 2015).
    fn with_batch_norm(&self) -> Draft {
        let mut draft = self.draft(Inherit::Nothing);
        let layers = self.spec.layers();
        let is_normalized = layers.iter().any(|layer| matches!(layer, Layer::BatchNorm(_)));
        let deep = layers.iter().enumerate().rev();
        let deep = deep.filter(|(_, layer)| matches!(layer, Layer::Conv(_) | Layer::Dense(_)));
        if !is_normalized {
            for (layer, _) in deep {
                let because = "normalized activations neither vanish nor explode";
                draft.make(Edit::AddBatchNorm { layer }, because);
            }
            self.train_long_enough(&mut draft);
        }
        draft
    }

    fn with_relu(&self) -> Draft {
        let mut draft = self.draft(Inherit::Nothing);
        let squashes = self
            .spec
            .layers()
            .iter()
            .filter_map(Layer::activation)
            .any(|activation| matches!(activation, Activation::Sigmoid | Activation::Tanh));
        if squashes {
            let because = "relu passes gradients on where sigmoid and tanh saturate";
            draft.make(Edit::SetActivation { activation: Activation::Relu }, because);
            self.train_long_enough(&mut draft);
        }
        draft
    }

    fn with_adam(&self) -> Draft {
        let mut draft = self.draft(self.usable_weights());
        if matches!(self.spec.train().optimizer, Optimizer::Sgd(_)) {
            let optimizer = Optimizer::default();
            let rate = recommended_rate(&optimizer);
            let because = "adam adapts the step length of every weight by itself";
            draft.make(Edit::SetOptimizer { optimizer }, because);
            draft.make(Edit::SetLearningRate { rate }, because);
            self.train_long_enough(&mut draft);
        }
        draft
    }

    fn train_long_enough(&self, draft: &mut Draft) {
        let wanted = |draft: &Draft| epochs::epochs_needed(draft.spec(), self.images);
        if wanted(draft) <= draft.spec().train().epochs {
            return;
        }
        let train = draft.spec().train();
        // The rate of plain gradient descent belongs to its batch; adam's does not.
        if train.optimizer.is_adaptive() && train.batch_size > RECOMMENDED_BATCH {
            let because = "smaller batches make as many steps from fewer images";
            draft.make(Edit::SetBatchSize { images: RECOMMENDED_BATCH }, because);
        }
        let epochs = wanted(draft);
        if epochs > draft.spec().train().epochs {
            let because = "networks that pass such a gate need about that many steps";
            draft.make(Edit::SetEpochs { epochs }, because);
        }
    }

    /// A rate that falls at the end settles what was learned.
    fn anneal(&self, draft: &mut Draft) {
        if let Some((schedule, rate)) = epochs::annealing(draft.spec()) {
            let because = "a learning rate that falls towards the end lets training converge";
            draft.make(Edit::SetSchedule { schedule, warm_up: 0.0 }, because);
            if rate != draft.spec().train().learning_rate {
                draft.make(Edit::SetLearningRate { rate }, because);
            }
        }
    }
}

fn is_weaker(present: Augment, than: Augment) -> bool {
    present.shift < than.shift && present.rotate < than.rotate && present.elastic < than.elastic
}
