//! Judges a version for promotion, out of what was measured: pure, and the same whenever it is repeated.

use serde::{Deserialize, Serialize};

use super::non_inferiority::{lower_bound, p_value};
use super::settings::{PromotionSettings, Requirement};
use crate::record::paired::Discordant;
use crate::record::wilson_interval;

/// A version as it was measured.
#[derive(Debug, Clone)]
pub(super) struct Measured<'a> {
    /// Its number.
    pub version: u64,
    /// Which of the held-out images it has right.
    pub right: &'a [bool],
    /// Those that it has seen in training, by index.
    pub seen: &'a [u32],
    /// Bytes of its model file.
    pub size_bytes: u64,
    /// Milliseconds for one image.
    pub latency_ms: f64,
    /// Whether it was checked against the images that it was trained on.
    pub data_checked: bool,
}

/// The held-out images.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judges<'a> {
    /// SHA-256 of the set.
    pub held_out: &'a str,
    /// The class of each image.
    pub labels: &'a [u16],
    /// The names of the classes.
    pub classes: &'a [String],
}

/// A judgement, with all that it follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judgement {
    /// Whether the version may be promoted.
    pub accepted: bool,
    /// Why not, a sentence each.
    pub reasons: Vec<String>,
    /// SHA-256 of the held-out set.
    pub held_out: String,
    /// Images that were counted: those that neither version has seen.
    pub images: u64,
    /// Images that were left out, because one of the two has seen them.
    pub left_out: u64,
    /// Share that the version has right, 0..=1.
    pub accuracy: f64,
    /// Ends of its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// The gate.
    pub gate: f64,
    /// The least recall among the classes with images, and which class that is.
    pub least_recall: Option<(f64, String)>,
    /// Bytes of the model file.
    pub size_bytes: u64,
    /// Milliseconds for one image.
    pub latency_ms: f64,
    /// The comparison with the version that the alias points to; `None` if it points to none.
    pub paired: Option<Paired>,
}

/// A version beside the one before, on the same images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Paired {
    /// The version before.
    pub version: u64,
    /// Its accuracy, 0..=1.
    pub accuracy: f64,
    /// Images that only the version before has right.
    pub only_before: u64,
    /// Images that only the new version has right.
    pub only_new: u64,
    /// McNemar's exact test, two-sided.
    pub p_value: f64,
    /// Tango's one-sided test that the new version is worse by the margin or more.
    pub p_worse_by_margin: f64,
    /// Lower end of the one-sided interval of the difference of accuracies, new less before.
    pub difference_least: f64,
    /// The level of the tests.
    pub level: f64,
    /// The margin, as a difference of shares.
    pub margin: f64,
    /// What was required.
    pub require: Requirement,
}

/// Judges a version, against the one that the alias points to if there is one.
pub(super) fn judge(
    settings: &PromotionSettings,
    judges: Judges,
    new: &Measured,
    before: Option<&Measured>,
) -> Judgement {
    let mut counted = vec![true; judges.labels.len()];
    for &seen in new.seen.iter().chain(before.iter().flat_map(|before| before.seen)) {
        if let Some(counted) = counted.get_mut(seen as usize) {
            *counted = false;
        }
    }
    let kept = |right: &[bool]| -> Vec<bool> {
        right
            .iter()
            .zip(&counted)
            .filter(|(_, counted)| **counted)
            .map(|(right, _)| *right)
            .collect()
    };
    let right = kept(new.right);
    let images = right.len() as u64;
    let share = |right: &[bool]| {
        right.iter().filter(|right| **right).count() as f64 / right.len().max(1) as f64
    };
    let accuracy = share(&right);
    let mut reasons = Vec::new();
    if images == 0 {
        reasons.push("no held-out image is left to judge it on".into());
    }
    if !new.data_checked {
        reasons.push(
            "whether it was trained on held-out images was not checked, because its data was not there when it was added"
                .into(),
        );
    }
    if accuracy < settings.accuracy {
        let (accuracy, gate) = (percent(accuracy), percent(settings.accuracy));
        reasons.push(format!("accuracy {accuracy} is below the gate of {gate}"));
    }
    let recalls = recalls(judges, new.right, &counted);
    let least_recall = recalls
        .iter()
        .map(|(name, recall)| (*recall, (*name).to_owned()))
        .min_by(|one, other| one.0.total_cmp(&other.0));
    reasons.extend(floors(settings, &recalls));
    if let Some(most) = settings.size_max
        && new.size_bytes > most.0
    {
        reasons.push(format!("its model file has {} bytes, more than {most}", new.size_bytes));
    }
    if let Some(most) = settings.latency_ms_max
        && (new.latency_ms > most || new.latency_ms.is_nan())
    {
        reasons.push(format!("one image takes {:.3} ms, more than {most} ms", new.latency_ms));
    }
    let paired = before.map(|before| {
        let others = kept(before.right);
        let discordant = Discordant::of(&others, &right);
        let p_worse = p_value(discordant, images, settings.margin);
        Paired {
            version: before.version,
            accuracy: share(&others),
            only_before: discordant.only_first,
            only_new: discordant.only_second,
            p_value: discordant.p_value(),
            p_worse_by_margin: p_worse,
            difference_least: lower_bound(discordant, images, settings.level),
            level: settings.level,
            margin: settings.margin,
            require: settings.require,
        }
    });
    reasons.extend(paired.as_ref().and_then(Paired::refusal));
    Judgement {
        accepted: reasons.is_empty(),
        reasons,
        held_out: judges.held_out.into(),
        images,
        left_out: counted.len() as u64 - images,
        accuracy,
        interval: wilson_interval(accuracy, images),
        gate: settings.accuracy,
        least_recall,
        size_bytes: new.size_bytes,
        latency_ms: new.latency_ms,
        paired,
    }
}

