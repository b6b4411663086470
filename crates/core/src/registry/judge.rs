//! Judges a version for promotion, from its measurements: pure and deterministic.

use burgeon_drift::probability;
use serde::{Deserialize, Serialize};

use super::non_inferiority::{lower_bound, p_value};
use super::settings::{PromotionSettings, Requirement};
use crate::record::paired::Discordant;
use crate::record::wilson_interval;

/// The measurements of a version.
#[derive(Debug, Clone)]
pub(super) struct Measured<'a> {
    /// Its number.
    pub version: u64,
    /// Which of the held-out images it classifies correctly.
    pub right: &'a [bool],
    /// The indices of those that it was trained on.
    pub seen: &'a [u32],
    /// Bytes of its model file.
    pub size_bytes: u64,
    /// Milliseconds per image.
    pub latency_ms: f64,
    /// Whether it is known which held-out images it was trained on.
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

/// A judgement, with the figures that it is based on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judgement {
    /// Whether the version may be promoted.
    pub accepted: bool,
    /// The reasons against it, a sentence each.
    pub reasons: Vec<String>,
    /// SHA-256 of the held-out set.
    pub held_out: String,
    /// The number of images that count: those that neither version was trained on.
    pub images: u64,
    /// The number of images that were left out because one of the versions was trained on them.
    pub left_out: u64,
    /// The accuracy of the version, 0..=1.
    pub accuracy: f64,
    /// The bounds of its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// The gate.
    pub gate: f64,
    /// The lowest recall among the classes with images, and the class.
    pub least_recall: Option<(f64, String)>,
    /// Bytes of the model file.
    pub size_bytes: u64,
    /// Milliseconds per image.
    pub latency_ms: f64,
    /// The comparison with the version that the alias points to; `None` if it points to none.
    pub paired: Option<Paired>,
}

/// A version compared with the previous one, on the same images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Paired {
    /// The previous version.
    pub version: u64,
    /// Its accuracy, 0..=1.
    pub accuracy: f64,
    /// The number of images that only the previous version classifies correctly.
    pub only_before: u64,
    /// The number of images that only the new version classifies correctly.
    pub only_new: u64,
    /// The p-value of McNemar's exact test, two-sided.
    pub p_value: f64,
    /// The p-value of Tango's one-sided test that the new version is worse by the margin or more.
    pub p_worse_by_margin: f64,
    /// Lower bound of the one-sided confidence interval of the difference of accuracies, new minus previous.
    pub difference_least: f64,
    /// The significance level of the tests.
    pub level: f64,
    /// The margin, as a difference of accuracies.
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
        reasons.push("there is no held-out image left to judge it on".into());
    }
    if !new.data_checked {
        reasons.push(
            "it is not known whether it was trained on held-out images, because its data was missing when it was added"
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
        reasons.push(format!(
            "its model file has {} bytes, more than the limit of {most}",
            new.size_bytes
        ));
    }
    if let Some(most) = settings.latency_ms_max
        && (new.latency_ms > most || new.latency_ms.is_nan())
    {
        reasons.push(format!(
            "an image takes {:.3} ms, more than the limit of {most} ms",
            new.latency_ms
        ));
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

/// Judges a version on feedback images: it has to reach `accuracy`, and must not be significantly worse than the previous
/// version. Non-inferiority is not required, as few images could not show it for a small margin.
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
        format!("the recall of class {name} is {recall}, below its minimum of {floor}")
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
        format!(
            "class {name} has a minimum recall, but no held-out image; correct promotion.recall"
        )
    }));
    reasons
}

impl Paired {
    /// Why the version is refused compared with the previous one.
    fn refusal(&self) -> Option<String> {
        let Self { version, p_value, level, margin, .. } = self;
        let is_better = self.only_new > self.only_before;
        let is_worse = self.only_new < self.only_before && p_value < level;
        if is_worse && self.require != Requirement::WithinMargin {
            return Some(format!(
                "it is significantly worse than version {version}: images classified correctly only by that version: {}, only by this one: {} (McNemar's exact test, {})",
                self.only_before,
                self.only_new,
                probability(*p_value)
            ));
        }
        match self.require {
            Requirement::Better if !(is_better && p_value < level) => Some(format!(
                "it is not significantly better than version {version} (McNemar's exact test, {}), but promotion.require is \"better\"",
                probability(*p_value)
            )),
            Requirement::NotWorse | Requirement::WithinMargin
                if self.p_worse_by_margin >= *level =>
            {
                Some(format!(
                    "it may be worse than version {version} by {:.2} points or more: the lower bound of the difference is {:+.2} points (level {level})",
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
