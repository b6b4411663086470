//! `[retrain]` of a registry's settings.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::schedule::Schedule;

/// When the model in production is retrained, and on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct RetrainSettings {
    /// The study to train; by default that of the version in production. Relative paths start at the registry's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study: Option<PathBuf>,
    /// Whether a drift alarm starts a retraining, once there are enough labels.
    pub drift: bool,
    /// The number of new labels that starts a retraining without an alarm; 0 for never.
    pub feedback: usize,
    /// Whether a change of the study's data starts a retraining.
    pub data: bool,
    /// The times at which a retraining starts, in the five fields of cron.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Minutes after a decision before the next retraining may start automatically.
    pub cooldown_minutes: u32,
    /// The fewest labelled images for a retraining.
    pub least: usize,
    /// The share of labelled images that the new model is judged on, 0..1.
    pub held_out: f64,
    /// The largest share of labelled images of one source, 0..=1.
    pub source_max: f64,
    /// The largest share of labelled images of one class, 0..=1.
    pub class_max: f64,
    /// The least accuracy on the held-out share of feedback; that of `[promotion]` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The share of feedback among the training images, 0..1; feedback is repeated to reach it.
    pub share: f64,
    /// Sources whose labels are ignored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore_sources: Vec<String>,
    /// Labels given before this time are ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback_since: Option<Timestamp>,
}

impl Default for RetrainSettings {
    fn default() -> Self {
        Self {
            study: None,
            drift: true,
            feedback: 1000,
            data: true,
            schedule: None,
            cooldown_minutes: 60,
            least: 200,
            held_out: 0.2,
            source_max: 0.5,
            class_max: 0.8,
            accuracy: None,
            share: 0.3,
            ignore_sources: Vec::new(),
            feedback_since: None,
        }
    }
}

impl RetrainSettings {
    /// Whether the values are valid.
    ///
    /// # Errors
    ///
    /// A sentence that says which key is wrong, and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let open = |share: f64| share > 0.0 && share < 1.0;
        let shares = [
            ("held-out", open(self.held_out), "a share between 0 and 1, such as 0.2"),
            ("share", open(self.share), "a share between 0 and 1, such as 0.3"),
            ("source-max", open(self.source_max) || self.source_max == 1.0, "a share up to 1"),
            ("class-max", open(self.class_max) || self.class_max == 1.0, "a share up to 1"),
            (
                "accuracy",
                self.accuracy.is_none_or(|share| (0.0..=1.0).contains(&share)),
                "a share from 0 to 1",
            ),
            ("least", self.least >= 20, "at least 20 images"),
        ];
        match shares.iter().find(|(_, is_valid, _)| !is_valid) {
            Some((key, _, right)) => Err(format!("retrain.{key}: use {right}")),
            None => Ok(()),
        }
    }
}