/// Judges a version on images of feedback: it has to reach `accuracy`, and must not be worse than the one before by more
/// than chance. Few images could not show that it is not worse by a small margin, so none is asked for.
pub(super) fn judge_feedback(
    settings: &PromotionSettings,
    accuracy: f64,
    judges: Judges,
    new: &[bool],
    (before, others): (u64, &[bool]),
) -> Judgement {
    let settings = PromotionSettings {
        accuracy,
        require: Requirement::NotWorse,
        level: settings.level,
        margin: 0.5,
        ..PromotionSettings::default()
    };
    let measured = |version, right| Measured {
        version,
        right,
        seen: &[],
        size_bytes: 0,
        latency_ms: 0.0,
        data_checked: true,
    };
    judge(&settings, judges, &measured(0, new), Some(&measured(before, others)))
}

/// Name and recall of every class that has images.
fn recalls<'a>(judges: Judges<'a>, right: &[bool], counted: &[bool]) -> Vec<(&'a str, f64)> {
    let mut sums = vec![(0_u64, 0_u64); judges.classes.len()];
    for ((&label, &right), _) in
        judges.labels.iter().zip(right).zip(counted).filter(|(_, counted)| **counted)
    {
        if let Some((hits, images)) = sums.get_mut(usize::from(label)) {
            *hits += u64::from(right);
            *images += 1;
        }
    }
    let named = judges.classes.iter().zip(sums).filter(|(_, (_, images))| *images > 0);
    named.map(|(name, (hits, images))| (name.as_str(), hits as f64 / images as f64)).collect()
}

fn floors(settings: &PromotionSettings, recalls: &[(&str, f64)]) -> Vec<String> {
    let below = |name: &str, recall: f64, floor: f64| {
        let (recall, floor) = (percent(recall), percent(floor));
        format!("the recall of class {name}, {recall}, is below its floor of {floor}")
    };
    let mut reasons = Vec::new();
    for (name, recall) in recalls {
        let own = settings.recall.get(*name).copied();
        if let Some(floor) = own.or(settings.least_recall)
            && *recall < floor
        {
            reasons.push(below(name, *recall, floor));
        }
    }
    let unknown =
        settings.recall.keys().filter(|name| !recalls.iter().any(|(known, _)| known == name));
    reasons.extend(unknown.map(|name| {
        format!("class {name} has a floor, but no held-out image: correct promotion.recall")
    }));
    reasons
}

impl Paired {
    /// Why the version is refused beside the one before.
    fn refusal(&self) -> Option<String> {
        let Self { version, p_value, level, margin, .. } = self;
        let is_better = self.only_new > self.only_before;
        let is_worse = self.only_new < self.only_before && p_value < level;
        if is_worse && self.require != Requirement::WithinMargin {
            return Some(format!(
                "it is worse than version {version} by more than chance: {} images are right in that one alone, {} in this one alone (McNemar's exact test, p = {p_value:.4})",
                self.only_before, self.only_new
            ));
        }
        match self.require {
            Requirement::Better if !(is_better && p_value < level) => Some(format!(
                "it is not better than version {version} by more than chance: p = {p_value:.4} (McNemar's exact test), and promotion.require is \"better\""
            )),
            Requirement::NotWorse | Requirement::WithinMargin
                if self.p_worse_by_margin >= *level =>
            {
                Some(format!(
                    "it may be worse than version {version} by {:.2} points or more: the lower end of the difference is {:+.2} points (level {level})",
                    margin * 100.0,
                    self.difference_least * 100.0
                ))
            }
            _ => None,
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests;
