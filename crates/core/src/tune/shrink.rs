//! Looks for the smallest network that passes the gate, once one has passed.

use super::forecaster::allowed_error;
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

/// A child that misses the gate by no more than this share of the errors that it allows is trained longer, once.
const NEAR: f64 = 0.06;
/// The smallest share of the parameters that a child may keep.
const SHARE_MIN: f64 = 0.3;
/// The largest share of the parameters that is still worth a trial.
const SHARE_MAX: f64 = 0.95;
/// Errors fall with this power of the parameters, until a study's own trials say more: the median of the steps on four data
/// sets, where it was 0 to 1.3.
const POWER: f64 = 0.3;
/// As much as trials that differ by this much in ln(parameters)² say about the power, its prior says.
const POWER_WEIGHT: f64 = 0.5;
/// A child trains for at most so many times the epochs of the first network that passed.
const EPOCHS_FACTOR_MAX: f64 = 4.0;

impl Policy for Shrink {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let base = self.base(history)?;
        let is_running = |spec: &Spec| running.iter().any(|proposal| proposal.spec == *spec);
        let again = self.second_chance(history, base);
        again.filter(|proposal| !is_running(&proposal.spec)).or_else(|| {
            let mut found: Vec<Candidate> = candidates(&base.spec);
            let wanted = self.wanted(history, base);
            // What is smaller than a network that missed the gate comes last.
            let missed = self.missed(history, base).map_or(0.0, |[size, _]| size.exp());
            let key = |found: &Candidate| (found.is_hopeless(missed), found.distance(wanted));
            found.sort_by(|a, b| key(a).0.cmp(&key(b).0).then(key(a).1.total_cmp(&key(b).1)));
            found.into_iter().find_map(|candidate| {
                let mut edits = candidate.edits;
                let smaller = Edit::apply_all(&edits, &base.spec).ok()?;
                edits.extend(self.longer(history, &smaller));
                let tried = history
                    .iter()
                    .any(|trial| trial.parent == Some(base.trial) && trial.edits == edits);
                let spec = Edit::apply_all(&edits, &base.spec).ok()?;
                (!tried && !is_running(&spec))
                    .then(|| proposal(base, edits, spec, candidate.because))
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

    /// The first trial that passes, and those after it.
    fn shrunk<'h>(&self, history: &'h [TrialRecord]) -> impl Iterator<Item = &'h TrialRecord> {
        let first = self.passing.iter().min().copied().unwrap_or(0);
        history.iter().filter(move |trial| trial.trial >= first)
    }

    /// The logarithms of the largest network that is smaller than `base` and missed the gate.
    fn missed(&self, history: &[TrialRecord], base: &TrialRecord) -> Option<[f64; 2]> {
        let missed = self.shrunk(history).filter(|trial| !self.passing.contains(&trial.trial));
        let smaller = missed.map(logarithms).filter(|[size, _]| *size < logarithms(base)[0]);
        smaller.max_by(|a, b| a[0].total_cmp(&b[0]))
    }

    /// Parameters at which the gate is expected to be just passed: far below those of a network that passes by far.
    fn wanted(&self, history: &[TrialRecord], base: &TrialRecord) -> f64 {
        let allowed = allowed_error(&base.spec);
        let [base_size, base_error] = logarithms(base);
        let margin = allowed.ln() - base_error;
        if let Some([size, error]) = self.missed(history, base) {
            // Between a network that passes and one that does not, by the errors of both.
            let rise = (error - base_error).max(margin).max(1e-9);
            return (base_size - (margin / rise).clamp(0.3, 0.8) * (base_size - size)).exp();
        }
        let others = self.shrunk(history).map(logarithms);
        let (slope, weight) = others.fold((0.0, 0.0), |(slope, weight), [size, error]| {
            let (more, less) = (size - base_size, base_error - error);
            (slope + more * less, weight + more * more)
        });
        let power = (POWER * POWER_WEIGHT + slope) / (POWER_WEIGHT + weight);
        (base_size - margin.max(0.0) / power.clamp(0.1, 1.5)).exp()
    }

    /// The epochs for a smaller network, so that its training takes about the operations of the first one that passed.
    fn longer(&self, history: &[TrialRecord], smaller: &Spec) -> Option<Edit> {
        let first = self.shrunk(history).next()?;
        let flops = |spec: &Spec| spec.table().flops().max(1) as f64;
        let factor = (flops(&first.spec) / flops(smaller)).clamp(1.0, EPOCHS_FACTOR_MAX);
        let epochs = (first.spec.train().epochs as f64 * factor).round() as usize;
        (epochs > smaller.train().epochs).then_some(Edit::SetEpochs { epochs })
    }

    /// Longer training for the last trial, if it is smaller and just missed the gate.
    fn second_chance(&self, history: &[TrialRecord], base: &TrialRecord) -> Option<Proposal> {
        let last = history.last()?;
        let is_second = matches!(last.edits.as_slice(), [Edit::SetEpochs { .. }]);
        let missed = last.spec.gate().highest_floor() - last.score();
        let near = NEAR * allowed_error(&last.spec);
        let smaller = last.spec.table().parameters() < base.spec.table().parameters();
        if self.passing.contains(&last.trial) || is_second || missed > near || !smaller {
            return None;
        }
        // Descendants keep the longer training, which must not double with each of them.
        let first = self.shrunk(history).next()?.spec.train().epochs as f64;
        let most = (2.0 * EPOCHS_FACTOR_MAX * first) as usize;
        let epochs = (last.spec.train().epochs * 2).min(most);
        if epochs <= last.spec.train().epochs {
            return None;
        }
        let edits = vec![Edit::SetEpochs { epochs }];
        let spec = Edit::apply_all(&edits, &last.spec).ok()?;
        Some(proposal(
            last,
            edits,
            spec,
            "it missed the gate only narrowly, so it is trained for longer",
        ))
    }
}

/// The logarithms of a trial's parameters and of its error.
fn logarithms(trial: &TrialRecord) -> [f64; 2] {
    [trial.spec.table().parameters() as f64, (1.0 - trial.score()).max(1e-4)].map(f64::ln)
}

/// A way to shrink a network.
struct Candidate {
    edits: Vec<Edit>,
    because: &'static str,
    parameters: f64,
    /// Whether it saves most where most of the weights are, so that it comes first.
    comes_first: bool,
}

impl Candidate {
    /// Whether it is no larger than a network that missed the gate.
    fn is_hopeless(&self, missed: f64) -> bool {
        !self.comes_first && self.parameters <= 1.02 * missed
    }

    /// How far it is from the wanted number of parameters, as a ratio's logarithm.
    fn distance(&self, wanted: f64) -> f64 {
        if self.comes_first { -1.0 } else { (self.parameters / wanted).ln().abs() }
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

/// Ways to shrink a network.
fn candidates(spec: &Spec) -> Vec<Candidate> {
    let mut found: Vec<(Vec<Edit>, &'static str)> = Vec::new();
    // Parameters are about the square of the width.
    for percent in (50..100).step_by(5) {
        let edits = narrower(spec, f64::from(percent) / 100.0, None);
        found.push((edits, "fewer units in all layers may suffice"));
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
                found.push((without(spec, layer), "fewer conv layers may suffice"));
            }
            _ => {}
        }
    }
    found.extend(pooled(spec).into_iter().map(|edits| (edits, POOLED)));
    let before = spec.table().parameters() as f64;
    let sized = found.into_iter().filter_map(|(mut edits, because)| {
        if spec.train().schedule == (Schedule::Constant {}) {
            edits.push(Edit::SetSchedule { schedule: Schedule::one_cycle(), warm_up: 0.0 });
        }
        let parameters = Edit::apply_all(&edits, spec).ok()?.table().parameters() as f64;
        let comes_first = because == POOLED;
        let least = if comes_first { 0.0 } else { SHARE_MIN };
        (least..=SHARE_MAX).contains(&(parameters / before)).then_some(Candidate {
            edits,
            because,
            parameters,
            comes_first,
        })
    });
    sized.collect()
}

/// Why a feature map is pooled once more.
const POOLED: &str = "a smaller feature map needs fewer weights";

/// Edits that remove a conv layer and the batch-norm after it.
fn without(spec: &Spec, layer: usize) -> Vec<Edit> {
    let normalized = matches!(spec.layers().get(layer + 1), Some(Layer::BatchNorm(_)));
    vec![Edit::RemoveLayer { layer }; 1 + usize::from(normalized)]
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

/// Edits that halve the feature map before the classifier; first those that leave out a hidden layer after it as well.
fn pooled(spec: &Spec) -> Vec<Vec<Edit>> {
    let (at, shape) = spec.end_of_features();
    let Some(FeatureShape::Image { channels, height, width }) = shape else {
        return Vec::new();
    };
    if height.min(width) < 6 {
        return Vec::new();
    }
    // Of the conv block, only the pool stays.
    let block = Edit::AddConvBlock { at, filters: channels, kernel: 3, pool: true };
    let pool = vec![block, Edit::RemoveLayer { layer: at }];
    let dense = spec.layers().iter().rposition(|layer| matches!(layer, Layer::Dense(_)));
    let without_dense = dense
        .filter(|&dense| dense >= at)
        .map(|dense| [pool.clone(), vec![Edit::RemoveLayer { layer: dense + 1 }]].concat());
    without_dense.into_iter().chain([pool]).collect()
}

#[cfg(test)]
mod tests;
