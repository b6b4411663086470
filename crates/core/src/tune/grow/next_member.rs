//! The large step: a member of the plain family in one proposal, of the compute that the gate needs.

use super::draft::Draft;
use crate::record::Inherit;
use crate::spec::{Edit, Layer, Optimizer, Schedule};
use crate::tune::family::{self, Member, PEAK_RATE};
use crate::tune::forecaster::Forecaster;
use crate::tune::history::TrialRecord;
use crate::tune::variety::Variety;

/// The member of the family that the gate is expected to need, built from the spec of `parent` in one step.
pub(super) fn next_member(parent: &TrialRecord, forecaster: &Forecaster) -> Draft {
    let mut compute = forecaster.next_compute();
    // Where a limit on parameters or operations refuses the member, a narrower one trains for longer.
    for _ in 0..24 {
        let draft = member_draft(parent, forecaster, compute);
        if draft.edits().iter().any(|edit| matches!(edit, Edit::SetLayers { .. })) {
            return draft;
        }
        if family::width_of(draft.spec()).is_some() && !draft.edits().is_empty() {
            return draft;
        }
        compute /= 2.0;
    }
    Draft::new(&parent.spec, Inherit::Nothing)
}

fn member_draft(parent: &TrialRecord, forecaster: &Forecaster, compute: f64) -> Draft {
    let (spec, member) = (&parent.spec, forecaster.member(compute));
    let variety = match family::width_of(spec) {
        Some(_) => Variety::after(parent, member.epochs),
        None => Variety::first(spec.input(), member.epochs),
    };
    let mut draft = Draft::new(spec, Inherit::Nothing);
    let form = format!(
        "a pyramid of {} convolutions from {} filters on, with batch-norm, along one cycle",
        family::depth(spec.input()),
        member.width
    );
    let because = form.as_str();
    let images = parent.images_per_epoch();
    for edit in training_edits(parent, images, member) {
        draft.make(edit, because);
    }
    set_augment(&mut draft, variety, forecaster.may_mirror(parent));
    let layers = family::layers(spec.input(), member.width, variety.dropout());
    if layers != *spec.layers() {
        draft.make(Edit::SetLayers { layers }, because);
    }
    draft
}

fn set_augment(draft: &mut Draft, variety: Variety, may_mirror: bool) {
    let mut augment = variety.augment(draft.spec().input(), draft.spec().train().augment);
    let mut because = "images that look different each time cannot be memorized";
    if variety >= Variety::Moved && !augment.flip && may_mirror {
        augment.flip = true;
        because = "what was learned holds for mirrored images too, so that they are more images to learn from";
    }
    draft.make(Edit::SetAugment { augment }, because);
}

/// How members are trained. What a study says of it itself, it keeps where that does not stand in the way.
fn training_edits(parent: &TrialRecord, images: usize, member: Member) -> Vec<Edit> {
    let train = parent.spec.train();
    let mut edits = vec![Edit::SetLearningRate { rate: PEAK_RATE }];
    if train.optimizer != Optimizer::default() {
        edits.push(Edit::SetOptimizer { optimizer: Optimizer::default() });
    }
    edits.push(Edit::SetSchedule { schedule: Schedule::one_cycle(), warm_up: 0.0 });
    edits.push(Edit::SetBatchSize { images: family::batch(images) });
    if train.weight_decay > 0.0 {
        edits.push(Edit::SetWeightDecay { decay: 0.0 });
    }
    if train.label_smoothing > 0.1 {
        edits.push(Edit::SetLabelSmoothing { share: 0.0 });
    }
    if train.gradient_clipping.is_some() {
        edits.push(Edit::SetGradientClipping { clipping: None });
    }
    if train.early_stopping.is_some() {
        edits.push(Edit::SetEarlyStopping { stopping: None });
    }
    edits.push(Edit::SetEpochs { epochs: member.epochs });
    edits
}

/// The same member, or a wider one, that goes on from its parent's weights.
pub(super) fn continued_member(parent: &TrialRecord, forecaster: &Forecaster) -> Draft {
    let mut draft = Draft::new(&parent.spec, Inherit::Weights);
    let more = (forecaster.next_compute() / forecaster.compute_of(parent).max(1e-9)).max(2.0) - 1.0;
    let seen = parent.curve.last().map_or(1, |last| last.epoch).max(1);
    let epochs = ((seen as f64 * more).ceil() as usize).max(1);
    let epochs = forecaster.affordable_epochs(&parent.spec, epochs);
    // As many as before would be no edit.
    let is_same = epochs == parent.spec.train().epochs;
    let epochs = if is_same { epochs.saturating_sub(1).max(1) } else { epochs };
    let variety = Variety::after(parent, seen + epochs);
    set_augment(&mut draft, variety, forecaster.may_mirror(parent));
    if variety.dropout() > 0.0 {
        let layers = draft.spec().layers();
        let has_dropout = layers.iter().any(|layer| matches!(layer, Layer::Dropout(_)));
        let dense = layers.iter().position(|layer| matches!(layer, Layer::Dense(_)));
        if let (false, Some(at)) = (has_dropout, dense) {
            let because = "a network that cannot rely on any single unit memorizes less";
            draft.make(Edit::AddDropout { at, rate: variety.dropout() }, because);
        }
    }
    draft.make(Edit::SetEpochs { epochs }, "another cycle continues from its weights");
    draft
}
