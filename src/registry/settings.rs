//! `registry.toml`: the gate of promotions, and what is kept. People edit it; it is read anew each time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PRODUCTION;
use super::error::RegistryError;
use super::name::{is_alias_name, is_model_name};
use crate::retrain::RetrainSettings;
use crate::spec::Bytes;

/// The settings of a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// The name of the model, under which it is served.
    pub name: String,
    /// What a version has to reach.
    #[serde(default)]
    pub promotion: PromotionSettings,
    /// What is kept.
    #[serde(default)]
    pub keep: KeepSettings,
    /// When the model in production is trained again; never without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrain: Option<RetrainSettings>,
}

/// What a version has to reach before an alias moves to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct PromotionSettings {
    /// The aliases whose promotions are judged; others move freely.
    pub judged: Vec<String>,
    /// The gate: the least accuracy on the held-out images, 0..=1.
    pub accuracy: f64,
    /// What the paired test with the version before has to show.
    pub require: Requirement,
    /// The level of both tests, that is how often each may err.
    pub level: f64,
    /// By how much the accuracy may be lower than that of the version before, 0..=1, as a difference of shares.
    pub margin: f64,
    /// The least recall of every class, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_recall: Option<f64>,
    /// The least recall of single classes, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub recall: BTreeMap<String, f64>,
    /// The largest model file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_max: Option<Bytes>,
    /// The longest time for one image, as it was measured when the version was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms_max: Option<f64>,
    /// The share of held-out images that a version may have seen in training. They are not counted.
    pub seen_max: f64,
}

/// What the paired test has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Requirement {
    /// Not worse by more than the margin, as far as can be told at the level.
    NotWorse,
    /// The same, even where it is known to be a little worse.
    WithinMargin,
    /// Better, by more than chance.
    Better,
}

/// What is kept. What an alias needs is always kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct KeepSettings {
    /// The newest versions, which are kept whatever their age and size.
    pub versions: u64,
    /// Older ones are cleared after this many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u64>,
    /// The oldest ones are cleared while all together take more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    /// How much the log of requests takes at most.
    pub log_size: Bytes,
    /// After this many days its parts are cleared.
    pub log_days: u64,
}

impl Default for PromotionSettings {
    fn default() -> Self {
        Self {
            judged: vec![PRODUCTION.into()],
            // None: one that was forgotten would let every model pass.
            accuracy: f64::NAN,
            require: Requirement::NotWorse,
            level: 0.05,
            margin: 0.01,
            least_recall: None,
            recall: BTreeMap::new(),
            size_max: None,
            latency_ms_max: None,
            seen_max: 0.01,
        }
    }
}

impl Default for KeepSettings {
    fn default() -> Self {
        let log_size = Bytes(100_000_000);
        Self { versions: 10, days: None, size: None, log_size, log_days: 30 }
    }
}

impl PromotionSettings {
    /// Whether a version may be judged that has seen so many of the held-out images.
    ///
    /// # Errors
    ///
    /// If those are more than `seen-max`.
    pub fn check_seen(&self, seen: usize, images: usize) -> Result<(), RegistryError> {
        match seen as f64 > self.seen_max * images as f64 {
            true => Err(RegistryError::Seen { seen, images, most: self.seen_max }),
            false => Ok(()),
        }
    }
}

impl Settings {
    /// Those of a new registry.
    pub fn new(name: &str, accuracy: f64) -> Self {
        let promotion = PromotionSettings { accuracy, ..PromotionSettings::default() };
        Self { name: name.into(), promotion, keep: KeepSettings::default(), retrain: None }
    }

    /// Reads and checks them.
    ///
    /// # Errors
    ///
    /// A sentence that says which key is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let settings: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let promotion = &settings.promotion;
        let shares = [
            ("accuracy".to_owned(), Some(promotion.accuracy)),
            ("margin".into(), Some(promotion.margin)),
            ("least-recall".into(), promotion.least_recall),
            ("seen-max".into(), Some(promotion.seen_max)),
        ];
        let recalls =
            promotion.recall.iter().map(|(name, share)| (format!("recall.{name}"), Some(*share)));
        for (key, share) in shares.into_iter().chain(recalls) {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                return Err(format!("promotion.{key}: give a share from 0 to 1"));
            }
        }
        if promotion.margin >= 1.0 {
            return Err("promotion.margin: use a share below 1, such as 0.01".into());
        }
        if !(promotion.level > 0.0 && promotion.level <= 0.5) {
            return Err("promotion.level: use a share above 0, up to 0.5, such as 0.05".into());
        }
        if promotion.latency_ms_max.is_some_and(|most| !(most > 0.0 && most.is_finite())) {
            return Err("promotion.latency-ms-max: use a number of milliseconds above 0".into());
        }
        if let Some(name) = promotion.judged.iter().find(|name| !is_alias_name(name)) {
            return Err(format!("promotion.judged: {name:?} is not a valid alias name"));
        }
        if let Some(retrain) = &settings.retrain {
            retrain.check()?;
        }
        if !is_model_name(&settings.name) {
            return Err(format!(
                "name: {:?} cannot be part of an address; use up to 128 letters, digits, -, _ and .",
                settings.name
            ));
        }
        Ok(settings)
    }

    /// As text, with what the keys mean.
    ///
    /// # Errors
    ///
    /// Never, for settings that were parsed.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        Ok(format!(
            "# The settings of this registry; docs/registry.md explains them.\n{}",
            toml::to_string(self)?
        ))
    }
}

#[cfg(test)]
mod tests;
