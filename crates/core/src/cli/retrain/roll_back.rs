//! Rolls back a retrained version that is worse than the version before it on the feedback since.

use burgeon_drift::probability;

use super::Retrainer;
use super::images::{Feedback, correct_answers};
use super::plan::promotion_of;
use crate::cli::error::CliError;
use crate::cli::launch;
use crate::cli::registry::writer;
use crate::record::paired::Discordant;
use crate::registry::{Alias, PRODUCTION, Record};
use crate::retrain::{RetrainSettings, Retraining, Selected, bounded};
use crate::study::Growth;

/// The numbers of labels after which both versions are compared; after the last, the version is trusted. The significance
/// level is divided among them.
const COMPARISONS: [usize; 6] = [25, 50, 100, 200, 400, 800];

impl Retrainer<'_> {
    /// Compares both versions on the labelled images that the new one has classified, and rolls it back if the version
    /// before classifies significantly more of them correctly.
    pub(super) fn roll_back_if_worse(
        &mut self,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
        feedback: &Feedback,
    ) -> Result<Option<Record>, CliError> {
        let Some((promoted, retraining)) = promotion_of(decided, alias.version) else {
            return Ok(None);
        };
        let Some(before) = promoted.from.filter(|_| promoted.record == alias.record) else {
            return Ok(None);
        };
        let version = alias.version.to_string();
        let mut labels = feedback.labels.clone();
        labels.retain(|label| label.version == version);
        labels.sort_by_key(|label| label.at);
        let Some(&count) = COMPARISONS.iter().rev().find(|count| labels.len() >= **count) else {
            return Ok(None);
        };
        if self.compared.replace((alias.record, count)) == Some((alias.record, count)) {
            return Ok(None);
        }
        labels.truncate(count);
        let images = Feedback { labels }.images(&self.registry)?;
        let taken = bounded(&images.labels, settings.source_max);
        if taken.len() < COMPARISONS[0] {
            return Ok(None);
        }
        let [images, ..] = images.sets(&Selected { train: taken, ..Selected::default() }, None);
        let own = launch(self.common, Growth::Off);
        let workers = own.workers()?;
        let _entered = workers.enter();
        let device = own.device.open()?;
        let of =
            |version| correct_answers(&self.registry.version_folder(version), &device, &images);
        let compared = Discordant::of(&of(before)?, &of(alias.version)?);
        let Discordant { only_first, only_second } = compared;
        let level = self.registry.settings()?.promotion.level / COMPARISONS.len() as f64;
        let p = compared.p_value();
        if only_first <= only_second || p >= level {
            return Ok(None);
        }
        let why = format!(
            "of {} images labelled since, {only_first} are classified correctly by version {before} only, {only_second} by version {} only (McNemar's exact test, {})",
            images.set.images,
            alias.version,
            probability(p)
        );
        let writer = writer(&self.registry, "burgeon retrain")?;
        let writer = writer.for_retraining(Retraining { why, ..retraining.clone() }, None);
        Ok(Some(writer.roll_back(PRODUCTION)?.record))
    }
}
