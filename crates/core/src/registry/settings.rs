//! `registry.toml`: the gate of promotions, and retention. Users edit it; it is reread each time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PRODUCTION;
use super::error::RegistryError;
use super::name::{is_alias_name, is_model_name};
use crate::retrain::RetrainSettings;
use crate::spec::{Bytes, NotifySpec};

/// The settings of a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// The name that the model is served under.
    pub name: String,
    /// The requirements for promotions.
    #[serde(default)]
    pub promotion: PromotionSettings,
    /// Retention.
    #[serde(default)]
    pub keep: KeepSettings,
    /// When the model in production is retrained; never without this table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrain: Option<RetrainSettings>,
    /// Who is told of drift and retrainings. Relative paths start at the registry's folder.
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify: NotifySpec,
}

fn is_default(notify: &NotifySpec) -> bool {
    *notify == NotifySpec::default()
}

/// The requirements for moving an alias to a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct PromotionSettings {
    /// The aliases whose promotions are judged; others are moved without a judgement.
    pub judged: Vec<String>,
    /// The gate: the lowest accuracy on the held-out images, 0..=1.
    pub accuracy: f64,
    /// What the comparison with the previous version has to show.
    pub require: Requirement,
    /// The significance level of both tests.
    pub level: f64,
    /// By how much the accuracy may be lower than that of the previous version, 0..=1.
    pub margin: f64,
    /// The lowest recall of every class, 0..=1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_recall: Option<f64>,
    /// The lowest recall of individual classes, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub recall: BTreeMap<String, f64>,
    /// The largest model file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_max: Option<Bytes>,
    /// The longest time per image, as measured when the version was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms_max: Option<f64>,
    /// The share of held-out images that a version may have been trained on. They are not counted.
    pub seen_max: f64,
}

/// What the comparison has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Requirement {
    /// Not significantly worse, and worse by less than the margin at the significance level.
    NotWorse,
    /// The same, even where it is known to be a little worse.
    WithinMargin,
    /// Significantly better.
    Better,
}

/// Retention. Versions that an alias needs are always kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct KeepSettings {
    /// How many of the newest versions are kept regardless of age and size.
    pub versions: u64,
    /// Days after which older versions are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u64>,
    /// Total size above which the oldest versions are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    /// Largest size of the request log.
    pub log_size: Bytes,
    /// Days after which parts of the request log are removed.
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
    /// Checks whether a version that was trained on this many held-out images may be judged.
    ///
    /// # Errors
    ///
    /// If there are more than `seen-max` allows.
    pub fn check_seen(&self, seen: usize, images: usize) -> Result<(), RegistryError> {
        match seen as f64 > self.seen_max * images as f64 {
            true => Err(RegistryError::Seen { seen, images, most: self.seen_max }),
            false => Ok(()),
        }
    }
}

impl Settings {
    /// The settings of a new registry.
    pub fn new(name: &str, accuracy: f64) -> Self {
        let promotion = PromotionSettings { accuracy, ..PromotionSettings::default() };
        Self {
            name: name.into(),
            promotion,
            keep: KeepSettings::default(),
            retrain: None,
            notify: NotifySpec::default(),
        }
    }

    /// Parses and checks the settings.
    ///
    /// # Errors
    ///
    /// A sentence that says which key is wrong, and what would be valid.
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
        if let Some(problem) = settings.notify.problems().into_iter().next() {
            return Err(problem);
        }
        if settings.notify.command.is_some() {
            return Err("notify.command: only studies run a command; use mail or webhooks".into());
        }
        if !is_model_name(&settings.name) {
            return Err(format!(
                "name: {:?} cannot be part of a URL; use up to 128 letters, digits, -, _ and .",
                settings.name
            ));
        }
        Ok(settings)
    }

    /// The text of the file.
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
