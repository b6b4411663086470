//! Looks for the smallest network that passes the gate, once one has passed.

use super::history::TrialRecord;
use super::policy::{Policy, Proposal};
use crate::record::Inherit;
use crate::spec::{Edit, FeatureShape, Layer, Schedule, Spec};

/// Shrinks the smallest trial that passes the gate, inheriting its weights. Used with `goal = "smallest"`.
#[derive(Debug, Clone, Default)]
pub struct Shrink {
    /// Numbers of the trials that passed the gate.
    pub passing: Vec<u32>,
}

/// A child that misses the gate by no more than this is trained longer, once.
const NEAR: f64 = 0.004;
/// The smallest share of the parameters that a child may keep.
const SHARE_MIN: f64 = 0.3;
/// The largest share of the parameters that is still worth a trial.
const SHARE_MAX: f64 = 0.95;

impl Policy for Shrink {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let base = self.base(history)?;
        let is_running = |spec: &Spec| running.iter().any(|proposal| proposal.spec == *spec);
        let again = self.second_chance(history, base);
        again.filter(|proposal| !is_running(&proposal.spec)).or_else(|| {
            candidates(&base.spec).into_iter().find_map(|(edits, because)| {
                let tried = history
                    .iter()
                    .any(|trial| trial.parent == Some(base.trial) && trial.edits == edits);
                let spec = Edit::apply_all(&edits, &base.spec).ok()?;
                (!tried && !is_running(&spec)).then(|| proposal(base, edits, spec, because))
            })
        })
    }

    /// The smallest trial that passes, and the last one, which may be trained longer.
    fn may_grow_from(&self, trial: &TrialRecord, history: &[TrialRecord]) -> bool {
        [self.base(history), history.last()]
            .into_iter()
            .flatten()
            .any(|may| may.trial == trial.trial)
    }
}

impl Shrink {
    /// The smallest trial that passes.
    fn base<'h>(&self, history: &'h [TrialRecord]) -> Option<&'h TrialRecord> {
        let passing = history.iter().filter(|trial| self.passing.contains(&trial.trial));
        passing.min_by_key(|trial| (trial.spec.table().parameters(), trial.trial))
    }

    /// Longer training for the last trial, if it is smaller and just missed the gate.
    fn second_chance(&self, history: &[TrialRecord], base: &TrialRecord) -> Option<Proposal> {
        let last = history.last()?;
        let is_second = matches!(last.edits.as_slice(), [Edit::SetEpochs { .. }]);
        let missed = last.spec.gate().highest_floor() - last.score();
        let smaller = last.spec.table().parameters() < base.spec.table().parameters();
        if self.passing.contains(&last.trial) || is_second || missed > NEAR || !smaller {
            return None;
        }
        let edits = vec![Edit::SetEpochs { epochs: last.spec.train().epochs * 2 }];
        let spec = Edit::apply_all(&edits, &last.spec).ok()?;
        Some(proposal(
            last,
            edits,
            spec,
            "it missed the gate only narrowly, so it is trained for longer",
        ))
    }
}

fn proposal(parent: &TrialRecord, edits: Vec<Edit>, spec: Spec, because: &str) -> Proposal {
    let (was, is) = (parent.spec.table().parameters(), spec.table().parameters());
    Proposal {
        parent: parent.trial,
        edits,
        reason: format!("the gate is passed; {because}: {is} parameters instead of {was}"),
        inherit: Inherit::Weights,
        spec,
        forecast: None,
    }
}

/// Ways to shrink a network, the smallest result first.
fn candidates(spec: &Spec) -> Vec<(Vec<Edit>, &'static str)> {
    let mut found: Vec<(Vec<Edit>, &'static str)> = Vec::new();
    for share in [0.5, 0.7, 0.85] {
        found.push((narrower(spec, share, None), "fewer units in all layers may suffice"));
    }
    for (layer, kind) in spec.layers().iter().enumerate() {
        match kind {
            Layer::Dense(_) => {
                found.push((vec![Edit::RemoveLayer { layer }], "it may not need a hidden layer"));
                found.push((
                    narrower(spec, 0.5, Some(layer)),
                    "a narrower hidden layer may suffice",
                ));
            }
            Layer::Conv(_) => {
                found.push((narrower(spec, 0.7, Some(layer)), "a narrower conv layer may suffice"));
            }
            _ => {}
        }
    }
    found
        .extend(pooled(spec).map(|edit| (vec![edit], "a smaller feature map needs fewer weights")));
    let parameters = spec.table().parameters() as f64;
    let mut sized: Vec<(f64, (Vec<Edit>, &'static str))> = found
        .into_iter()
        .filter_map(|(mut edits, because)| {
            if spec.train().schedule == (Schedule::Constant {}) {
                edits.push(Edit::SetSchedule { schedule: Schedule::one_cycle(), warm_up: 0.0 });
            }
            let child = Edit::apply_all(&edits, spec).ok()?;
            let share = child.table().parameters() as f64 / parameters;
            (SHARE_MIN..=SHARE_MAX).contains(&share).then_some((share, (edits, because)))
        })
        .collect();
    sized.sort_by(|a, b| a.0.total_cmp(&b.0));
    sized.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Edits that narrow every layer, or `only` one, to a share of its units.
fn narrower(spec: &Spec, share: f64, only: Option<usize>) -> Vec<Edit> {
    let layers = spec.layers().iter().enumerate();
    let layers = layers.filter(|(layer, _)| only.is_none_or(|only| only == *layer));
    let edits = layers.filter_map(|(layer, kind)| {
        let width = match kind {
            Layer::Conv(conv) => conv.filters,
            Layer::Dense(dense) => dense.units,
            _ => return None,
        };
        let less = ((width as f64 * share).round() as usize).max(2);
        (less < width).then_some(Edit::Narrow { layer, width: less })
    });
    edits.collect()
}

/// A conv block that halves the feature map before the classifier.
fn pooled(spec: &Spec) -> Option<Edit> {
    let (at, shape) = spec.end_of_features();
    let FeatureShape::Image { channels, height, width } = shape? else {
        return None;
    };
    (height.min(width) >= 6).then_some(Edit::AddConvBlock {
        at,
        filters: channels,
        kernel: 3,
        pool: true,
    })
}

#[cfg(test)]
mod tests;
